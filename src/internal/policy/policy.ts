import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { InvalidPolicy } from "../model/errors.js"
import type { Policy } from "../model/policy.js"
import { formatted } from "../model/text.js"
import { defaultPolicy } from "./defaults.js"
import { duration } from "./durations.js"
import { type ResolvedWebSocket, resolveWebSocket } from "./webSocket.js"

export { duration }

/** A policy whose every field was looked at, in whole milliseconds. */
export interface ResolvedPolicy {
  readonly lameDuck: number
  /** `Infinity` is no deadline. */
  readonly timeout: number
  readonly killTimeout: number
  readonly newConnectionGrace: number
  readonly idleGrace: number | "keepAliveTimeout"
  readonly endEventStreams: boolean
  /** 0 says nothing. */
  readonly eventStreamRetry: number
  readonly spread: number
  readonly webSocket: ResolvedWebSocket
  readonly pollSchedule: Schedule.Schedule<unknown>
}

const boolean = (field: string, value: boolean): Effect.Effect<boolean, InvalidPolicy> =>
  // checked for those who write no types
  typeof value === "boolean" ? Effect.succeed(value) : new InvalidPolicy({ field, value, expected: "true or false" })

const schedule = (field: string, value: Schedule.Schedule<unknown>) =>
  Schedule.isSchedule(value)
    ? Effect.succeed(value)
    : new InvalidPolicy({ field, value, expected: `a Schedule, such as Schedule.spaced("100 millis")` })

/** The least allowance that is made for a promise: in less, not even one of 0 seconds could be waited out. */
export const promiseMillis = 1000

/** Fills in the defaults and looks at every field. */
export const resolve = (policy: Policy): Effect.Effect<ResolvedPolicy, InvalidPolicy> => {
  // `null` is a mistake, and not a field that was left out
  const given = <K extends keyof typeof defaultPolicy>(field: K): NonNullable<Policy[K]> => {
    const value = policy[field]
    return value === undefined ? defaultPolicy[field] : value
  }
  const idleGrace = given("idleGrace")
  return Effect.all({
    lameDuck: duration("lameDuck", given("lameDuck")),
    timeout: duration("timeout", given("timeout"), { infinite: true }),
    killTimeout: duration("killTimeout", given("killTimeout")),
    newConnectionGrace: duration("newConnectionGrace", given("newConnectionGrace")),
    idleGrace: idleGrace === "keepAliveTimeout" ? Effect.succeed(idleGrace) : Effect.mapError(
      duration("idleGrace", idleGrace),
      ({ expected, field, value }) =>
        new InvalidPolicy({ field, value, expected: `"keepAliveTimeout", or ${expected}` })
    ),
    endEventStreams: boolean("endEventStreams", given("endEventStreams")),
    eventStreamRetry: duration("eventStreamRetry", given("eventStreamRetry")),
    spread: duration("spread", given("spread")),
    webSocket: resolveWebSocket(given("webSocket")),
    pollSchedule: schedule("pollSchedule", given("pollSchedule"))
  }).pipe(
    Effect.filterOrFail(
      ({ idleGrace, timeout }) => idleGrace !== "keepAliveTimeout" || timeout >= promiseMillis,
      () =>
        new InvalidPolicy({
          field: "timeout",
          value: policy.timeout,
          expected:
            `1 second or more, because idleGrace is "keepAliveTimeout"; so that it does not cut the grace short, the `
            + `keepAliveTimeout of the Node server and a second (with Node's default: 6 seconds)`
        })
    ),
    Effect.tap(fitsInTime)
  )
}

/** Whoever is told last has half of `timeout` to leave. */
const fitsInTime = ({ lameDuck, spread, timeout, webSocket: { grace } }: ResolvedPolicy) => {
  const half = timeout / 2
  if (grace > half) {
    return new InvalidPolicy({
      field: "webSocket.grace",
      value: Duration.millis(grace),
      expected: `half of timeout at the most (${print(half)}), so that peers have the other half to leave`
    })
  }
  if (spread <= lameDuck + half - grace) return Effect.void
  return new InvalidPolicy({
    field: "spread",
    value: Duration.millis(spread),
    expected: `${print(lameDuck + half - grace)} at the most: lameDuck (${print(lameDuck)}) and half of timeout `
      + `(${print(half)})${grace === 0 ? "" : `, less webSocket.grace (${print(grace)})`}, `
      + `so that whoever is told last has the other half to leave`
  })
}

const print = (millis: number): string => millis === 0 ? "0s" : formatted(Duration.millis(Math.floor(millis)))
