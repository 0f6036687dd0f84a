import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as FastCheck from "fast-check"
import { onTestClock } from "./effect/testServices.js"

/** Runs it that many times, each with other values, with a `TestClock` and a scope of its own. The first failure ends it. */
export const forAll = <A>(
  numRuns: number,
  values: { readonly [K in keyof A]: FastCheck.Arbitrary<A[K]> },
  test: (values: A) => Effect.Effect<void, unknown, Scope.Scope>
): Promise<void> =>
  FastCheck.assert(
    FastCheck.asyncProperty(FastCheck.record(values) as FastCheck.Arbitrary<A>, (given) =>
      Effect.runPromise(onTestClock(test(given)))),
    { numRuns, endOnFailure: true }
  )
