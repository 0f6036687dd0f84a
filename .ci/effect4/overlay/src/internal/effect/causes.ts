import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"

export const isEmpty = (cause: Cause.Cause<unknown>): boolean => cause.reasons.length === 0

export const isDefectOnly = (cause: Cause.Cause<unknown>): boolean => Cause.hasDies(cause) && !Cause.hasFails(cause)

export const defects = (cause: Cause.Cause<unknown>): ReadonlyArray<unknown> =>
  cause.reasons.filter(Cause.isDieReason).map(({ defect }) => defect)

export const withoutDefects = <E>(
  cause: Cause.Cause<E>,
  isLeftOut: (defect: unknown) => boolean
): Cause.Cause<E> =>
  Cause.hasFails(cause)
    ? Cause.fromReasons(cause.reasons.filter((reason) => !(Cause.isDieReason(reason) && isLeftOut(reason.defect))))
    : cause

export const failuresAsDefects = <A>(exit: Exit.Exit<A, unknown>): Exit.Exit<A> =>
  Exit.isSuccess(exit) ? Exit.succeed(exit.value) : Exit.failCause(Cause.fromReasons(
    exit.cause.reasons.map((reason) => Cause.isFailReason(reason) ? Cause.makeDieReason(reason.error) : reason)
  ))

export const prettyWithCauses = (cause: Cause.Cause<unknown>): string => Cause.pretty(cause)
