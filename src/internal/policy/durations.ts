/**
 * Durations as they are given, by programs with and without types.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { decode } from "../effect/durations.js"
import { InvalidPolicy } from "../model/errors.js"

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

const remedy = (infinite: boolean) =>
  `a duration of 0 or more${infinite ? " (Infinity: no deadline)" : ", and finite"}, `
  + `such as "5 seconds" or a number of milliseconds`

/** Looks at one duration. */
export const duration = (
  field: string,
  value: Duration.DurationInput,
  options?: { readonly infinite?: boolean }
): Effect.Effect<number, InvalidPolicy> =>
  Effect.suspend(() => {
    const infinite = options?.infinite === true
    const millis = millisOf(value)
    return millis >= 0 && (infinite || Number.isFinite(millis)) ?
      Effect.succeed(millis) :
      Effect.fail(new InvalidPolicy({ field, value, expected: remedy(infinite) }))
  })
