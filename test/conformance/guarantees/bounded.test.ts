import { describe, expect, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as TestClock from "effect/TestClock"
import * as FastCheck from "fast-check"
import { defects } from "../../../src/internal/effect/causes.js"
import { forAll } from "../../support/forAll.js"
import { makeApp, servingHeld } from "../../support/handlers.js"
import {
  client,
  deadlineExceededIn,
  get,
  idleAfterOne,
  type Running,
  send,
  serving,
  untilPhase,
  untilStates
} from "../../support/running.js"

// Rule 3: a shutdown ends within `lameDuck + timeout + killTimeout`, whatever peers, handlers and hooks do.

/** All that may hold a shutdown up. */
const obstacles = {
  "a silent connection": ({ target }: Running) => client(target),
  "an idle connection": ({ target }: Running) => idleAfterOne(target),
  "half a head": ({ target }: Running) => Effect.tap(client(target), (raw) => send(raw, "GET / HT")),
  "half a body": ({ target }: Running) =>
    Effect.tap(
      client(target),
      (raw) => send(raw, "POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 9\r\n\r\nhalf")
    ),
  "a handler that never ends": ({ target }: Running) => Effect.tap(client(target), (raw) => send(raw, get("/hold"))),
  "a stream that never ends": ({ target }: Running) => Effect.tap(client(target), (raw) => send(raw, get("/stream"))),
  "a handler that ignores interruption": ({ target }: Running) =>
    Effect.tap(client(target), (raw) => send(raw, get("/stubborn"))),
  "a handler whose finalizer hangs": ({ target }: Running) =>
    Effect.tap(client(target), (raw) => send(raw, get("/finalizer"))),
  "a hook that hangs": ({ server }: Running) => server.onShutdown("hangs", Effect.never),
  "a hook that ignores interruption": ({ server }: Running) =>
    server.onShutdown("stubborn", Effect.uninterruptible(Effect.never)),
  "a throwing observer": ({ server }: Running) =>
    server.observe(() => {
      throw new Error("an observer")
    })
}

const names = Object.keys(obstacles) as Array<keyof typeof obstacles>

const millis = FastCheck.integer({ min: 0, max: 400 })

describe("rule 3", () => {
  it("rule 3: whatever there is in its way, a shutdown ends within its bound", () =>
    forAll(25, {
      inTheWay: FastCheck.uniqueArray(FastCheck.constantFrom(...names), { maxLength: 6 }),
      lameDuck: FastCheck.oneof(FastCheck.constant(0), millis),
      timeout: millis,
      killTimeout: FastCheck.oneof(FastCheck.constant(0), millis)
    }, ({ inTheWay, killTimeout, lameDuck, timeout }) =>
      Effect.gen(function*() {
        const { app, gate } = makeApp()
        const running = yield* serving(app, { lameDuck, timeout, killTimeout })
        const connected = inTheWay.filter((name) => !/hook|observer/.test(name)).length
        const atGate = inTheWay.filter((name) =>
          /stream|never ends|ignores interruption/.test(name) && !/hook/.test(name)
        )
        for (const name of inTheWay) yield* obstacles[name](running)
        yield* gate.untilStarted(atGate.length)
        yield* running.interrupt
        yield* untilPhase(running.server, "LameDuck", "Draining", "Closed")
        yield* TestClock.adjust(lameDuck + timeout + killTimeout)
        const report = yield* running.report
        expect(Duration.toMillis(report.duration)).toBeLessThanOrEqual(lameDuck + timeout + killTimeout)
        expect(Duration.toMillis(report.lameDuck)).toBe(lameDuck)
        expect(Duration.toMillis(report.draining)).toBeLessThanOrEqual(timeout)
        expect(Duration.toMillis(report.killing)).toBeLessThanOrEqual(killTimeout)
        expect(report.connections.open + report.connections.accepted).toBe(connected)
        const { cut, idleClosed, completed } = report.connections
        expect(completed + idleClosed + cut).toBe(connected)
        expect(report.outcome).toBe(report.cut.length > 0 ? "DeadlineExceeded" : "Drained")
        yield* untilStates(running.server)
      })))

  it.scoped("rule 3: a deadline of 30 s is a deadline of 30 s, and what it cuts makes the scope's fiber die", () =>
    Effect.gen(function*() {
      const { gate, running } = yield* servingHeld({ timeout: "30 seconds" })
      yield* running.drain
      yield* TestClock.adjust("29999 millis")
      expect(yield* running.server.phase.get).toBe("Draining")
      expect(gate.interrupted).toBe(0)
      yield* TestClock.adjust("1 millis")
      const exit = yield* running.exit
      const report = yield* running.report
      expect(deadlineExceededIn(exit)?.report).toBe(report)
      // once, although the scope of the app and that of the server both end with it
      expect(Exit.isFailure(exit) && defects(exit.cause).length).toBe(1)
      expect(report).toMatchObject({ duration: Duration.seconds(30), killing: Duration.zero })
      expect(gate.interrupted).toBe(1)
    }))

  it.scoped("rule 3: a clean drain leaves the fiber that held the scope interrupted, and nothing else", () =>
    Effect.gen(function*() {
      const { app } = makeApp()
      const running = yield* serving(app)
      yield* running.interrupt
      const exit = yield* running.exit
      expect(Exit.isFailure(exit) && Cause.isInterruptedOnly(exit.cause)).toBe(true)
    }))

  it.scoped("rule 3: without a deadline a shutdown takes as long as its slowest request", () =>
    Effect.gen(function*() {
      const { gate, running } = yield* servingHeld({ timeout: Duration.infinity })
      yield* running.drain
      yield* TestClock.adjust("10 seconds")
      expect(yield* running.server.phase.get).toBe("Draining")
      yield* gate.open
      expect((yield* running.report).outcome).toBe("Drained")
    }))
})
