/**
 * Schedules. Effect 3 and Effect 4 combine schedules and add jitter in other ways.
 */
import * as Duration from "effect/Duration"
import * as Schedule from "effect/Schedule"

/** Delays that grow from `first`, by `factor` each time, up to `cap`. */
export const exponentialUpTo = (
  first: Duration.DurationInput,
  cap: Duration.DurationInput,
  factor = 2
): Schedule.Schedule<unknown> => Schedule.union(Schedule.exponential(first, factor), Schedule.spaced(cap))

/** Adds up to 10 % to each delay, in whole milliseconds. */
export const withJitter = (schedule: Schedule.Schedule<unknown>): Schedule.Schedule<unknown> =>
  schedule.pipe(
    Schedule.jitteredWith({ min: 1, max: 1.1 }),
    // `Clock.currentTimeNanos` throws under `TestClock` when a sleep has a fraction of a millisecond
    Schedule.delayed((delay) => Duration.millis(Math.floor(Duration.toMillis(delay))))
  )
