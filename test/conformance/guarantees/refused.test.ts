import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/TestClock"
import { startBusyClients } from "../../support/busyClient.js"
import { makeApp } from "../../support/handlers.js"
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
  silent,
  until
} from "../../support/running.js"

// Rule 9: what was executed can be answered, and what is refused was never executed: no handler runs for a request
// that arrives on a connection that the server has begun to close.

describe("rule 9", () => {
  it.scoped("rule 9: a request behind an answer that said close is not executed", () =>
    Effect.gen(function*() {
      const { app, executed, gate } = makeApp()
      const running = yield* serving(app)
      const held = yield* client(running.target, { keepHalfOpen: true })
      yield* send(held, get("/hold"))
      yield* gate.untilStarted(1)
      yield* running.drain
      yield* gate.open
      expect((yield* answer(held)).connection).toBe("close")
      // our side is open still: these bytes do arrive
      yield* send(held, post("/echo", "late"))
      yield* TestClock.adjust("500 millis")
      expect((yield* running.report).outcome).toBe("Drained")
      expect(executed).toEqual([])
      expect(held.parsed().responses).toHaveLength(1)
    }))

  it.scoped("rule 9: nor is one in the same packet as the request that is answered with close", () =>
    Effect.gen(function*() {
      const { app, executed } = makeApp()
      const running = yield* serving(app)
      yield* running.server.setKeepAlives(false)
      const raw = yield* client(running.target)
      // the client itself ends the connection with its first request (RFC 9112 §9.6)
      yield* send(raw, get("/", "Connection: close") + post("/echo", "behind"))
      expect((yield* answer(raw)).connection).toBe("close")
      yield* ended(raw)
      expect(executed).toEqual([])
    }))

  it.scoped("rule 9: pipelined requests that were received are executed and answered, the last with close", () =>
    Effect.gen(function*() {
      const { app, executed, gate } = makeApp()
      const running = yield* serving(app)
      const raw = yield* client(running.target)
      yield* send(raw, post("/echo", "one") + post("/echo", "two") + get("/hold"))
      yield* gate.untilStarted(1)
      yield* running.drain
      yield* gate.open
      const all = yield* responses(raw, 3)
      expect(executed).toEqual(["one", "two"])
      expect(all.map(({ body }) => body.toString())).toEqual(["one", "two", "held"])
      expect(all.map(({ headers }) => headers["connection"])).toEqual(["keep-alive", "keep-alive", "close"])
      // of the first two answers, some may have left before the shutdown began
      expect((yield* running.report).served).toBeGreaterThanOrEqual(1)
    }))

  it.scoped("rule 9: nothing is executed after the deadline has cut its connection", () =>
    Effect.gen(function*() {
      const { app, executed, gate } = makeApp()
      const running = yield* serving(app, { timeout: 0, killTimeout: "10 seconds" })
      const stubborn = yield* client(running.target)
      yield* send(stubborn, get("/stubborn"))
      yield* gate.untilStarted(1)
      const idle = yield* idleAfterOne(running.target)
      yield* running.drain
      yield* TestClock.adjust("500 millis")
      yield* ended(idle)
      yield* TestClock.adjust("9500 millis")
      const report = yield* running.report
      expect(report.handlers).toEqual({ interrupted: 1, abandoned: 1 })
      yield* send(idle, post("/echo", "late"))
      yield* send(stubborn, post("/echo", "late"))
      yield* gate.open
      expect(executed).toEqual([])
    }))

  // the live clock: clients that always come again keep the kernel's queue from running dry, for 200 ms
  it.scopedLive("rule 9: busy clients over several shutdowns are answered whatever of theirs was executed", () =>
    Effect.gen(function*() {
      for (let round = 0; round < 3; round++) {
        const { app, executed } = makeApp()
        const running = yield* serving(app)
        const clients = startBusyClients(running.target, { clients: 8, method: "POST", path: "/echo" })
        yield* until("busy clients", () => clients.tally.answered > 40)
        const report = yield* running.stop
        const tally = yield* Effect.promise(() => clients.stop(2000))
        expect(executed.filter((id) => !tally.answeredIds.has(id))).toEqual([])
        expect(tally).toMatchObject({ lostEstablished: 0, unanswered: 0 })
        expect(report).toMatchObject({ outcome: "Drained", cut: [] })
      }
    }).pipe(Effect.provide(silent)))
})
