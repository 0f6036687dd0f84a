import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { describe, expect, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/TestClock"
import { makeApp, makeGate, servingHeld } from "../../support/handlers.js"
import { answer, client, ended, get, plain, remoteAddress, send, serving, until } from "../../support/running.js"

// Pins internal/node: end, requestDestroy

// Handlers that hang, die, ignore interruption, or hang in their finalizers: the shutdown ends in its bound, and the
// report says what happened.

const policy = { timeout: "10 seconds", killTimeout: "2 seconds" } as const

const durations = (draining: number, killing: number) => ({
  startedAt: 0,
  duration: Duration.seconds(draining + killing),
  lameDuck: Duration.zero,
  draining: Duration.seconds(draining),
  killing: Duration.seconds(killing)
})

/** The deadline has interrupted a handler, whose finalizer waits at the gate. */
const inFinalizer = Effect.gen(function*() {
  const { app, gate } = makeApp()
  const running = yield* serving(app, policy)
  const raw = yield* client(running.target)
  yield* send(raw, get("/finalizer"))
  yield* until("the request", () => Effect.runSync(running.server.connections)[0]?.state === "Active")
  yield* running.drain
  yield* TestClock.adjust("10 seconds")
  yield* gate.untilStarted(1)
  return { gate, raw, running }
})

describe("a handler at the deadline", () => {
  it.scoped("that hangs is interrupted, and its client gets a 503", () =>
    Effect.gen(function*() {
      const { gate, held: raw, running } = yield* servingHeld(policy)
      yield* running.drain
      yield* TestClock.adjust("10 seconds")
      expect(yield* running.report).toEqual({
        ...durations(10, 0),
        outcome: "DeadlineExceeded",
        served: 0,
        connections: { open: 1, accepted: 0, completed: 1, idleClosed: 0, cut: 0 },
        cut: [{
          connection: 1,
          remoteAddress: remoteAddress(raw),
          method: "GET",
          path: "/hold",
          age: Duration.seconds(10),
          clientReceived: "503"
        }],
        forceClosed: [],
        endedStreams: [],
        handlers: { interrupted: 1, abandoned: 0 },
        hooks: [],
        background: []
      })
      expect(yield* answer(raw)).toMatchObject({ status: 503, connection: "close" })
      expect(gate.interrupted).toBe(1)
    }))

  it.scoped("that ignores interruption is cut after the kill timeout, with a 503 on its behalf, and left behind", () =>
    Effect.gen(function*() {
      const { gate, held: raw, running } = yield* servingHeld(policy, "/stubborn")
      yield* running.drain
      yield* TestClock.adjust("11999 millis")
      expect(raw.bytes).toBe(0)
      yield* TestClock.adjust("1 millis")
      expect(yield* running.report).toEqual({
        ...durations(10, 2),
        outcome: "DeadlineExceeded",
        served: 0,
        connections: { open: 1, accepted: 0, completed: 0, idleClosed: 0, cut: 1 },
        cut: [{
          connection: 1,
          remoteAddress: remoteAddress(raw),
          method: "GET",
          path: "/stubborn",
          age: Duration.seconds(12),
          clientReceived: "503"
        }],
        forceClosed: [],
        endedStreams: [],
        handlers: { interrupted: 1, abandoned: 1 },
        hooks: [],
        background: []
      })
      expect(yield* answer(raw)).toMatchObject({ status: 503, connection: "close" })
      // what it says later goes nowhere, and throws nowhere
      yield* gate.open
      yield* until("the end of the handler", () => gate.passed === 1)
      expect(raw.parsed().responses).toHaveLength(1)
    }))

  it.scoped("that is a plain, uninterruptible HttpApp may still answer within the kill timeout", () =>
    Effect.gen(function*() {
      const gate = makeGate()
      const running = yield* serving(Effect.as(gate.pass, HttpServerResponse.text("in time")), policy)
      const raw = yield* client(running.target)
      yield* send(raw, get("/"))
      yield* gate.untilStarted(1)
      yield* running.drain
      yield* TestClock.adjust("11 seconds")
      yield* gate.open
      expect(yield* answer(raw)).toEqual({ status: 200, body: "in time", connection: "close" })
      expect(yield* running.report).toEqual({
        ...durations(10, 1),
        outcome: "Drained",
        served: 1,
        connections: { open: 1, accepted: 0, completed: 1, idleClosed: 0, cut: 0 },
        cut: [],
        forceClosed: [],
        endedStreams: [],
        handlers: { interrupted: 1, abandoned: 0 },
        hooks: [],
        background: []
      })
    }))

  it.scoped("whose finalizer hangs is cut after the kill timeout", () =>
    Effect.gen(function*() {
      const { raw, running } = yield* inFinalizer
      yield* TestClock.adjust("2 seconds")
      const report = yield* running.report
      expect(report).toMatchObject({
        ...durations(10, 2),
        outcome: "DeadlineExceeded",
        handlers: { interrupted: 1, abandoned: 1 },
        cut: [{ path: "/finalizer", clientReceived: "503", age: Duration.seconds(12) }]
      })
      expect((yield* answer(raw)).status).toBe(503)
    }))

  it.scoped("whose finalizer takes its time is waited for", () =>
    Effect.gen(function*() {
      const { gate, raw, running } = yield* inFinalizer
      yield* TestClock.adjust("1 second")
      yield* gate.open
      const report = yield* running.report
      expect(report).toMatchObject({ ...durations(10, 1), handlers: { interrupted: 1, abandoned: 0 } })
      expect(report.cut).toMatchObject([{ path: "/finalizer", clientReceived: "503" }])
      expect((yield* answer(raw)).status).toBe(503)
    }))

  it.scoped("that streams is cut short, and the client can tell", () =>
    Effect.gen(function*() {
      const { held: raw, running } = yield* servingHeld(policy, "/stream")
      yield* Effect.promise(() => raw.untilText("first", 15_000))
      yield* running.drain
      yield* TestClock.adjust("10 seconds")
      const report = yield* running.report
      expect(report).toMatchObject({ ...durations(10, 0), handlers: { interrupted: 1, abandoned: 0 } })
      expect(report.cut).toMatchObject([{ path: "/stream", clientReceived: "truncated", age: Duration.seconds(10) }])
      yield* ended(raw)
      const [response] = raw.parsed().responses
      expect(response).toMatchObject({ status: 200, complete: false })
      expect(response?.body.toString()).toBe("first ")
    }))

  it.scoped("of a plain Node server, which cannot be interrupted, is cut after the kill timeout", () =>
    Effect.gen(function*() {
      const running = yield* plain((request, response) => {
        if (request.url === "/begun") response.write("begun")
      }, policy)
      const silent = yield* client(running.target)
      const begun = yield* client(running.target)
      yield* send(silent, get("/silent"))
      yield* until(
        "the first",
        () => Effect.runSync(running.server.connections).some(({ state }) => state === "Active")
      )
      yield* send(begun, get("/begun"))
      yield* Effect.promise(() => begun.untilText("begun", 15_000))
      yield* running.drain
      yield* TestClock.adjust("12 seconds")
      const report = yield* running.report
      expect(report).toMatchObject({
        ...durations(10, 2),
        outcome: "DeadlineExceeded",
        connections: { open: 2, accepted: 0, completed: 0, idleClosed: 0, cut: 2 },
        handlers: { interrupted: 0, abandoned: 0 }
      })
      expect(report.cut.map(({ clientReceived, path }) => [path, clientReceived])).toEqual([["/silent", "503"], [
        "/begun",
        "truncated"
      ]])
      expect((yield* answer(silent)).status).toBe(503)
      yield* ended(begun)
      expect(begun.parsed().responses[0]?.complete).toBe(false)
    }))
})

describe("a handler that dies", () => {
  it.scoped("is answered with 500, before and during a drain, and is no failure of the shutdown", () =>
    Effect.gen(function*() {
      const { app, gate } = makeApp()
      const running = yield* serving(app, { ...policy, idleGrace: "10 seconds" })
      const raw = yield* client(running.target)
      yield* send(raw, get("/die"))
      expect(yield* answer(raw)).toMatchObject({ status: 500, connection: "keep-alive" })
      const held = yield* client(running.target)
      yield* send(held, get("/hold"))
      yield* gate.untilStarted(1)
      yield* running.drain
      yield* send(raw, get("/die"))
      const second = (yield* Effect.promise(() => raw.untilResponses(2, 15_000))).responses[1]
      expect(second).toMatchObject({ status: 500, headers: { connection: "close" } })
      yield* gate.open
      expect(yield* running.report).toMatchObject({ outcome: "Drained", served: 2, cut: [] })
    }))
})
