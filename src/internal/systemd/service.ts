/**
 * What a service tells systemd of itself, from its start to its end.
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as RealTime from "../effect/realTime.js"
import { CurrentHandover, type Handover } from "../handoff/handover.js"
import type { InvalidPolicy } from "../model/errors.js"
import type { PlainService } from "../model/server.js"
import { printDuration } from "../model/text.js"
import { checkNames } from "../policy/optionNames.js"
import { duration } from "../policy/policy.js"
import { viewOf } from "../telemetry/telemetry.js"
import { isReady, stops } from "./stopping.js"

/**
 * What a service tells of itself.
 *
 * @since 0.1.0
 * @category models
 */
export interface ServiceOptions {
  /**
   * By how much to extend the time to stop (`EXTEND_TIMEOUT_USEC`), again and again while the server stops, three times
   * as often as needed; what it is extended by last is left to the release of everything else. 0: not at all, and then
   * `TimeoutStopSec=` must be longer than the policy (`Shutdown.systemd`). Default: 30 seconds.
   */
  readonly extendTimeout?: Duration.DurationInput | undefined
}

/** How long the last notification may take. */
const lastMillis = 2000

/** The same layer, which notifies once it has been built. */
export const service = <A, E, R>(
  server: PlainService,
  options: ServiceOptions,
  layer: Layer.Layer<A, E, R>
): Layer.Layer<A, E | InvalidPolicy, R> =>
  Layer.unwrapScoped(Effect.gen(function*() {
    yield* checkNames("options", options, optionNames)
    const extendMillis = yield* duration("extendTimeout", options.extendTimeout ?? "30 seconds")
    const handover = yield* CurrentHandover
    let fiber: Fiber.RuntimeFiber<void> | undefined
    // `runMain` ends the process in the middle of a notification
    yield* Effect.addFinalizer(() =>
      Effect.flatMap(server.phase.get, (phase) =>
        fiber === undefined || phase !== "Closed"
          ? Effect.void
          : Effect.raceFirst(
            Effect.interruptible(Fiber.join(fiber)),
            Effect.interruptible(RealTime.sleep(lastMillis))
          ))
    )
    // it goes on until the server has closed
    return Layer.tap(
      layer,
      () =>
        Effect.map(Effect.forkDaemon(Effect.interruptible(life(server, handover, extendMillis))), (forked) => {
          fiber = forked
        })
    )
  }))

const optionNames = Object.keys({ extendTimeout: true } satisfies { readonly [K in keyof ServiceOptions]-?: true })

const life = (
  server: PlainService,
  handover: Handover | undefined,
  extendMillis: number
): Effect.Effect<void> =>
  Effect.gen(function*() {
    if (process.env["NOTIFY_SOCKET"] === undefined) return
    // a successor that does not come to accept has nothing to say: the service is its predecessor
    if (handover !== undefined) {
      const isStopped = yield* Effect.raceFirst(
        Effect.as(handover.accepts, false),
        Effect.as(server.shuttingDown, true)
      )
      if (isStopped) return
    }
    yield* isReady
    yield* server.shuttingDown
    // what shuts down is not the service: its successor is
    if (handover?.handedOver === true) return
    const view = viewOf(server)
    const views = view === undefined ? [] : [view]
    yield* stops({ phase: server.phase.get, closed: ended(server), views: () => views }, extendMillis)
  })

const ended = (server: PlainService): Effect.Effect<string> =>
  Effect.map(
    Effect.catchAll(server.closed, ({ report }) => Effect.succeed(report)),
    ({ duration, outcome }) => `Shut down in ${printDuration(duration)} (${outcome})`
  )
