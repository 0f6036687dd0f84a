/** Services that tests replace, as both lines of Effect have them. */
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import * as TestContext from "effect/TestContext"

/** With a `TestClock`, in a scope of its own. */
export const onTestClock = <A, E>(effect: Effect.Effect<A, E, Scope.Scope>): Effect.Effect<A, E> =>
  Effect.provide(Effect.scoped(effect), TestContext.TestContext)

/** Each random number between 0 and 1 is this one. */
export const withRandom = (number: number) => <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.withRandom(effect, Random.fixed([number]))

/** Its random numbers are always the same. */
export const withSeed = (seed: number) => <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.withRandom(effect, Random.make(seed))
