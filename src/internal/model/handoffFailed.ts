/**
 * Why sockets were not handed over.
 */
import * as Data from "effect/Data"

/**
 * The sockets were not handed over, and this process serves on.
 *
 * - `NotServing`: the program has not started yet, or shuts down
 * - `NoListener`: there is nothing to hand over
 * - `NoDescriptor`: a listener's descriptor cannot be had
 * - `NotStarted`: the command could not be run
 * - `Ended`: the successor ended before it accepted
 * - `TimedOut`: it was not ready, or did not accept, in time
 * - `TooLate`: this process is the successor, and its predecessor does not wait for it any more
 * - `PidFile`: the file cannot be written
 * - `Malformed`: what this process was told of its predecessor (`QUIESCE_HANDOFF`) cannot be read
 * - `NoSocket`: a descriptor that it was told of is not the socket that its predecessor listens on
 *
 * **Example**
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Handoff } from "quiesce"
 *
 * const deploy = Handoff.upgrade.pipe(
 *   Effect.tap(({ pid }) => Effect.log(`process ${pid} accepts now`)),
 *   Effect.catchTag("HandoffFailed", (error) => Effect.logError(`${error.reason}: ${error.message}`))
 * )
 * ```
 *
 * @since 0.1.0
 * @category errors
 */
export class HandoffFailed extends Data.TaggedError("HandoffFailed")<{
  readonly reason:
    | "NotServing"
    | "NoListener"
    | "NoDescriptor"
    | "NotStarted"
    | "Ended"
    | "TimedOut"
    | "TooLate"
    | "PidFile"
    | "Malformed"
    | "NoSocket"
  readonly explanation: string
  readonly cause?: unknown
}> {
  override get message(): string {
    return this.explanation
  }
}

export const notServing = new HandoffFailed({
  reason: "NotServing",
  explanation: "The program has not started yet, or it shuts down: it has nothing to hand over"
})
