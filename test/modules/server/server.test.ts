import { describe, expect, it } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import { Server, Shutdown } from "../../../src/index.js"
import { makeApp, servingHeld } from "../../support/handlers.js"
import { answer, client, ended, get, idleAfterOne, real, send, serving, untilPhase } from "../../support/running.js"

describe("phase", () => {
  it.scoped("goes from Serving through LameDuck and Draining to Closed", () =>
    Effect.gen(function*() {
      const { app, gate } = makeApp()
      const running = yield* serving(app, { lameDuck: "3 seconds" })
      const changes = yield* Effect.fork(Stream.runCollect(running.server.phase.changes))
      yield* send(yield* client(running.target), get("/hold"))
      yield* gate.untilStarted(1)
      expect(yield* running.server.phase.get).toBe("Serving")
      yield* running.interrupt
      yield* untilPhase(running.server, "LameDuck")
      yield* TestClock.adjust("3 seconds")
      yield* untilPhase(running.server, "Draining")
      yield* gate.open
      const report = yield* running.report
      expect(report).toMatchObject({ lameDuck: Duration.seconds(3), draining: Duration.zero })
      expect(yield* running.server.phase.get).toBe("Closed")
      const seen = yield* real("the changes", Fiber.join(changes))
      expect(Chunk.toReadonlyArray(seen)).toEqual(["Serving", "LameDuck", "Draining", "Closed"])
    }))

  it.scoped("drainNow ends a lame duck early, and is no close", () =>
    Effect.gen(function*() {
      const { gate, held: busy, running } = yield* servingHeld({ lameDuck: "1 hour" })
      yield* running.interrupt
      yield* untilPhase(running.server, "LameDuck")
      yield* running.server.drainNow
      yield* untilPhase(running.server, "Draining")
      yield* gate.open
      expect(yield* running.report).toMatchObject({ outcome: "Drained", lameDuck: Duration.zero })
      expect((yield* answer(busy)).status).toBe(200)
    }))

  it.scoped("drainNow starts a shutdown without its lame duck", () =>
    Effect.gen(function*() {
      const { app } = makeApp()
      const running = yield* serving(app, { lameDuck: "1 hour" })
      yield* running.server.drainNow
      const report = yield* real("the report", running.server.closed)
      expect(report).toMatchObject({ outcome: "Drained", lameDuck: Duration.zero })
    }))

  it.scoped("LameDuck still accepts and serves, and asks every client to leave", () =>
    Effect.gen(function*() {
      const { app } = makeApp()
      const running = yield* serving(app, { lameDuck: "3 seconds" })
      const idle = yield* idleAfterOne(running.target)
      yield* running.interrupt
      yield* untilPhase(running.server, "LameDuck")
      // what is idle is left alone: its next request takes the message
      yield* TestClock.adjust("2 seconds")
      expect(idle.ending).toBe("open")
      yield* send(idle, get("/"))
      expect((yield* Effect.promise(() => idle.untilResponses(2, 15_000))).responses[1]?.headers["connection"]).toBe(
        "close"
      )
      const late = yield* idleAfterOne(running.target)
      expect(yield* answer(late)).toEqual({ status: 200, body: "ok", connection: "close" })
      yield* ended(late)
      yield* TestClock.adjust("1 second")
      expect(yield* running.report).toMatchObject({
        served: 2,
        connections: { open: 1, accepted: 1, completed: 2, idleClosed: 0, cut: 0 }
      })
    }))
})

describe("shutdown", () => {
  it.scoped("goes on when its caller is interrupted", () =>
    Effect.gen(function*() {
      const { gate, held, running } = yield* servingHeld()
      const caller = yield* Effect.fork(running.server.shutdown)
      yield* untilPhase(running.server, "Draining")
      yield* real("the end of the caller", Fiber.interrupt(caller))
      yield* gate.open
      expect((yield* answer(held)).body).toBe("held")
      expect((yield* real("the report", running.server.closed)).outcome).toBe("Drained")
    }))

  it.scoped("fails with DeadlineExceeded for every caller, and its message names the requests", () =>
    Effect.gen(function*() {
      const { app, gate } = makeApp()
      const running = yield* serving(app, { timeout: "2 seconds" })
      yield* send(yield* client(running.target), get("/hold?a=1"))
      yield* gate.untilStarted(1)
      const callers = yield* Effect.forEach([1, 2, 3], () => Effect.fork(Effect.flip(running.server.shutdown)))
      yield* untilPhase(running.server, "Draining")
      yield* TestClock.adjust("2 seconds")
      const [first, ...others] = yield* Effect.forEach(callers, (caller) => real("a caller", Fiber.join(caller)))
      expect(first).toBeInstanceOf(Shutdown.DeadlineExceeded)
      for (const other of others) expect(other?.report).toBe(first?.report)
      expect(first?.message).toBe(
        "1 request did not get the whole response before the deadline, 2s after draining began: "
          + "GET /hold?a=1 (2s, its client received 503). Raise `timeout`, or let the handler end earlier (see `Server.shuttingDown`)."
      )
      expect(yield* Effect.flip(running.server.closed)).toMatchObject({ _tag: "DeadlineExceeded" })
    }))

  it.scoped("opens shuttingDown at its beginning, also for those who ask later", () =>
    Effect.gen(function*() {
      const server = yield* Server.make({ lameDuck: "1 minute" })
      const waiting = yield* Effect.fork(server.shuttingDown)
      yield* TestClock.adjust("1 hour")
      expect(waiting.unsafePoll()).toBe(null)
      yield* Effect.fork(server.shutdown)
      yield* real("the waiter", Fiber.join(waiting))
      yield* real("a later one", server.shuttingDown)
      expect(yield* server.phase.get).toBe("LameDuck")
      yield* server.close
    }))

  it.scoped("ends a stream that ends itself on shuttingDown", () =>
    Effect.gen(function*() {
      const ticks = yield* Server.make()
      const stream = yield* Effect.fork(
        Stream.runCollect(Stream.interruptWhen(Stream.concat(Stream.make(1), Stream.never), ticks.shuttingDown))
      )
      yield* Effect.yieldNow()
      yield* real("the shutdown", ticks.shutdown)
      expect(Chunk.toReadonlyArray(yield* real("the stream", Fiber.join(stream)))).toEqual([1])
    }))
})
