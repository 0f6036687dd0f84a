import { assert, describe, expect, it } from "@effect/vitest"
import { Config, Duration, Effect } from "effect"
import { Server, Shutdown } from "../../../src/index.js"
import { providerOf, textOf, withProvider } from "../../support/effect/configProviders.js"

const millis = (policy: Shutdown.Policy) =>
  Duration.toMillis(policy.lameDuck ?? 0) + Duration.toMillis(policy.timeout ?? 0)
  + Duration.toMillis(policy.killTimeout ?? 0)

describe("presets", () => {
  const presets: ReadonlyArray<readonly [string, Shutdown.Policy, number]> = [
    ["kubernetes", Shutdown.kubernetes(), 30_000],
    ["kubernetes of a minute", Shutdown.kubernetes({ terminationGracePeriod: "1 minute", lameDuck: 0 }), 60_000],
    ["docker", Shutdown.docker(), 10_000],
    ["docker of 30 seconds", Shutdown.docker({ stopTimeout: "30 seconds" }), 30_000],
    ["docker behind a load balancer", Shutdown.docker({ lameDuck: "4 seconds" }), 10_000],
    ["systemd", Shutdown.systemd(), 90_000],
    ["systemd behind a load balancer", Shutdown.systemd({ lameDuck: "5 seconds" }), 90_000],
    ["systemd of 20 seconds", Shutdown.systemd({ timeoutStop: "20 seconds" }), 20_000]
  ]
  for (const [name, preset, allowed] of presets) {
    it.scoped(`${name}: all phases and a second more are what the supervisor allows`, () =>
      Effect.gen(function*() {
        const { close } = yield* Server.make(preset)
        yield* close
        assert.strictEqual(millis(preset) + 1000, allowed)
      }))
  }

  it("kubernetes serves on for 5 seconds and waits out the promise", () =>
    expect(Shutdown.kubernetes()).toEqual({
      lameDuck: 5000,
      timeout: 23_000,
      killTimeout: 1000,
      idleGrace: "keepAliveTimeout"
    }))

  it("docker has the default policy's numbers", () => {
    const { killTimeout, lameDuck, timeout } = Shutdown.defaultPolicy
    assert.strictEqual(millis(Shutdown.docker()), millis({ killTimeout, lameDuck, timeout }))
  })

  const refused: ReadonlyArray<readonly [string, () => Shutdown.Policy, string]> = [
    [
      "a period without room for the promise",
      () => Shutdown.kubernetes({ terminationGracePeriod: "12 seconds" }),
      "terminationGracePeriod is \"12 seconds\", and must be 13s or more: 5s of lame duck, 6s of draining, "
      + "1s of killTimeout and 1s for the release of everything else"
    ],
    [
      "a longer promise",
      () => Shutdown.kubernetes({ terminationGracePeriod: "30 seconds", keepAliveTimeout: "75 seconds" }),
      "terminationGracePeriod is \"30 seconds\", and must be 1m 23s or more"
    ],
    [
      "a period in seconds, without its unit",
      () => Shutdown.kubernetes({ terminationGracePeriod: 30 }),
      "terminationGracePeriod is 30, and must be 13s or more: 5s of lame duck, 6s of draining, 1s of killTimeout and 1s "
      + "for the release of everything else. A number is milliseconds: write \"30 seconds\" if that is meant"
    ],
    ["a stop timeout of a second", () => Shutdown.docker({ stopTimeout: 1000 }), "stopTimeout is 1000, and must be 2s"],
    [
      "a lame duck that leaves no time",
      () => Shutdown.docker({ lameDuck: "20 seconds" }),
      "stopTimeout is 10s, and must be 22s or more: 20s of lame duck"
    ],
    ["a negative one", () => Shutdown.docker({ stopTimeout: -1 }), "stopTimeout is -1, and must be a duration"],
    ["one without an end", () => Shutdown.systemd({ timeoutStop: Duration.infinity }), "timeoutStop is Infinity"],
    [
      "a negative one with a unit",
      () => Shutdown.kubernetes({ lameDuck: "-5 seconds" }),
      "lameDuck is \"-5 seconds\", and must be a duration"
    ],
    [
      "what is no duration",
      () => Shutdown.kubernetes(JSON.parse(`{ "terminationGracePeriod": "30s" }`)),
      "terminationGracePeriod is \"30s\", and must be a duration"
    ],
    [
      "null",
      () => Shutdown.docker(JSON.parse(`{ "stopTimeout": null }`)),
      "stopTimeout is null, and must be a duration"
    ]
  ]
  for (const [what, make, message] of refused) {
    it(`refuses ${what}`, () => {
      let error: unknown
      try {
        make()
      } catch (cause) {
        error = cause
      }
      assert(error instanceof Shutdown.InvalidPolicy)
      assert.include(error.message, message)
    })
  }
})

describe("the policy from the configuration", () => {
  const read = (values: Readonly<Record<string, string>>, defaults?: Shutdown.Policy) =>
    withProvider(providerOf(values))(Shutdown.config(defaults))

  it.effect("reads every field", () =>
    Effect.gen(function*() {
      const policy = yield* read({
        SHUTDOWN_LAME_DUCK: "5 seconds",
        SHUTDOWN_TIMEOUT: "infinity",
        SHUTDOWN_KILL_TIMEOUT: "1500",
        SHUTDOWN_NEW_CONNECTION_GRACE: "0",
        SHUTDOWN_IDLE_GRACE: "keepAliveTimeout",
        SHUTDOWN_END_EVENT_STREAMS: "false",
        SHUTDOWN_EVENT_STREAM_RETRY: "3 seconds",
        SHUTDOWN_SPREAD: "4 seconds",
        SHUTDOWN_WEB_SOCKET_CODE: "1012",
        SHUTDOWN_WEB_SOCKET_REASON: "restart",
        SHUTDOWN_WEB_SOCKET_MESSAGE: `{"type":"bye"}`,
        SHUTDOWN_WEB_SOCKET_GRACE: "500 millis"
      })
      expect(policy).toEqual({
        lameDuck: Duration.seconds(5),
        timeout: Duration.infinity,
        killTimeout: Duration.millis(1500),
        newConnectionGrace: Duration.zero,
        idleGrace: "keepAliveTimeout",
        endEventStreams: false,
        eventStreamRetry: Duration.seconds(3),
        spread: Duration.seconds(4),
        webSocket: { code: 1012, reason: "restart", message: `{"type":"bye"}`, grace: Duration.millis(500) },
        pollSchedule: undefined
      })
    }))

  it.effect("takes each field of webSocket that is not set from the defaults", () =>
    Effect.gen(function*() {
      const policy = yield* read({ SHUTDOWN_WEB_SOCKET_GRACE: "1 second" }, { webSocket: { code: 1012, grace: 0 } })
      expect(policy.webSocket).toEqual({ code: 1012, grace: Duration.seconds(1) })
      expect((yield* read({})).webSocket).toBeUndefined()
    }))

  it.effect("takes what is not set from the defaults", () =>
    Effect.gen(function*() {
      const policy = yield* read({ SHUTDOWN_TIMEOUT: "20 seconds" }, Shutdown.kubernetes())
      expect(policy).toMatchObject({ ...Shutdown.kubernetes(), timeout: Duration.seconds(20) })
    }))

  const bad: ReadonlyArray<readonly [string, string]> = [
    ["SHUTDOWN_LAME_DUCK", "-5 seconds"],
    ["SHUTDOWN_LAME_DUCK", "infinity"],
    ["SHUTDOWN_TIMEOUT", "soon"],
    ["SHUTDOWN_TIMEOUT", "keepAliveTimeout"],
    ["SHUTDOWN_KILL_TIMEOUT", "-1"],
    ["SHUTDOWN_NEW_CONNECTION_GRACE", "1 fortnight"],
    ["SHUTDOWN_IDLE_GRACE", "infinity"],
    ["SHUTDOWN_END_EVENT_STREAMS", "maybe"],
    ["SHUTDOWN_EVENT_STREAM_RETRY", "infinity"],
    ["SHUTDOWN_SPREAD", "-1"],
    ["SHUTDOWN_WEB_SOCKET_CODE", "going away"],
    ["SHUTDOWN_WEB_SOCKET_GRACE", "a while"]
  ]
  for (const [name, value] of bad) {
    it.effect(`${name}=${JSON.stringify(value)} is an error that names it`, () =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(read({ [name]: value }))
        assert.include(textOf(error), name)
      }))
  }

  it.effect("a setting that is empty is an error that names it", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(read({ SHUTDOWN_IDLE_GRACE: "" }))
      assert.include(textOf(error), "SHUTDOWN_IDLE_GRACE")
    }))

  it.scoped("is one that a server can be made with", () =>
    Effect.gen(function*() {
      const policy = yield* withProvider(providerOf({}))(
        Config.all([Shutdown.config(Shutdown.docker()), Config.succeed(0)])
      )
      yield* Server.make(policy[0])
    }))
})
