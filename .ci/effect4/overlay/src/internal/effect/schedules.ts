/**
 * What is made of schedules beyond what both lines of Effect call by a name.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"

/** Doubling (or by `factor`) from `first` to `cap`. */
export const exponentialUpTo = (
  first: Duration.Input,
  cap: Duration.Input,
  factor = 2
): Schedule.Schedule<unknown> => Schedule.min([Schedule.exponential(first, factor), Schedule.spaced(cap)])

/** Each delay plus up to 10 %, in whole milliseconds. */
export const withJitter = (schedule: Schedule.Schedule<unknown>): Schedule.Schedule<unknown> =>
  Schedule.modifyDelay(
    schedule,
    ({ duration }) =>
      Effect.map(Random.next, (random) => Duration.millis(Math.floor(Duration.toMillis(duration) * (1 + random / 10))))
  )
