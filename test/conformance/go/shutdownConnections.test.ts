import { describe, expect, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/TestClock"
import { Shutdown } from "../../../src/index.js"
import { makeApp, servingHeld } from "../../support/handlers.js"
import {
  answer,
  client,
  ended,
  get,
  idleAfterOne,
  post,
  responses,
  send,
  serving,
  untilStates
} from "../../support/running.js"

// What a shutdown does with the connections that it finds, in each state that they can be in.

describe("a connection that never sent a byte", () => {
  it.scoped("D13 is closed 5 s after its accept, and not a millisecond earlier", () =>
    Effect.gen(function*() {
      const { app } = makeApp()
      const running = yield* serving(app)
      const silent = yield* client(running.target)
      yield* untilStates(running.server, "New")
      yield* TestClock.adjust("1500 millis")
      yield* running.drain
      yield* TestClock.adjust("3499 millis")
      yield* untilStates(running.server, "New")
      expect(silent.ending).toBe("open")
      yield* TestClock.adjust("1 millis")
      const report = yield* running.report
      expect(report).toMatchObject({ outcome: "Drained", forceClosed: [], duration: Duration.millis(3500) })
      expect(report.connections).toEqual({ open: 1, accepted: 0, completed: 0, idleClosed: 1, cut: 0 })
      expect(yield* ended(silent)).toMatch(/fin|reset/)
    }))

  it.scoped("D13 beyond Go: its grace can be chosen, by the millisecond", () =>
    Effect.gen(function*() {
      const { app } = makeApp()
      const running = yield* serving(app, { newConnectionGrace: 1234 })
      yield* client(running.target)
      yield* untilStates(running.server, "New")
      yield* running.drain
      yield* TestClock.adjust("1233 millis")
      yield* untilStates(running.server, "New")
      yield* TestClock.adjust("1 millis")
      expect((yield* running.report).duration).toEqual(Duration.millis(1234))
    }))

  it.scoped("D13 is served if it sends a request within its grace", () =>
    Effect.gen(function*() {
      const { app } = makeApp()
      const running = yield* serving(app)
      const late = yield* client(running.target)
      yield* untilStates(running.server, "New")
      yield* running.drain
      yield* TestClock.adjust("4 seconds")
      yield* send(late, get("/"))
      expect(yield* answer(late)).toEqual({ status: 200, body: "ok", connection: "close" })
      expect((yield* running.report).connections).toEqual({ open: 1, accepted: 0, completed: 1, idleClosed: 0, cut: 0 })
    }))
})

describe("a request that comes during the drain", () => {
  it.scoped("D14 beyond Go: is served on a connection that is still open, and told to close", () =>
    Effect.gen(function*() {
      const { app, gate } = makeApp()
      const running = yield* serving(app, { idleGrace: "1 second" })
      const idle = yield* idleAfterOne(running.target)
      const busy = yield* client(running.target)
      yield* send(busy, get("/hold"))
      yield* gate.untilStarted(1)
      yield* running.drain
      yield* send(idle, get("/"))
      const [first, second] = yield* responses(idle, 2)
      expect(first?.headers["connection"]).toBe("keep-alive")
      expect(second).toMatchObject({ status: 200, headers: { connection: "close" } })
      expect(yield* ended(idle)).toBe("fin")
      yield* gate.open
      const report = yield* running.report
      expect(report.served).toBe(2)
      expect(report.connections).toEqual({ open: 2, accepted: 0, completed: 2, idleClosed: 0, cut: 0 })
    }))

  it.scoped("D15 beyond Go: half of the next head counts as active, and is waited for", () =>
    Effect.gen(function*() {
      const { app } = makeApp()
      const running = yield* serving(app, Shutdown.goPolicy)
      const next = yield* idleAfterOne(running.target)
      yield* send(next, "GET / HTTP/1.1\r\nHos")
      // so that the server has certainly read the half: what is sent later has been answered
      yield* idleAfterOne(running.target)
      yield* running.drain
      yield* untilStates(running.server, "Idle")
      yield* TestClock.adjust("10 seconds")
      yield* untilStates(running.server, "Idle")
      yield* send(next, "t: test\r\n\r\n")
      expect((yield* responses(next, 2))[1]).toMatchObject({ status: 200, headers: { connection: "close" } })
      expect((yield* running.report).connections).toEqual({ open: 2, accepted: 0, completed: 1, idleClosed: 1, cut: 0 })
    }))
})

describe("an exchange that a shutdown finds half done", () => {
  it.scoped("D16 a body that is still being uploaded completes", () =>
    Effect.gen(function*() {
      const { app, executed } = makeApp()
      const running = yield* serving(app)
      const uploading = yield* client(running.target)
      yield* send(uploading, "POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 8\r\n\r\nhalf")
      yield* untilStates(running.server, "Active")
      yield* running.drain
      yield* TestClock.adjust("5 seconds")
      expect(executed).toEqual([])
      yield* send(uploading, "body")
      expect(yield* answer(uploading)).toEqual({ status: 200, body: "halfbody", connection: "close" })
      expect((yield* running.report).outcome).toBe("Drained")
    }))

  it.scoped("D16 an Expect: 100-continue exchange completes", () =>
    Effect.gen(function*() {
      const { app } = makeApp()
      const running = yield* serving(app)
      const expecting = yield* client(running.target)
      yield* send(expecting, post("/echo", "", "Expect: 100-continue").replace("Length: 0", "Length: 4"))
      yield* Effect.promise(() => expecting.untilText("100 Continue", 15_000))
      yield* running.drain
      yield* TestClock.adjust("5 seconds")
      yield* send(expecting, "body")
      expect(yield* answer(expecting)).toEqual({ status: 200, body: "body", connection: "close" })
      expect((yield* running.report).outcome).toBe("Drained")
    }))

  it.scoped("D16 a response that is being streamed completes", () =>
    Effect.gen(function*() {
      const { app, gate } = makeApp()
      const running = yield* serving(app)
      const streaming = yield* client(running.target)
      yield* send(streaming, get("/stream"))
      yield* Effect.promise(() => streaming.untilText("first", 15_000))
      yield* running.drain
      yield* TestClock.adjust("5 seconds")
      yield* gate.open
      // its head had left before the shutdown, and could not say that the connection closes (Go's rule C4)
      expect(yield* answer(streaming)).toEqual({ status: 200, body: "first last", connection: "keep-alive" })
      yield* untilStates(running.server, "Idle")
      yield* TestClock.adjust("500 millis")
      expect(yield* running.report).toMatchObject({ outcome: "Drained", served: 1, duration: Duration.millis(5500) })
    }))
})

describe("a client that leaves during the drain", () => {
  it.scoped("D17 interrupts its handler, and the shutdown ends", () =>
    Effect.gen(function*() {
      const { gate, held: leaving, running } = yield* servingHeld()
      yield* running.drain
      leaving.leave()
      const report = yield* running.report
      expect(gate).toMatchObject({ passed: 0, interrupted: 1 })
      expect(report).toMatchObject({ outcome: "Drained", served: 0, cut: [], duration: Duration.zero })
      expect(report.connections).toEqual({ open: 1, accepted: 0, completed: 1, idleClosed: 0, cut: 0 })
    }))

  it.scoped("D18 beyond Go: the shutdown waits for its handler to end, although the connection has gone", () =>
    Effect.gen(function*() {
      const { app, gate } = makeApp()
      const running = yield* serving(app)
      const leaving = yield* client(running.target)
      yield* send(leaving, get("/stubborn"))
      yield* gate.untilStarted(1)
      yield* running.drain
      leaving.leave()
      yield* untilStates(running.server)
      yield* TestClock.adjust("7 seconds")
      expect(yield* running.server.phase.get).toBe("Draining")
      yield* gate.open
      const report = yield* running.report
      expect(gate.passed).toBe(1)
      expect(report).toMatchObject({ outcome: "Drained", duration: Duration.seconds(7), cut: [] })
      expect(report.handlers).toEqual({ interrupted: 0, abandoned: 0 })
    }))
})
