/**
 * A shutdown whose clock stands still: a test that has `TestClock`, and does not move it, waits for a deadline that
 * never comes, and sees nothing.
 */
import * as Effect from "effect/Effect"
import * as Line from "../log/line.js"
import { clearTimeout, setTimeout } from "../node/timers.js"
import type { WatchedServer } from "./telemetry.js"

/** How many seconds of the machine's own time it stands still before that is said. */
const patience = 3

/** A second that a test cannot move. */
const second = Effect.async<void>((resume) => {
  const timer = setTimeout(() => resume(Effect.void), 1000)
  timer.unref()
  return Effect.sync(() => clearTimeout(timer))
})

/** Says once, in real time, that a clock which is not the system's stands still while the server stops. */
export const saysIfFrozen = Effect.fnUntraced(function*({ policy, registry }: WatchedServer) {
  for (let last = registry.now(), still = 0; still < patience;) {
    yield* second
    still = registry.now() === last ? still + 1 : 0
    last = registry.now()
  }
  const { killTimeout, lameDuck, timeout } = policy
  const all = lameDuck + timeout + killTimeout
  yield* Line.warning(
    `This shutdown waits for a clock that has stood still for ${patience} s (TestClock?): adjust it, `
      + (Number.isFinite(all)
        ? `as with TestClock.adjust("${all} millis"), after which it is over`
        : "or end what it waits for"),
    { event: "ClockStandsStill", ...(Number.isFinite(all) ? { limitMillis: all } : undefined) }
  )
})
