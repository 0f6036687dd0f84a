import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as LogLevel from "effect/LogLevel"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import { Server, Status } from "../../../src/index.js"
import { makeApp } from "../../support/handlers.js"
import { client, get, remoteAddress, send, serving, silent, until } from "../../support/running.js"
import { collectLog } from "./collectLog.js"
import { makeScreen, type Screen } from "./fakeTerminal.js"

// Pins internal/node: terminalWrite

// A live status on a terminal says which requests a shutdown waits for, and is gone when it has ended.

const shown = (server: Server.ServerService, { out }: Screen, options: Status.Options = {}) =>
  Layer.build(Layer.provide(Status.layer({ out, ...options }), Layer.succeed(Server.Server, server)))

const untilShown = (screen: Screen, pattern: RegExp) =>
  until(
    () => `${String(pattern)} on the screen: ${screen.rows().join("\n")}`,
    () => pattern.test(screen.rows().join("\n"))
  )

/** A whole shutdown, which a request holds up until the log says so. */
const heldUp = (log: ReturnType<typeof collectLog>, screen: Screen, options?: Status.Options) =>
  Effect.gen(function*() {
    const { app, gate } = makeApp()
    const { drain, report, server, target } = yield* serving(app, { timeout: "30 seconds" })
    yield* shown(server, screen, options)
    yield* send(yield* client(target), get("/hold"))
    yield* gate.untilStarted(1)
    yield* drain
    yield* TestClock.adjust("5 seconds")
    yield* until("a line of progress", () => log.find(/waiting for/))
    yield* gate.open
    yield* report
  })

describe("the status on a terminal", () => {
  it.scoped("says which request a shutdown hangs on, counts down, and leaves nothing behind", () =>
    Effect.gen(function*() {
      const { app, gate } = makeApp()
      const { drain, report, server, target } = yield* serving(app, { timeout: "30 seconds" })
      const screen = makeScreen()
      yield* shown(server, screen)
      yield* server.onShutdown("flush", Effect.sleep("2 seconds"))
      const slow = yield* client(target)
      yield* send(slow, get("/hold?report=2026"))
      yield* gate.untilStarted(1)
      yield* TestClock.adjust("5 seconds")
      expect(screen.writes()).toBe(0)
      screen.out.write("a line before\n")
      yield* drain
      yield* TestClock.adjust("1 second")
      expect(screen.rows()).toEqual([
        "a line before",
        "Draining, 29.0 s left: 1 connection (1 Active)",
        `  GET /hold?report=2026 from ${remoteAddress(slow)} (6.0 s)`,
        "  hook: flush"
      ])
      yield* TestClock.adjust("9 seconds")
      // whatever else is written goes above
      screen.out.write("a line ")
      yield* TestClock.adjust("1 second")
      expect(screen.rows()).toEqual(["a line before", "a line "])
      screen.out.write("in between\nand another\n")
      expect(screen.rows()).toEqual([
        "a line before",
        "a line in between",
        "and another",
        "Draining, 19.0 s left: 1 connection (1 Active)",
        `  GET /hold?report=2026 from ${remoteAddress(slow)} (16.0 s)`
      ])
      yield* gate.open
      yield* report
      expect(screen.rows()).toEqual(["a line before", "a line in between", "and another"])
      const { writes } = screen
      const before = writes()
      yield* TestClock.adjust("10 seconds")
      expect(writes()).toBe(before)
      expect(Object.hasOwn(screen.out, "write")).toBe(false)
      expect(screen.out.listenerCount("error")).toBe(0)
    }).pipe(Effect.provide(silent)))

  it.scoped("is bounded by the terminal, and names the oldest", () =>
    Effect.gen(function*() {
      const { app, gate } = makeApp()
      const { drain, report, server, target } = yield* serving(app, { timeout: "30 seconds" })
      const screen = makeScreen({ columns: 40 })
      yield* shown(server, screen)
      for (let n = 0; n < 12; n++) {
        yield* send(yield* client(target), get(`/hold?${n}&${"long".repeat(100)}`))
        yield* gate.untilStarted(n + 1)
        yield* TestClock.adjust("1 second")
      }
      yield* drain
      yield* TestClock.adjust("1 second")
      const rows = screen.rows()
      expect(rows).toHaveLength(10)
      expect(rows[1]).toMatch(/^ {2}GET \/hold\?0&longlong/)
      expect(rows[9]).toBe("  and 4 requests more")
      expect(Math.max(...rows.map(({ length }) => length))).toBeLessThan(40)
      yield* gate.open
      yield* report
      expect(screen.rows()).toEqual([])
    }).pipe(Effect.provide(silent)))

  it.scoped("takes the lines of progress out of the log, which otherwise has them; nothing else", () => {
    const log = collectLog(LogLevel.All)
    return Effect.gen(function*() {
      yield* heldUp(log, makeScreen())
      expect(log.find(/waiting for/)?.logLevel).toBe("DEBUG")
      expect(log.find(/^Shutting down/)?.logLevel).toBe("INFO")
      expect(log.find(/^Shut down/)?.logLevel).toBe("INFO")
    }).pipe(Effect.provide(log.layer))
  })

  it.scoped("is nothing where there is no terminal", () => {
    const log = collectLog()
    return Effect.gen(function*() {
      const screen = makeScreen({ isTTY: false })
      yield* heldUp(log, screen, { serving: true })
      expect(screen.writes()).toBe(0)
      expect(log.find(/waiting for/)?.logLevel).toBe("INFO")
    }).pipe(Effect.provide(log.layer))
  })

  it.scoped("is there while the server serves, for those who want it, and goes with its layer", () =>
    Effect.gen(function*() {
      const { app, gate } = makeApp()
      const { drain, report, server, target } = yield* serving(app, { timeout: "30 seconds" })
      const screen = makeScreen()
      const scope = yield* Scope.make()
      yield* Scope.extend(shown(server, screen, { serving: true }), scope)
      yield* TestClock.adjust("1 second")
      expect(screen.rows()).toEqual(["Serving: 0 connections, 0 requests in flight"])
      yield* send(yield* client(target), get("/hold"))
      yield* gate.untilStarted(1)
      yield* TestClock.adjust("1 second")
      expect(screen.rows()).toEqual(["Serving: 1 connection (1 Active), 1 request in flight"])
      yield* Scope.close(scope, yield* Effect.exit(Effect.void))
      yield* untilShown(screen, /^$/)
      yield* TestClock.adjust("1 second")
      expect(screen.rows()).toEqual([])
      // what is built on a server is released before it, and this is what it is for
      yield* drain
      yield* TestClock.adjust("1 second")
      yield* untilShown(screen, /^Draining, .* left: 1 connection \(1 Active\)\n {2}GET \/hold from /)
      yield* gate.open
      yield* report
      expect(screen.rows()).toEqual([])
    }).pipe(Effect.provide(silent)))

  it.scoped("cannot harm a shutdown: a terminal that has gone away is nobody's loss", () =>
    Effect.gen(function*() {
      const { app, gate } = makeApp()
      const { drain, report, server, target } = yield* serving(app, { timeout: "30 seconds" })
      const screen = makeScreen()
      yield* shown(server, screen)
      yield* send(yield* client(target), get("/hold"))
      yield* gate.untilStarted(1)
      yield* drain
      yield* TestClock.adjust("1 second")
      screen.out.destroy(new Error("EIO"))
      yield* TestClock.adjust("1 second")
      yield* gate.open
      expect(yield* report).toMatchObject({ outcome: "Drained" })
    }).pipe(Effect.provide(silent)))
})
