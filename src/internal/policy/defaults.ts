/**
 * What a server that shuts down is told where nothing was chosen.
 */
import type * as Schedule from "effect/Schedule"
import { exponentialUpTo, withJitter } from "../effect/schedules.js"
import type { Policy } from "../model/policy.js"

/**
 * Go's poll law (`net/http` `Server.Shutdown`, [rule D2](../../../docs/go-rules.md#d-shutdown)): 1 ms, doubling, capped
 * at 500 ms, each plus up to 10 % jitter, in whole milliseconds. Without the jitter the checks fall at 0, 1, 3, 7, 15,
 * 31, 63, 127, 255, 511, 1011 … ms.
 *
 * **Example**
 *
 * ```ts
 * import { Effect, Schedule } from "effect"
 * import { Server, Shutdown } from "quiesce"
 *
 * // the same law, with a line for each look
 * const ServerLive = Server.layer({
 *   pollSchedule: Shutdown.pollSchedule.pipe(Schedule.tapOutput(() => Effect.logDebug("looking again")))
 * })
 * ```
 *
 * @since 0.1.0
 * @category policies
 */
export const pollSchedule: Schedule.Schedule<unknown> = withJitter(exponentialUpTo("1 millis", "500 millis"))

/**
 * The policy of a server for which nothing was chosen. `timeout` and `killTimeout` together fit in the 10 seconds
 * that `docker stop` gives a container.
 *
 * **Example**
 *
 * ```ts
 * import { Server, Shutdown } from "quiesce"
 *
 * const ServerLive = Server.layer({ ...Shutdown.defaultPolicy, timeout: "20 seconds" })
 * ```
 *
 * @since 0.1.0
 * @category policies
 */
export const defaultPolicy: { readonly [K in keyof Policy]-?: NonNullable<Policy[K]> } = {
  lameDuck: 0,
  timeout: "8 seconds",
  killTimeout: "1 second",
  newConnectionGrace: "5 seconds",
  idleGrace: "500 millis",
  endEventStreams: true,
  eventStreamRetry: 0,
  spread: 0,
  webSocket: { code: 1001, reason: "the server is shutting down", grace: 0 },
  pollSchedule
}
