/**
 * Streams. Effect 3 and Effect 4 push to one by other means.
 */
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"

export interface Push<A> {
  readonly single: (value: A) => unknown
  readonly end: () => void
}

/** What is pushed from now on. A reader that falls behind by more than `bufferSize` loses the oldest. */
export const fromPush = <A>(
  bufferSize: number,
  register: (push: Push<A>) => Effect.Effect<unknown, never, Scope.Scope>
): Stream.Stream<A> => Stream.asyncPush<A>(register, { bufferSize, strategy: "sliding" })
