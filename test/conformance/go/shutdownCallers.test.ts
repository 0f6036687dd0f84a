import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { describe, expect, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as TestClock from "effect/TestClock"
import { Server } from "../../../src/index.js"
import * as HttpRouter from "../../support/effect/httpRouter.js"
import { makeApp, servingHeld } from "../../support/handlers.js"
import { answer, client, get, real, reportOf, send, serving, until } from "../../support/running.js"

// Who may call for a shutdown, when, and what runs because of it.

describe("who calls, and what runs", () => {
  it.scoped("D7 beyond Go: a second shutdown is the first one, and runs no hook again", () =>
    Effect.gen(function*() {
      const { app } = makeApp()
      const running = yield* serving(app)
      let ran = 0
      yield* running.server.onShutdown("count", Effect.sync(() => ran++))
      const first = yield* real("the first report", running.server.shutdown)
      const second = yield* real("the second report", running.server.shutdown)
      expect(second).toBe(first)
      expect(ran).toBe(1)
    }))

  it.scoped("D8 beyond Go: callers at the same time share one shutdown, and get one report", () =>
    Effect.gen(function*() {
      const { app, gate } = makeApp()
      const running = yield* serving(app)
      let ran = 0
      yield* running.server.onShutdown("count", Effect.sync(() => ran++))
      const busy = yield* client(running.target)
      yield* send(busy, get("/hold"))
      yield* gate.untilStarted(1)
      const callers = yield* Effect.fork(
        Effect.all(Array.from({ length: 5 }, () => running.server.shutdown), { concurrency: "unbounded" })
      )
      yield* until("the hook", () => ran > 0)
      yield* running.interrupt
      yield* gate.open
      const reports = yield* real("the reports", Fiber.join(callers))
      const report = yield* running.report
      for (const other of reports) expect(other).toBe(report)
      expect(ran).toBe(1)
    }))

  it.scoped("D9 beyond Go: hooks are awaited, and what became of each is in the report", () =>
    Effect.gen(function*() {
      const { app } = makeApp()
      const running = yield* serving(app)
      yield* running.server.onShutdown("slow", Effect.sleep("2 seconds"))
      yield* running.server.onShutdown("fails", Effect.fail("on purpose"))
      yield* running.drain
      yield* TestClock.adjust("2 seconds")
      expect((yield* running.report).hooks).toEqual([
        { name: "slow", outcome: "Succeeded", duration: Duration.seconds(2), cause: Option.none() },
        { name: "fails", outcome: "Failed", duration: Duration.zero, cause: Option.some(Cause.fail("on purpose")) }
      ])
    }))

  it.scoped("D9 beyond Go: a hook that is registered after the start runs at once", () =>
    Effect.gen(function*() {
      const { gate, running } = yield* servingHeld()
      yield* running.drain
      let ran = 0
      yield* running.server.onShutdown("late", Effect.sync(() => ran++))
      yield* until("the late hook", () => ran === 1)
      yield* gate.open
      expect((yield* running.report).hooks.map(({ name, outcome }) => [name, outcome])).toEqual([["late", "Succeeded"]])
      expect(ran).toBe(1)
    }))

  it.scoped("D12 a shutdown called in a handler waits for that handler, until the deadline interrupts it", () =>
    Effect.gen(function*() {
      let called = 0
      const shutdownOf = yield* Deferred.make<Server.ServerService["shutdown"]>()
      const running = yield* serving(
        HttpRouter.empty.pipe(HttpRouter.get(
          "/",
          Effect.gen(function*() {
            const shutdown = yield* Deferred.await(shutdownOf)
            called++
            return yield* HttpServerResponse.json(yield* shutdown)
          })
        )),
        { timeout: "10 seconds" }
      )
      yield* Deferred.succeed(shutdownOf, running.server.shutdown)
      const caller = yield* client(running.target)
      yield* send(caller, get("/"))
      yield* until("the call", () => called === 1 && Effect.runSync(running.server.phase.get) === "Draining")
      yield* TestClock.adjust("9999 millis")
      expect(yield* running.server.phase.get).toBe("Draining")
      yield* TestClock.adjust("1 millis")
      const report = yield* real("the report", reportOf(running.server.closed))
      expect(report.cut).toMatchObject([{ path: "/", clientReceived: "503", age: Duration.seconds(10) }])
      expect(report.handlers).toEqual({ interrupted: 1, abandoned: 0 })
      expect((yield* answer(caller)).status).toBe(503)
    }))

  it.scoped("D12 a handler that forks the shutdown is answered", () =>
    Effect.gen(function*() {
      const ownServer = yield* Deferred.make<Server.ServerService>()
      const running = yield* serving(HttpRouter.empty.pipe(HttpRouter.get(
        "/",
        Effect.gen(function*() {
          const server = yield* Deferred.await(ownServer)
          yield* Effect.forkDaemon(server.shutdown)
          yield* server.shuttingDown
          return HttpServerResponse.text("shutting down")
        })
      )))
      yield* Deferred.succeed(ownServer, running.server)
      const caller = yield* client(running.target)
      yield* send(caller, get("/"))
      expect(yield* answer(caller)).toEqual({ status: 200, body: "shutting down", connection: "close" })
      expect((yield* real("the report", running.server.closed)).outcome).toBe("Drained")
    }))
})
