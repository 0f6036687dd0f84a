/**
 * Durations as they are given, by programs with and without types.
 */
import * as Duration from "effect/Duration"
import { decode } from "../effect/durations.js"

/**
 * `Duration.decode` clamps what is negative or not a number to zero, which would turn a typing error into "close at
 * once": so the input is looked at before it is decoded.
 */
const rejects = (value: unknown): boolean =>
  typeof value === "number" ?
    !(value >= 0) :
    typeof value === "bigint" ?
    value < 0n :
    typeof value === "string" ?
    value.trimStart().startsWith("-") :
    Array.isArray(value) && value.some((part) => !(part >= 0))

/**
 * In whole milliseconds, `NaN` where it is none. A part of a millisecond counts as one: the clock of tests has none,
 * and timers cut it off.
 */
export const millisOf = (value: unknown): number => {
  const decoded = rejects(value) ? undefined : decode(value)
  return decoded === undefined ? Number.NaN : Math.ceil(Duration.toMillis(decoded))
}
