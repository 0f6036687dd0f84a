/** Streams, as both lines of Effect make them. */
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"

export interface Emit<A, E> {
  readonly single: (value: A) => void
  readonly fail: (error: E) => void
  readonly die: (defect: unknown) => void
  readonly end: () => void
}

/** What is emitted to it. It is registered in the scope of the stream. */
export const emitted = <A, E>(
  register: (emit: Emit<A, E>) => Effect.Effect<unknown, never, Scope.Scope>
): Stream.Stream<A, E> => Stream.asyncPush<A, E>(register)
