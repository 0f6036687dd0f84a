/** What is in a cause, as both lines of Effect say it. */
import * as Cause from "effect/Cause"
import * as Chunk from "effect/Chunk"

export const failures = <E>(cause: Cause.Cause<E>): ReadonlyArray<E> => Chunk.toReadonlyArray(Cause.failures(cause))
