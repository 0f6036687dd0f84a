/**
 * A server beside that of the traffic, for whoever operates it: it closes last.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { monotonicMillis } from "../effect/clock.js"
import * as RealTime from "../effect/realTime.js"
import type { App } from "../listener/app.js"
import { Server } from "../model/server.js"
import { Program } from "../signals/program.js"
import { viewOf } from "../telemetry/telemetry.js"
import { make, type MakeOptions, type ServerHandle } from "./make.js"

/** How long the last answers of those beside one server may take in all, in milliseconds, once its traffic has drained. */
const lastAnswers = 1000

/** What each has at the least. */
const leastAnswers = 100

/** What is left of it. They close one after the other, with what the user has put between them. */
const left = new WeakMap<object, number>()

/** `close` gets what is left, and what it takes of that is gone. */
const inTimeLeft = <A>(server: object, close: (millis: number) => Effect.Effect<A>): Effect.Effect<A> =>
  Effect.clockWith((clock) => {
    const now = monotonicMillis(clock)
    const since = now()
    const millis = left.get(server) ?? lastAnswers
    return Effect.ensuring(
      close(millis),
      Effect.sync(() => left.set(server, Math.max(leastAnswers, millis - (now() - since))))
    )
  })

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
    // a copy of the service has the same view
    const close = inTimeLeft(viewOf(server) ?? server, (millis) =>
      Effect.raceFirst(
        Effect.interruptible(own.service.shutdown),
        Effect.interruptible(Effect.zipRight(RealTime.sleep(millis), own.service.close))
      ).pipe(Effect.ignore, Effect.zipRight(Scope.close(scope, Exit.void))))
    yield* Effect.addFinalizer(() =>
      Effect.ignore(server.shutdown).pipe(Effect.zipRight(hasDrained), Effect.zipRight(close))
    )
    return { own, scope }
  })
