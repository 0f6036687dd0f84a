import * as HttpRouter from "@effect/platform/HttpRouter"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { describe, expect, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import * as TestClock from "effect/TestClock"
import { Server, Shutdown } from "../../src/index.js"
import { makeApp } from "../support/handlers.js"
import { connect } from "../support/rawClient.js"
import {
  answer,
  client,
  ended,
  get,
  idleAfterOne,
  real,
  remoteAddress,
  reportOf,
  send,
  serving,
  until,
  untilStates
} from "../support/running.js"

// Go's Server.Shutdown, rule by rule. A shutdown is started as runMain starts it: the fiber that holds the scope is
// interrupted. Time is the TestClock's.

describe("what happens in a shutdown, and in which order", () => {
  it.scoped("D1 stops accepting, then starts the hooks, then waits for what was begun", () =>
    Effect.gen(function*() {
      const { app, gate } = makeApp()
      const running = yield* serving(app)
      const seenByHook: Array<string> = []
      yield* running.server.onShutdown(
        "look",
        Effect.gen(function*() {
          const late = yield* Effect.promise(() => connect(running.target))
          seenByHook.push(yield* running.server.phase.get, late.ending, `${gate.passed} answered`)
        })
      )
      const busy = yield* client(running.target)
      yield* send(busy, get("/hold"))
      yield* gate.untilStarted(1)

      yield* running.interrupt
      yield* until("the hook", () => seenByHook.length > 0)
      expect(seenByHook).toEqual(["Draining", "refused", "0 answered"])
      expect(yield* running.server.phase.get).toBe("Draining")
      yield* gate.open
      expect(yield* answer(busy)).toEqual({ status: 200, body: "held", connection: "close" })
      expect((yield* running.report).outcome).toBe("Drained")
    }))

  it.scoped("D3 closes idle connections at once and new ones after 5 s, with Go's policy", () =>
    Effect.gen(function*() {
      const { app } = makeApp()
      const running = yield* serving(app, Shutdown.goPolicy)
      const silent = yield* client(running.target)
      yield* untilStates(running.server, "New")
      yield* TestClock.adjust("2 seconds")
      const idle = yield* idleAfterOne(running.target)
      yield* untilStates(running.server, "New", "Idle")

      yield* running.interrupt
      yield* untilStates(running.server, "New")
      expect(yield* ended(idle)).toMatch(/fin|reset/)
      yield* TestClock.adjust("3 seconds")
      const report = yield* running.report
      expect(yield* ended(silent)).toMatch(/fin|reset/)
      expect(report.connections).toEqual({ open: 2, accepted: 0, left: 0, dismissed: 2, cut: 0 })
      expect(report.duration).toEqual(Duration.seconds(3))
    }))

  it.scoped("D10 a shutdown without any listener returns at once", () =>
    Effect.gen(function*() {
      const server = yield* Server.make()
      const report = yield* real("the report", server.shutdown)
      expect(report).toEqual({
        outcome: "Drained",
        startedAt: 0,
        duration: Duration.zero,
        lameDuck: Duration.zero,
        draining: Duration.zero,
        killing: Duration.zero,
        served: 0,
        connections: { open: 0, accepted: 0, left: 0, dismissed: 0, cut: 0 },
        cut: [],
        forced: [],
        handlers: { interrupted: 0, abandoned: 0 },
        hooks: []
      })
    }))

  it.scoped("D11 a handler is not interrupted by the start of a shutdown, however long it takes", () =>
    Effect.gen(function*() {
      const { app, gate } = makeApp()
      const running = yield* serving(app, { timeout: Duration.infinity })
      const busy = yield* client(running.target)
      yield* send(busy, get("/hold"))
      yield* gate.untilStarted(1)
      yield* running.drain
      yield* TestClock.adjust("20 seconds")
      expect(gate).toMatchObject({ passed: 0, interrupted: 0 })
      yield* gate.open
      expect((yield* answer(busy)).body).toBe("held")
      const report = yield* running.report
      expect(report.handlers).toEqual({ interrupted: 0, abandoned: 0 })
      expect(report.duration).toEqual(Duration.seconds(20))
    }))
})

describe("the poll", () => {
  it.scoped("D2 looks after 0, 1, 3, 7, 15, 31, 63, 127, 255, 511, 1011 ms … without the jitter", () =>
    Effect.gen(function*() {
      const looks: Array<number> = []
      const { app, gate } = makeApp()
      const running = yield* serving(app, {
        timeout: "2 seconds",
        pollSchedule: Shutdown.pollSchedule.pipe(
          Schedule.tapOutput(() =>
            Effect.flatMap(TestClock.currentTimeMillis, (now) => Effect.sync(() => looks.push(now)))
          )
        )
      })
      const busy = yield* client(running.target)
      yield* send(busy, get("/hold"))
      yield* gate.untilStarted(1)
      yield* running.interrupt
      yield* until("the first look", () => looks.length > 0)
      yield* TestClock.adjust("1600 millis")
      expect(looks).toEqual([0, 1, 3, 7, 15, 31, 63, 127, 255, 511, 1011, 1511])
      yield* gate.open
      yield* running.report
    }).pipe(Effect.withRandom(Random.fixed([0]))))

  it.scoped("D2 beyond Go: the end is not noticed at the next look, but at once", () =>
    Effect.gen(function*() {
      const { app, gate } = makeApp()
      const running = yield* serving(app, { pollSchedule: Schedule.stop })
      const busy = yield* client(running.target)
      yield* send(busy, get("/hold"))
      yield* gate.untilStarted(1)
      yield* running.drain
      yield* gate.open
      // there are no looks, and the clock stands still
      expect((yield* running.report).duration).toEqual(Duration.zero)
    }))
})

describe("the deadline", () => {
  it.scoped("D4 bounds the closing of listeners too: clients that keep connecting do not hold it up", () =>
    Effect.gen(function*() {
      const { app } = makeApp()
      const running = yield* serving(app, { timeout: 0, killTimeout: 0 })
      let connecting = true
      let refused = 0
      const storm = yield* Effect.fork(Effect.promise(async () => {
        while (connecting) {
          const wire = await connect(running.target)
          if (wire.ending === "refused") refused++
          wire.leave()
          await new Promise((resolve) => setImmediate(resolve))
        }
      }))
      const report = yield* running.stop
      yield* until("a refusal", () => refused > 0)
      connecting = false
      yield* Fiber.join(storm)
      expect(report.outcome).toBe("Drained")
      expect(report.duration).toEqual(Duration.zero)
    }))

  it.scoped("D5 that has passed before the start is no failure where nothing is owed", () =>
    Effect.gen(function*() {
      const { app } = makeApp()
      const running = yield* serving(app, { timeout: 0, killTimeout: 0 })
      const idle = yield* idleAfterOne(running.target)
      yield* untilStates(running.server, "Idle")
      const report = yield* running.stop
      expect(yield* ended(idle)).toMatch(/fin|reset/)
      expect(report).toMatchObject({ outcome: "Drained", cut: [] })
    }))

  it.scoped("D5 that has passed before the start still closes listeners and idle connections, and starts hooks", () =>
    Effect.gen(function*() {
      const { app, gate } = makeApp()
      const running = yield* serving(app, { timeout: 0, killTimeout: 0 })
      let ran = 0
      yield* running.server.onShutdown("count", Effect.sync(() => ran++))
      const idle = yield* idleAfterOne(running.target)
      const busy = yield* client(running.target)
      yield* send(busy, get("/hold"))
      yield* gate.untilStarted(1)
      const report = yield* running.stop
      expect(ran).toBe(1)
      expect(report.hooks.map(({ name, outcome }) => [name, outcome])).toEqual([["count", "Succeeded"]])
      expect((yield* Effect.promise(() => connect(running.target))).ending).toBe("refused")
      expect(yield* ended(idle)).toMatch(/fin|reset/)
      expect(report.outcome).toBe("DeadlineExceeded")
      expect(report.cut).toMatchObject([{ method: "GET", path: "/hold", answer: "503" }])
      expect((yield* answer(busy)).status).toBe(503)
    }))

  it.scoped("D6 beyond Go: the rest is interrupted, then cut, and named in the report", () =>
    Effect.gen(function*() {
      const { app, gate } = makeApp()
      const running = yield* serving(app, { timeout: "30 seconds", killTimeout: "1 second" })
      const held = yield* client(running.target)
      yield* send(held, get("/hold"))
      const streaming = yield* client(running.target)
      yield* send(streaming, get("/stream"))
      yield* Effect.promise(() => streaming.untilText("first", 5000))
      yield* gate.untilStarted(2)
      yield* running.drain
      yield* TestClock.adjust("30 seconds")
      const report = yield* running.report
      expect(report.cut).toEqual([
        {
          connection: 1,
          remoteAddress: remoteAddress(held),
          method: "GET",
          path: "/hold",
          age: Duration.seconds(30),
          answer: "503"
        },
        {
          connection: 2,
          remoteAddress: remoteAddress(streaming),
          method: "GET",
          path: "/stream",
          age: Duration.seconds(30),
          answer: "truncated"
        }
      ])
      expect(report.handlers).toEqual({ interrupted: 2, abandoned: 0 })
      expect((yield* answer(held)).status).toBe(503)
      expect(yield* ended(streaming)).toMatch(/fin|reset/)
      expect(streaming.parsed().responses[0]?.complete).toBe(false)
    }))
})

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
      const { app, gate } = makeApp()
      const running = yield* serving(app)
      const busy = yield* client(running.target)
      yield* send(busy, get("/hold"))
      yield* gate.untilStarted(1)
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
      expect(report.cut).toMatchObject([{ path: "/", answer: "503", age: Duration.seconds(10) }])
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
