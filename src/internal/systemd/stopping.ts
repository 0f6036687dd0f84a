/**
 * What systemd is told while a service stops: that it does, what it waits for, and that it needs more time.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as RealTime from "../effect/realTime.js"
import type { Phase } from "../model/policy.js"
import { allProgress, connections, count, progressOf, request, timeLeft } from "../telemetry/progress.js"
import type { WatchedServer } from "../telemetry/telemetry.js"
import { notify, type State } from "./notify.js"

/** A server, or all those of a process. */
export interface Stopping {
  readonly phase: Effect.Effect<Phase>
  /** Suspends until all is closed, and says how it ended. */
  readonly closed: Effect.Effect<string>
  readonly views: () => ReadonlyArray<WatchedServer>
}

/** How often the status is brought up to date. */
const statusMillis = 5000

export const isReady: Effect.Effect<void> = notify({ READY: 1, STATUS: "Serving" })

/** From the beginning of a shutdown to its end. */
export const stops = (stopping: Stopping, extendMillis: number): Effect.Effect<void> =>
  Effect.gen(function*() {
    const extend: State = extendMillis > 0 && Number.isFinite(extendMillis)
      ? { EXTEND_TIMEOUT_USEC: Math.round(extendMillis * 1000) }
      : {}
    const pause = Duration.millis(extendMillis > 0 ? Math.min(statusMillis, extendMillis / 3) : statusMillis)
    yield* notify({ STOPPING: 1, STATUS: status(stopping, yield* stopping.phase), ...extend })
    while ((yield* stopping.phase) !== "Closed") {
      yield* Effect.raceFirst(Effect.asVoid(stopping.closed), RealTime.sleep(pause))
      const phase = yield* stopping.phase
      if (phase !== "Closed") yield* notify({ STATUS: status(stopping, phase), ...extend })
    }
    yield* notify({ STATUS: yield* stopping.closed, ...extend })
  })

/** One line of it: `systemctl status` has no room for more. */
const status = ({ views }: Stopping, phase: Phase): string => {
  const all = views()
  if (all.length === 0) return "Shutting down"
  const progress = allProgress(all.map((view) => progressOf(view, 1)), phase, 1)
  const left = timeLeft(progress)
  const oldest = progress.oldest.map((each) => request(each))
  return [
    // it enters its phase a moment after its shutdown has begun
    `${phase === "Serving" ? "Shutting down" : phase}${left === undefined ? "" : `, ${left}`}: ${
      connections(progress)
    }`,
    ...(progress.inFlight > 0 ? [`${count(progress.inFlight, "request")} in flight, the oldest ${oldest.join()}`] : [])
  ].join("; ")
}
