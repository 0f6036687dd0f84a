import { describe, expect, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { Server, Shutdown } from "../../../src/index.js"

// What Effect 4 alone takes for a duration: an object of units. It also has negative ones, which Effect 3 has not.

const durations: ReadonlyArray<readonly [Duration.Input, millis: number]> = [
  [{ seconds: 5 }, 5000],
  [{ minutes: 1, seconds: 5, milliseconds: 2 }, 65_002],
  [{ seconds: 0 }, 0],
  [{ seconds: undefined, milliseconds: 7 }, 7]
]

/** As objects of `Temporal` have them: none is a field of its own. */
const temporal = (units: Readonly<Record<string, number>>): object => Object.create(units) as object

const wrong: ReadonlyArray<unknown> = [
  { seconds: -1 },
  { minutes: 1, seconds: -1 },
  { seconds: Number.NaN },
  { seconds: "5" },
  { seconds: undefined },
  temporal({ months: 1, seconds: 5 }),
  new Map([["seconds", 5]]),
  Duration.millis(-1),
  Duration.negativeInfinity,
  "-Infinity"
]

describe("an object of units", () => {
  it.effect("is a duration, wherever one is taken", () =>
    Effect.gen(function*() {
      for (const [killTimeout, millis] of durations) {
        const server = yield* Server.make({ killTimeout })
        yield* server.onShutdown("flush", Effect.void, { timeout: killTimeout })
        yield* server.close
        expect(Shutdown.docker({ stopTimeout: "1 hour", lameDuck: killTimeout }).lameDuck).toBe(millis)
      }
      const server = yield* Server.make({ killTimeout: temporal({ months: 0, seconds: 5 }) as Duration.Input })
      yield* server.close
    }))

  it.effect("is an InvalidPolicy where it is none, or less than nothing", () =>
    Effect.gen(function*() {
      for (const value of wrong) {
        const error = yield* Effect.flip(Server.make({ timeout: value as Duration.Input }))
        expect(error).toMatchObject({ _tag: "InvalidPolicy", field: "timeout", value })
        expect(() => Shutdown.docker({ lameDuck: value as Duration.Input })).toThrow(Shutdown.InvalidPolicy)
      }
    }))
})
