import { describe, expect, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schedule from "effect/Schedule"
import * as TestClock from "effect/TestClock"
import { Server, Shutdown } from "../../../src/index.js"
import { withRandom } from "../../support/effect/testServices.js"
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
  until,
  untilStates
} from "../../support/running.js"

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
      expect(report.connections).toEqual({ open: 2, accepted: 0, completed: 0, idleClosed: 2, cut: 0 })
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
        connections: { open: 0, accepted: 0, completed: 0, idleClosed: 0, cut: 0 },
        cut: [],
        forceClosed: [],
        endedStreams: [],
        handlers: { interrupted: 0, abandoned: 0 },
        hooks: [],
        background: []
      })
    }))

  it.scoped("D11 a handler is not interrupted by the start of a shutdown, however long it takes", () =>
    Effect.gen(function*() {
      const { gate, held: busy, running } = yield* servingHeld({ timeout: Duration.infinity })
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
      const law = [0, 1, 3, 7, 15, 31, 63, 127, 255, 511, 1011, 1511]
      // a look takes turns of the real event loop, for which the clock must wait
      for (const [n, at] of law.entries()) {
        yield* TestClock.setTime(at)
        yield* until(`look ${n}`, () => looks.length > n)
      }
      yield* TestClock.adjust("50 millis")
      expect(looks).toEqual(law)
      yield* gate.open
      yield* running.report
    }).pipe(withRandom(0)))

  it.scoped("D2 beyond Go: the end is not noticed at the next look, but at once", () =>
    Effect.gen(function*() {
      const { gate, running } = yield* servingHeld({ pollSchedule: Schedule.stop })
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
      expect(report.cut).toMatchObject([{ method: "GET", path: "/hold", clientReceived: "503" }])
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
      yield* Effect.promise(() => streaming.untilText("first", 15_000))
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
          clientReceived: "503"
        },
        {
          connection: 2,
          remoteAddress: remoteAddress(streaming),
          method: "GET",
          path: "/stream",
          age: Duration.seconds(30),
          clientReceived: "truncated"
        }
      ])
      expect(report.handlers).toEqual({ interrupted: 2, abandoned: 0 })
      expect((yield* answer(held)).status).toBe(503)
      expect(yield* ended(streaming)).toMatch(/fin|reset/)
      expect(streaming.parsed().responses[0]?.complete).toBe(false)
    }))
})
