/**
 * What is made of streams beyond what both lines of Effect call by a name.
 */
import type * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"

export interface Push<A> {
  readonly single: (value: A) => unknown
  readonly end: () => void
}

/** What is pushed from now on; a reader that falls behind by `bufferSize` loses the oldest. */
export const fromPush = <A>(
  bufferSize: number,
  register: (push: Push<A>) => Effect.Effect<unknown, never, Scope.Scope>
): Stream.Stream<A> =>
  Stream.callback<A>((queue) =>
    register({
      single: (value) => {
        Queue.offerUnsafe(queue, value)
      },
      end: () => {
        Queue.endUnsafe(queue)
      }
    }), { bufferSize, strategy: "sliding" })
