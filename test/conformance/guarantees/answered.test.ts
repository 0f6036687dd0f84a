import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/TestClock"
import { forAll } from "../../support/forAll.js"
import { makeApp } from "../../support/handlers.js"
import { connect, type RawClient } from "../../support/rawClient.js"
import {
  answer,
  client,
  get,
  idleAfterOne,
  plain,
  responses,
  send,
  serving,
  untilPhase,
  untilStates
} from "../../support/running.js"
import { bodies, clientsThatStayed, histories, playBeforeShutdown, playDuringDrain } from "./clientHistories.js"

// Rule 1: a request whose first byte arrived before its listener closed is answered in full, unless its client leaves
// or the deadline passes. Rule 2: a response that has begun is never truncated before the deadline.

describe("rules 1 and 2", () => {
  it("rule 1: over any history, every client that stays gets every answer that it is owed, whole", () =>
    forAll(25, { clients: histories }, ({ clients }) =>
      Effect.gen(function*() {
        const { app, executed, gate } = makeApp()
        const running = yield* serving(app)
        const playing = yield* playBeforeShutdown(running.target, clients)
        // and no longer: what comes next may meet a listener that has not closed yet
        yield* running.interrupt
        yield* untilPhase(running.server, "Draining", "Closed")
        yield* playDuringDrain(playing)
        yield* gate.open
        const stayers = clientsThatStayed(playing)
        for (const one of stayers) expect(yield* bodies(one)).toEqual(one.owed)
        // the graces of those that are owed nothing
        yield* TestClock.adjust("5 seconds")
        const report = yield* running.report
        expect(report).toMatchObject({ outcome: "Drained", cut: [], forceClosed: [] })
        expect(report.connections.cut).toBe(0)
        expect(report.connections.open + report.connections.accepted)
          .toBe(report.connections.completed + report.connections.idleClosed)
        // nothing was executed twice
        expect(new Set(executed).size).toBe(executed.length)
        for (const { raw } of stayers) expect(raw.errors.filter((code) => code !== "ECONNRESET")).toEqual([])
      })))

  it.scoped("rule 1: connections that the kernel has queued, and Node has not seen, are served", () =>
    Effect.gen(function*() {
      const { app } = makeApp()
      const running = yield* serving(app)
      // Node connects in the next tick, and the kernel accepts by itself: all of that before the event loop turns
      const clients = yield* Effect.async<Array<Promise<RawClient>>>((resume) => {
        const queued = Array.from({ length: 20 }, () => connect(running.target))
        process.nextTick(() => resume(Effect.succeed(queued)))
      })
      yield* running.interrupt
      for (const connecting of clients) {
        const raw = yield* Effect.acquireRelease(Effect.promise(() => connecting), (raw) => Effect.sync(raw.leave))
        yield* send(raw, get("/"))
        expect(yield* answer(raw)).toEqual({ status: 200, body: "ok", connection: "close" })
      }
      const report = yield* running.report
      expect(report.connections).toEqual({ open: 0, accepted: 20, completed: 20, idleClosed: 0, cut: 0 })
      expect(report.served).toBe(20)
    }))

  it.scoped("rule 2: a response is done when it has been read, not when `end` was called", () =>
    Effect.gen(function*() {
      const megabytes = 16
      let ended = 0
      const running = yield* plain((_, response) => {
        response.end(Buffer.alloc(megabytes * 1024 * 1024, "x"), () => ended++)
      })
      const slow = yield* client(running.target, { paused: true })
      yield* send(slow, get("/large"))
      yield* untilStates(running.server, "Active")
      yield* running.drain
      yield* TestClock.adjust("7 seconds")
      expect(yield* running.server.phase.get).toBe("Draining")
      expect(ended).toBe(0)
      slow.resume()
      const [response] = yield* responses(slow, 1)
      expect(response?.body.length).toBe(megabytes * 1024 * 1024)
      yield* untilStates(running.server, "Idle")
      yield* TestClock.adjust("500 millis")
      expect(yield* running.report).toMatchObject({ outcome: "Drained", served: 1, cut: [] })
    }))

  it.scoped("rule 2: a stream that has begun goes on to its end", () =>
    Effect.gen(function*() {
      const { app, gate } = makeApp()
      const running = yield* serving(app, { idleGrace: 0 })
      const idle = yield* idleAfterOne(running.target)
      const streaming = yield* client(running.target)
      yield* send(streaming, get("/stream"))
      yield* Effect.promise(() => streaming.untilText("first", 15_000))
      yield* running.drain
      yield* untilStates(running.server, "Active")
      expect(idle.parsed().responses).toHaveLength(1)
      yield* gate.open
      expect((yield* answer(streaming)).body).toBe("first last")
      expect((yield* running.report).served).toBe(1)
    }))
})
