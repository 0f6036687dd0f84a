import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Schedule from "effect/Schedule"
import { defaultPolicy, InvalidPolicy, type Policy } from "../Shutdown.js"

/** A policy whose every field was looked at, in milliseconds. */
export interface ResolvedPolicy {
  readonly lameDuck: number
  /** `Infinity` is no deadline. */
  readonly timeout: number
  readonly killTimeout: number
  readonly newConnectionGrace: number
  readonly idleGrace: number | "promised"
  readonly pollSchedule: Schedule.Schedule<unknown>
}

const remedy = (infinite: boolean) =>
  `a duration of 0 or more${infinite ? " (Duration.infinity: no deadline)" : ", and finite"}, `
  + `such as "5 seconds" or a number of milliseconds`

/**
 * `Duration.decode` clamps what is negative or not a number to zero, which would turn a typing error into "close at
 * once": so the input is looked at before it is decoded.
 */
const rejects = (value: Duration.DurationInput): boolean =>
  typeof value === "number" ?
    !(value >= 0) :
    typeof value === "bigint" ?
    value < 0n :
    typeof value === "string" ?
    value.trimStart().startsWith("-") :
    Array.isArray(value) && value.some((part) => !(part >= 0))

/** Looks at one duration. */
export const duration = (
  field: string,
  value: Duration.DurationInput,
  options?: { readonly infinite?: boolean }
): Effect.Effect<number, InvalidPolicy> =>
  Effect.suspend(() => {
    const infinite = options?.infinite === true
    const decoded = rejects(value) ? undefined : Duration.decodeUnknown(value)
    const millis = decoded?._tag === "Some" ? Duration.toMillis(decoded.value) : Number.NaN
    return millis >= 0 && (infinite || Number.isFinite(millis)) ?
      Effect.succeed(millis) :
      Effect.fail(new InvalidPolicy({ field, value, expected: remedy(infinite) }))
  })

/** Fills in the defaults and looks at every field. */
export const resolve = (policy: Policy): Effect.Effect<ResolvedPolicy, InvalidPolicy> => {
  const idleGrace = policy.idleGrace ?? defaultPolicy.idleGrace
  return Effect.all({
    lameDuck: duration("lameDuck", policy.lameDuck ?? defaultPolicy.lameDuck),
    timeout: duration("timeout", policy.timeout ?? defaultPolicy.timeout, { infinite: true }),
    killTimeout: duration("killTimeout", policy.killTimeout ?? defaultPolicy.killTimeout),
    newConnectionGrace: duration("newConnectionGrace", policy.newConnectionGrace ?? defaultPolicy.newConnectionGrace),
    idleGrace: idleGrace === "promised" ? Effect.succeed(idleGrace) : Effect.mapError(
      duration("idleGrace", idleGrace),
      ({ expected, field, value }) => new InvalidPolicy({ field, value, expected: `"promised", or ${expected}` })
    ),
    pollSchedule: Effect.succeed(policy.pollSchedule ?? defaultPolicy.pollSchedule)
  })
}
