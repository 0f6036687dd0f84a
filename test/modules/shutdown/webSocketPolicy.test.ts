/** What a policy for long connections cannot be. */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { Server, Shutdown } from "../../../src/index.js"

type Case = readonly [policy: unknown, field: string, message: string]

const codes = "1000 to 1003, 1007 to 1014, or 3000 to 4999"

const wrong: ReadonlyArray<Case> = [
  ...[1005, 1006, 999, 1015, 2999, 5000, 1001.5, "1001", null].map((code): Case => [
    { webSocket: { code } },
    "webSocket.code",
    codes
  ]),
  [{ webSocket: { reason: "é".repeat(62) } }, "webSocket.reason", "123 bytes of UTF-8 at the most"],
  [{ webSocket: { reason: 1001 } }, "webSocket.reason", "webSocket.reason is 1001, and must be a text"],
  [{ webSocket: { message: { type: "bye" } } }, "webSocket.message", "a text, or a Uint8Array"],
  [{ webSocket: { grace: -1 } }, "webSocket.grace", "a duration of 0 or more, and finite"],
  [{ webSocket: { grace: null } }, "webSocket.grace", "a duration of 0 or more, and finite"],
  [{ webSocket: { grace: "5 seconds" } }, "webSocket.grace", "half of timeout at the most (4s)"],
  [{ webSocket: { cod: 1001 } }, "cod of webSocket", `did you mean "code"?`],
  [{ webSocket: null }, "webSocket", "an object of options, such as { code: "],
  [{ webSocket: 1001 }, "webSocket", "an object of options, such as { code: "],
  [{ spread: "5 seconds" }, "spread", "4s at the most: lameDuck (0s) and half of timeout (4s), so that"],
  [
    { spread: "8 seconds", lameDuck: "5 seconds", webSocket: { grace: "2 seconds" } },
    "spread",
    "7s at the most: lameDuck (5s) and half of timeout (4s), less webSocket.grace (2s), so that"
  ]
]

describe("what cannot be", () => {
  it.scoped("is an InvalidPolicy that names the field, the value and what would be right", () =>
    Effect.gen(function*() {
      for (const [policy, field, message] of wrong) {
        const error = yield* Effect.flip(Server.make(policy as Shutdown.Policy))
        expect(error, JSON.stringify(policy)).toBeInstanceOf(Shutdown.InvalidPolicy)
        expect(error, JSON.stringify(policy)).toMatchObject({ field })
        expect(error.message).toContain(message)
      }
    }))
})

const right: ReadonlyArray<Shutdown.Policy> = [
  ...[1000, 1001, 1003, 1007, 1012, 1014, 3000, 4999].map((code) => ({ webSocket: { code } })),
  { webSocket: { reason: "é".repeat(61), message: new Uint8Array([1]), grace: "4 seconds" } },
  { webSocket: { reason: "", message: "", code: undefined, grace: undefined } },
  { webSocket: undefined, spread: undefined, eventStreamRetry: undefined },
  { spread: "4 seconds" },
  { spread: "7 seconds", lameDuck: "5 seconds", webSocket: { grace: "2 seconds" } },
  { spread: "1 hour", timeout: Number.POSITIVE_INFINITY },
  { ...Shutdown.kubernetes(), spread: "5 seconds" }
]

it.scoped("what can be is taken", () =>
  Effect.gen(function*() {
    const reports = yield* Effect.forEach(right, (policy) =>
      // no lame duck is waited for
      Effect.flatMap(Server.make(policy), (server) => server.close))
    expect(reports).toHaveLength(right.length)
  }))
