import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import * as TestConsole from "effect/testing/TestConsole"

export const onTestClock = <A, E>(effect: Effect.Effect<A, E, Scope.Scope>): Effect.Effect<A, E> =>
  Effect.scoped(effect).pipe(Effect.provide([TestClock.layer(), TestConsole.layer]))

export const withRandom = (number: number) => <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.provideService(effect, Random.Random, {
    nextIntUnsafe: () => Math.round(number * Number.MAX_SAFE_INTEGER),
    nextDoubleUnsafe: () => number
  })

export const withSeed = (seed: number) => <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Random.withSeed(effect, seed)
