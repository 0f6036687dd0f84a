/**
 * Durations. On Effect 3 anything can be decoded; Effect 4 wants to know first that it may be a duration.
 */
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"

/** The duration that a value stands for, if it stands for one. */
export const decode = (value: unknown): Duration.Duration | undefined =>
  Option.getOrUndefined(Duration.decodeUnknown(value))
