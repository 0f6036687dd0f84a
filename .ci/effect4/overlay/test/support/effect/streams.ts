import * as Cause from "effect/Cause"
import type * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"

export interface Emit<A, E> {
  readonly single: (value: A) => void
  readonly fail: (error: E) => void
  readonly die: (defect: unknown) => void
  readonly end: () => void
}

export const emitted = <A, E>(
  register: (emit: Emit<A, E>) => Effect.Effect<unknown, never, Scope.Scope>
): Stream.Stream<A, E> =>
  Stream.callback<A, E>((queue) =>
    register({
      single: (value) => void Queue.offerUnsafe(queue, value),
      fail: (error) => void Queue.failCauseUnsafe(queue, Cause.fail(error)),
      die: (defect) => void Queue.failCauseUnsafe(queue, Cause.die(defect)),
      end: () => void Queue.endUnsafe(queue)
    })
  )
