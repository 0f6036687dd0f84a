/**
 * What a clock says, for measuring: epoch milliseconds as of when the process began to ask, and from then on the time
 * that has passed. The wall clock may jump (NTP, a machine that was suspended): a grace would be over at once, or last
 * for hours. On Effect 3 the nanoseconds of a clock do not jump; on Effect 4 they are those of the wall clock, and other
 * ones do not jump.
 */
import type * as Clock from "effect/Clock"

export const monotonicMillis = (clock: Clock.Clock) => (): number => Number(clock.unsafeCurrentTimeNanos() / 1_000_000n)
