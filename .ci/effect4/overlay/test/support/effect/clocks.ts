import * as Clock from "effect/Clock"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"

export interface Time {
  readonly now: () => number
  readonly sleep: (duration: Duration.Duration) => Effect.Effect<void>
}

const nanos = (time: Time): bigint => BigInt(time.now()) * 1_000_000n

export const onClock = (time: Time) => <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.provideService(effect, Clock.Clock, {
    currentTimeMillisUnsafe: time.now,
    currentTimeNanosUnsafe: () => nanos(time),
    monotonicTimeNanosUnsafe: () => nanos(time),
    currentTimeMillis: Effect.sync(time.now),
    currentTimeNanos: Effect.sync(() => nanos(time)),
    monotonicTimeNanos: Effect.sync(() => nanos(time)),
    sleep: time.sleep
  })
