/** Clocks of one's own, as both lines of Effect take them. */
import * as Clock from "effect/Clock"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"

export interface Time {
  /** Epoch milliseconds. */
  readonly now: () => number
  readonly sleep: (duration: Duration.Duration) => Effect.Effect<void>
}

const globalScheduler: Clock.ClockScheduler = {
  unsafeSchedule: () => {
    throw new Error("nothing here is scheduled on the clock")
  }
}

const nanos = (time: Time): bigint => BigInt(time.now()) * 1_000_000n

export const onClock = (time: Time) => <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.withClock(effect, {
    [Clock.ClockTypeId]: Clock.ClockTypeId,
    unsafeCurrentTimeMillis: time.now,
    unsafeCurrentTimeNanos: () => nanos(time),
    currentTimeMillis: Effect.sync(time.now),
    currentTimeNanos: Effect.sync(() => nanos(time)),
    scheduler: () => Effect.succeed(globalScheduler),
    sleep: time.sleep
  })
