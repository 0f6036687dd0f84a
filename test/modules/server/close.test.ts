import { describe, expect, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"
import { Server } from "../../../src/index.js"
import { makeApp, servingHeld } from "../../support/handlers.js"
import { connect } from "../../support/rawClient.js"
import {
  answer,
  client,
  ended,
  get,
  idleAfterOne,
  real,
  remoteAddress,
  send,
  serving,
  untilPhase
} from "../../support/running.js"

// `close` cuts everything now, in every phase.

/** A server with a connection that works and one that is idle. */
const busy = (policy: Parameters<typeof serving>[1] = {}) =>
  Effect.gen(function*() {
    const { gate, held, running } = yield* servingHeld(policy)
    const idle = yield* idleAfterOne(running.target)
    return { running, gate, held, idle }
  })

describe("close", () => {
  it.scoped("while Serving cuts what is open, interrupts handlers, and is no failure", () =>
    Effect.gen(function*() {
      const { gate, held, idle, running } = yield* busy({ lameDuck: "1 minute" })
      let ran = 0
      yield* running.server.onShutdown("count", Effect.sync(() => ran++))
      const report = yield* real("the report", running.server.close)
      expect(report).toEqual({
        outcome: "Closed",
        startedAt: 0,
        duration: Duration.zero,
        lameDuck: Duration.zero,
        draining: Duration.zero,
        killing: Duration.zero,
        served: 0,
        connections: { open: 2, accepted: 0, completed: 1, idleClosed: 0, cut: 1 },
        cut: [{
          connection: 1,
          remoteAddress: remoteAddress(held),
          method: "GET",
          path: "/hold",
          age: Duration.zero,
          clientReceived: "503"
        }],
        forceClosed: [{
          id: 2,
          state: "Idle",
          protocol: "http/1.1",
          secure: false,
          remoteAddress: remoteAddress(idle),
          connectedAt: 0,
          stateSince: 0,
          served: 1,
          inFlight: []
        }],
        endedStreams: [],
        handlers: { interrupted: 1, abandoned: 0 },
        hooks: [],
        background: []
      })
      expect(gate.interrupted).toBe(1)
      expect(ran).toBe(0)
      expect(yield* ended(idle)).toMatch(/fin|reset/)
      expect((yield* answer(held)).status).toBe(503)
      expect(yield* running.server.phase.get).toBe("Closed")
      expect((yield* Effect.promise(() => connect(running.target))).ending).toBe("refused")
      // no failure: what it cut it cut by choice
      expect(yield* running.server.shutdown).toBe(report)
    }))

  it.scoped("in the LameDuck ends that", () =>
    Effect.gen(function*() {
      const { running } = yield* busy({ lameDuck: "1 minute" })
      yield* running.interrupt
      yield* untilPhase(running.server, "LameDuck")
      yield* TestClock.adjust("10 seconds")
      const report = yield* real("the report", running.server.close)
      expect(report).toMatchObject({ outcome: "Closed", lameDuck: Duration.seconds(10), draining: Duration.zero })
      expect(yield* running.report).toBe(report)
    }))

  it.scoped("while Draining ends the shutdown, whose callers get its report and no failure", () =>
    Effect.gen(function*() {
      const { running } = yield* busy()
      const caller = yield* Effect.fork(running.server.shutdown)
      yield* untilPhase(running.server, "Draining")
      yield* TestClock.adjust("4 seconds")
      const report = yield* real("the report", running.server.close)
      expect(report).toMatchObject({
        outcome: "Closed",
        draining: Duration.seconds(4),
        killing: Duration.zero,
        cut: [{ path: "/hold", age: Duration.seconds(4), clientReceived: "503" }]
      })
      expect(yield* real("the caller", Fiber.join(caller))).toBe(report)
      expect(yield* running.stop).toBe(report)
    }))

  it.scoped("after the deadline cuts what the kill timeout would still wait for", () =>
    Effect.gen(function*() {
      const { app, gate } = makeApp()
      const running = yield* serving(app, { timeout: "1 second", killTimeout: "1 minute" })
      const raw = yield* client(running.target)
      yield* send(raw, get("/stubborn"))
      yield* gate.untilStarted(1)
      yield* running.drain
      yield* TestClock.adjust("2 seconds")
      const closing = yield* Effect.fork(running.server.close)
      expect((yield* answer(raw)).status).toBe(503)
      yield* gate.open
      const report = yield* real("the report", Fiber.join(closing))
      expect(report).toMatchObject({
        outcome: "Closed",
        killing: Duration.seconds(1),
        cut: [{ clientReceived: "503" }]
      })
    }))

  it.scoped("gives handlers the kill timeout for their finalizers, and no longer", () =>
    Effect.gen(function*() {
      const { app, gate } = makeApp()
      const running = yield* serving(app, { killTimeout: "3 seconds" })
      yield* send(yield* client(running.target), get("/stubborn"))
      yield* gate.untilStarted(1)
      const closing = yield* Effect.fork(running.server.close)
      yield* real("the beginning", running.server.shuttingDown)
      yield* TestClock.adjust("2999 millis")
      expect(closing.unsafePoll()).toBe(null)
      yield* TestClock.adjust("1 millis")
      expect(yield* real("the report", Fiber.join(closing))).toMatchObject({
        duration: Duration.seconds(3),
        handlers: { interrupted: 1, abandoned: 1 }
      })
    }))

  it.scoped("twice, at the same time and later, is once", () =>
    Effect.gen(function*() {
      const { running } = yield* busy()
      const [first, second] = yield* real(
        "both",
        Effect.all([running.server.close, running.server.close], { concurrency: "unbounded" })
      )
      expect(second).toBe(first)
      expect(yield* running.server.close).toBe(first)
    }))

  it.scoped("after a shutdown changes nothing", () =>
    Effect.gen(function*() {
      const server = yield* Server.make()
      const report = yield* real("the shutdown", server.shutdown)
      expect(report.outcome).toBe("Drained")
      expect(yield* server.close).toBe(report)
      expect(yield* server.closed).toBe(report)
    }))
})
