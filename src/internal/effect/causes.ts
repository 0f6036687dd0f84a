/**
 * Causes. On Effect 3 a cause is a tree; on Effect 4 it is a list of reasons, without most of the functions on trees.
 */
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"

/** Nothing has failed. */
export const isEmpty = (cause: Cause.Cause<unknown>): boolean => Cause.isEmpty(cause)

/** Something has died, and nothing has failed. */
export const isDefectOnly = (cause: Cause.Cause<unknown>): boolean => Cause.isDie(cause) && !Cause.isFailure(cause)

export const defects = (cause: Cause.Cause<unknown>): ReadonlyArray<unknown> => Array.from(Cause.defects(cause))

/** Leaves those defects out where there is a failure besides. A cause of defects alone stays as it is. */
export const withoutDefects = <E>(
  cause: Cause.Cause<E>,
  isLeftOut: (defect: unknown) => boolean
): Cause.Cause<E> =>
  Cause.isFailure(cause) ? Cause.filter(cause, (part) => !(part._tag === "Die" && isLeftOut(part.defect))) : cause

/** The same exit, whose failures are defects. */
export const failuresAsDefects = <A>(exit: Exit.Exit<A, unknown>): Exit.Exit<A> =>
  Exit.mapErrorCause(exit, Cause.flatMap(Cause.die))

/** All of a cause as text, with the causes of its errors. */
export const prettyWithCauses = (cause: Cause.Cause<unknown>): string => Cause.pretty(cause, { renderErrorCause: true })
