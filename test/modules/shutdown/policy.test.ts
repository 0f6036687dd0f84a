import { describe, expect, it } from "@effect/vitest"
import * as Config from "effect/Config"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Schedule from "effect/Schedule"
import * as TestClock from "effect/TestClock"
import { createServer } from "node:http"
import { NodeHttpServer, Server, Shutdown } from "../../../src/index.js"
import { isConfigError, layerProvider, providerOf, textOf, withProvider } from "../../support/effect/configProviders.js"
import { makeApp } from "../../support/handlers.js"
import { client, get, launch, send, serving, untilPhase } from "../../support/running.js"

const wrong: ReadonlyArray<readonly [what: string, value: unknown, printed: string]> = [
  ["negative", -1, "-1"],
  ["not a number", Number.NaN, "NaN"],
  ["infinite", Number.POSITIVE_INFINITY, "Infinity"],
  ["negative infinite", Number.NEGATIVE_INFINITY, "-Infinity"],
  ["an infinite duration", Duration.infinity, "Infinity"],
  ["a negative bigint", -1n, "-1"],
  ["a negative text", "-1 seconds", "\"-1 seconds\""],
  ["no duration", "soon", "\"soon\""],
  ["without a unit", "5", "\"5\""],
  ["empty", "", "\"\""],
  ["an unknown unit", "5 fortnights", "\"5 fortnights\""],
  ["a negative part", [1, -1], "[1,-1]"],
  ["an object without a unit", {}, "{}"],
  ["an object with an unknown unit", { second: 5 }, `{"second":5}`],
  ["an object that has more", { seconds: 5, second: 5 }, `{"seconds":5,"second":5}`],
  ["a date", new Date(0), `"1970-01-01T00:00:00.000Z"`],
  ["a part of an array too many", [1, 2, 3], "[1,2,3]"],
  ["null", null, "null"]
]

const fields = [
  "lameDuck",
  "timeout",
  "killTimeout",
  "newConnectionGrace",
  "idleGrace",
  "eventStreamRetry",
  "spread"
] as const

const policyOf = (field: string, value: unknown): Shutdown.Policy => ({ [field]: value })

/** What is wrong in a field: `timeout` alone may be infinite. */
const wrongIn = (field: string) =>
  wrong.filter(([, value]) =>
    field !== "timeout" || !(value === Number.POSITIVE_INFINITY || value === Duration.infinity)
  )

describe("a duration that cannot be", () => {
  for (const field of fields) {
    it.scoped(`is an InvalidPolicy of ${field}, which names the field, the value and what would be right`, () =>
      Effect.gen(function*() {
        for (const [what, value, printed] of wrongIn(field)) {
          const error = yield* Effect.flip(Server.make(policyOf(field, value)))
          expect(error, what).toBeInstanceOf(Shutdown.InvalidPolicy)
          expect(error, what).toMatchObject({ _tag: "InvalidPolicy", field, value })
          expect(error.message, what).toContain(`${field} is ${printed}, and must be `)
          expect(error.message, what).toContain("a duration of 0 or more")
          expect(error.message.includes("\"keepAliveTimeout\""), what).toBe(field === "idleGrace")
        }
      }))
  }

  it.scoped("is an InvalidPolicy of a hook's limit, which names the hook", () =>
    Effect.gen(function*() {
      const server = yield* Server.make()
      for (const [what, value] of wrong) {
        const timeout = value as Duration.DurationInput
        const error = yield* Effect.flip(server.onShutdown("flush", Effect.void, { timeout }))
        expect(error, what).toMatchObject({ _tag: "InvalidPolicy", field: "timeout of the hook \"flush\"", value })
      }
      // none of them was registered
      expect((yield* server.shutdown).hooks).toEqual([])
    }))

  it.scoped("is an InvalidPolicy of timeout where it is too short for any promise that idleGrace keeps", () =>
    Effect.gen(function*() {
      for (const timeout of [0, 999, "900 millis", Duration.millis(500)] as const) {
        const error = yield* Effect.flip(Server.make({ idleGrace: "keepAliveTimeout", timeout }))
        expect(error).toMatchObject({ _tag: "InvalidPolicy", field: "timeout", value: timeout })
        expect(error.message).toContain(
          "must be 1 second or more, because idleGrace is \"keepAliveTimeout\""
        )
      }
    }))

  it.effect("fails Server.layer", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(Effect.scoped(Layer.build(Server.layer({ killTimeout: -5 }))))
      expect(error).toMatchObject({ _tag: "InvalidPolicy", field: "killTimeout", value: -5 })
    }))

  it.effect("fails Server.layerConfig: with ConfigError where it cannot be read, with InvalidPolicy where it is wrong", () =>
    Effect.gen(function*() {
      const layer = Server.layerConfig({ timeout: Config.duration("SHUTDOWN_TIMEOUT") })
      const build = (value: string) =>
        Effect.flip(Effect.scoped(Layer.build(layer))).pipe(
          withProvider(providerOf({ SHUTDOWN_TIMEOUT: value }))
        )
      const malformed = yield* build("soon")
      expect(isConfigError(malformed)).toBe(true)
      expect(textOf(malformed)).toContain("SHUTDOWN_TIMEOUT")
      const number = Server.layerConfig({ killTimeout: Config.number("KILL") })
      const negative = yield* Effect.flip(Effect.scoped(Layer.build(number))).pipe(
        withProvider(providerOf({ KILL: "-1" }))
      )
      expect(negative).toMatchObject({ _tag: "InvalidPolicy", field: "killTimeout", value: -1 })
    }))

  it.effect("fails NodeHttpServer.layer with a ServeError that has its cause and its message, and does not bind", () =>
    Effect.gen(function*() {
      let made = 0
      const layer = NodeHttpServer.layer(() => {
        made++
        return createServer()
      }, { port: 0, host: "127.0.0.1", idleGrace: "whenever" as Duration.DurationInput })
      const error = yield* Effect.flip(Effect.scoped(Layer.build(layer)))
      expect(error._tag).toBe("ServeError")
      expect(error.cause).toMatchObject({ _tag: "InvalidPolicy", field: "idleGrace", value: "whenever" })
      expect(error.message).toBe((error.cause as Shutdown.InvalidPolicy).message)
      expect(made).toBe(0)
    }))

  it.effect("fails NodeHttpServer.layerConfig in both ways", () =>
    Effect.gen(function*() {
      const layer = NodeHttpServer.layerConfig(() => createServer(), {
        port: Config.succeed(0),
        host: Config.succeed("127.0.0.1"),
        timeout: Config.duration("TIMEOUT"),
        killTimeout: Config.number("KILL")
      })
      const build = (timeout: string, kill: string) =>
        Effect.flip(Effect.scoped(Layer.build(layer))).pipe(
          withProvider(providerOf({ TIMEOUT: timeout, KILL: kill }))
        )
      expect(isConfigError(yield* build("5 fortnights", "1"))).toBe(true)
      expect(yield* build("5 seconds", "-1")).toMatchObject({
        _tag: "ServeError",
        cause: { _tag: "InvalidPolicy", field: "killTimeout", value: -1 }
      })
    }))
})

describe("a poll schedule that is none", () => {
  it.scoped("is an InvalidPolicy, which names the field and what would be right", () =>
    Effect.gen(function*() {
      for (const value of [null, [], [100], {}, 100, "1 second", false, () => Schedule.forever]) {
        const error = yield* Effect.flip(Server.make(policyOf("pollSchedule", value)))
        expect(error).toMatchObject({ _tag: "InvalidPolicy", field: "pollSchedule", value })
        expect(error.message).toMatch(
          /^pollSchedule is .*, and must be a Schedule, such as Schedule\.spaced\("100 millis"\)$/
        )
      }
    }))
})

/** Made, and closed at once: a lame duck would otherwise wait for the clock. */
const accepted = (policy: Shutdown.Policy) =>
  Effect.scoped(Effect.flatMap(Server.make(policy), (server) => server.close))

describe("a duration that can be", () => {
  it.effect("is accepted: every kind of input, in every field", () =>
    Effect.gen(function*() {
      for (const field of fields) {
        for (const value of [0, 1.5, 10n, "5 seconds", [1, 500_000_000], Duration.minutes(1), undefined]) {
          // a spread may not take longer than there is time for it
          const room: Shutdown.Policy = field === "spread" ? { lameDuck: "1 minute" } : {}
          yield* accepted({ ...room, ...policyOf(field, value) })
        }
      }
      yield* accepted({ idleGrace: "keepAliveTimeout" })
      yield* accepted({ idleGrace: "keepAliveTimeout", timeout: "1 second" })
      yield* accepted({ idleGrace: "keepAliveTimeout", timeout: Duration.infinity })
      yield* accepted(Shutdown.defaultPolicy)
      yield* accepted(Shutdown.goPolicy)
    }))

  it.effect("may be infinite for the timeout alone", () =>
    Effect.gen(function*() {
      yield* accepted({ timeout: Duration.infinity })
      yield* accepted({ timeout: Number.POSITIVE_INFINITY })
    }))

  it.scoped("counts a part of a millisecond as a whole one", () =>
    Effect.gen(function*() {
      for (const lameDuck of [1.1, "1500 micros", 1_200_000n, Duration.micros(1001n)] as const) {
        const running = yield* launch(Server.layer({ lameDuck }), () => ({ port: 0 }))
        yield* running.interrupt
        yield* untilPhase(running.server, "LameDuck")
        yield* TestClock.adjust(2)
        expect(yield* running.report).toMatchObject({ lameDuck: Duration.millis(2), duration: Duration.millis(2) })
      }
    }))

  it.scoped("bounds a drain with a deadline that has a part of a millisecond", () =>
    Effect.gen(function*() {
      const { app, gate } = makeApp()
      const running = yield* serving(app, { timeout: 20.001, killTimeout: 1.7, pollSchedule: Schedule.stop })
      yield* send(yield* client(running.target), get("/hold"))
      yield* gate.untilStarted(1)
      yield* running.drain
      yield* TestClock.adjust(21)
      expect(yield* running.report).toMatchObject({ outcome: "DeadlineExceeded", draining: Duration.millis(21) })
    }))

  it.scoped("is logged in whole milliseconds", () =>
    Effect.gen(function*() {
      const logs: Array<string> = []
      const logger = Logger.make(({ message }) => logs.push(String(message)))
      yield* Effect.gen(function*() {
        const running = yield* serving(makeApp().app, { lameDuck: 9.5, timeout: 19.5 })
        yield* running.interrupt
        yield* untilPhase(running.server, "LameDuck")
        yield* TestClock.adjust("1500 micros")
        yield* running.server.close
      }).pipe(Effect.provide(Logger.add(logger)))
      expect(logs).toEqual([
        "Shutting down: serving on for 10ms, then draining for up to 20ms; 0 connections open",
        "Shut down in 1ms (Closed): 0 requests answered since it began"
      ])
    }))

  it.scoped("is used as it was read from the configuration", () =>
    Effect.gen(function*() {
      const layer = Server.layerConfig({ lameDuck: Config.duration("LAME_DUCK") }).pipe(
        Layer.provide(layerProvider(providerOf({ LAME_DUCK: "90 seconds" })))
      )
      const running = yield* launch(layer, () => ({ port: 0 }))
      yield* running.interrupt
      yield* untilPhase(running.server, "LameDuck")
      yield* TestClock.adjust("90 seconds")
      expect(yield* running.report).toMatchObject({ lameDuck: Duration.seconds(90), duration: Duration.seconds(90) })
    }))
})
