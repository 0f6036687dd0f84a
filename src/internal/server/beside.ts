/**
 * A server beside that of the traffic, for whoever operates it: it closes last.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as RealTime from "../effect/realTime.js"
import type { App } from "../listener/app.js"
import { Server } from "../model/server.js"
import { Program } from "../signals/program.js"
import { make, type MakeOptions, type ServerHandle } from "./make.js"

/** How long its own last answers may take, once the traffic has drained. */
const lastAnswers = Duration.seconds(1)

export interface Beside<A> {
  readonly own: ServerHandle<A>
  /** Closes when the traffic has drained, and what it has been asked is answered. */
  readonly scope: Scope.Scope
}

/**
 * Closing the scope shuts the server of the traffic down, or joins its shutdown, and then closes this one. `hasDrained`
 * comes between the two.
 */
export const beside = <A extends App | undefined>(
  app: MakeOptions<A>["app"],
  hasDrained: Effect.Effect<unknown> = Effect.void
): Effect.Effect<Beside<A>, never, Server | Scope.Scope> =>
  Effect.gen(function*() {
    const server = yield* Server
    // its own finalizer would fail with a request of ours that is cut
    const scope = yield* Scope.make()
    const own = yield* Scope.extend(
      make(
        { timeout: Duration.infinity, killTimeout: 0, newConnectionGrace: 0, idleGrace: 0 },
        { quiet: true, app }
      ).pipe(
        Effect.orDie,
        // a signal that finds the traffic drained cuts nothing, and so it must not say that it did
        Effect.provideService(Program, undefined),
        // the shutdown to trace is the traffic's
        Effect.withTracerEnabled(false)
      ),
      scope
    )
    const close = Effect.raceFirst(
      Effect.interruptible(own.service.shutdown),
      Effect.interruptible(Effect.zipRight(RealTime.sleep(lastAnswers), own.service.close))
    ).pipe(Effect.ignore, Effect.zipRight(Scope.close(scope, Exit.void)))
    yield* Effect.addFinalizer(() =>
      Effect.ignore(server.shutdown).pipe(Effect.zipRight(hasDrained), Effect.zipRight(close))
    )
    return { own, scope }
  })
