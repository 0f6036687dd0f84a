import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/TestClock"
import * as Http from "node:http"
import { Server } from "../../../src/index.js"
import * as RealTime from "../../../src/internal/effect/realTime.js"
import { ThreadProgram } from "../../../src/internal/register/threadProgram.js"
import { FiberCount } from "../../support/effect/fibers.js"
import { makeApp, servingHeld } from "../../support/handlers.js"
import { processListeners, snapshot, untilNoGrowth } from "../../support/leaks.js"
import { listenOnLoopback } from "../../support/nodeServer.js"
import {
  answer,
  client,
  ended,
  get,
  idleAfterOne,
  send,
  serving,
  silent,
  targetOf,
  until,
  untilStates
} from "../../support/running.js"

// Pins internal/node: serverEmit

// Rule 4: after a shutdown there is no open socket, no live request fiber, no timer and no signal listener of ours.

const listenersOf = (server: Http.Server) =>
  Object.fromEntries(server.eventNames().map((name) => [String(name), server.listenerCount(name)]))

/** Runs `use`, and then waits until the process holds no more than before. */
const leavingNothing = <A, E, R>(use: Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    // Node makes it when it is first looked at, as `NodeContext` does
    expect(process.stdin.fd).toBe(0)
    const before = snapshot()
    const listeners = processListeners()
    const fibers = new FiberCount()
    const result = yield* fibers.under(Effect.scoped(use))
    yield* Effect.promise(() => untilNoGrowth(before, 5000))
    expect(processListeners()).toEqual(listeners)
    yield* until("the end of every fiber", () => fibers.running === 0)
    return result
  })

describe("rule 4", () => {
  // the live clock: what sleeps is a timer of the process
  it.live("rule 4: nothing is left after a drain, although no deadline and no grace had passed", () =>
    leavingNothing(Effect.gen(function*() {
      const { app, gate } = makeApp()
      const policy = { lameDuck: 1, timeout: "60 seconds", killTimeout: "60 seconds", idleGrace: "60 seconds" } as const
      const running = yield* serving(app, policy)
      yield* running.server.onShutdown("limited", Effect.void, { timeout: "60 seconds" })
      const idle = yield* idleAfterOne(running.target)
      const held = yield* client(running.target)
      yield* send(held, get("/hold"))
      yield* gate.untilStarted(1)
      yield* running.drain
      idle.leave()
      yield* gate.open
      expect((yield* answer(held)).connection).toBe("close")
      expect((yield* running.report).outcome).toBe("Drained")
    })).pipe(Effect.provide(silent)))

  it.live("rule 4: nothing is left after a deadline has cut everything", () =>
    leavingNothing(Effect.gen(function*() {
      const { app, gate } = makeApp()
      const running = yield* serving(app, { timeout: 1, killTimeout: "60 seconds" })
      const raws = [yield* client(running.target), yield* idleAfterOne(running.target)]
      for (const path of ["/hold", "/stream"]) {
        const raw = yield* client(running.target)
        yield* send(raw, get(path))
        raws.push(raw)
      }
      yield* gate.untilStarted(2)
      const half = yield* client(running.target)
      yield* send(half, "GET / HTTP/1.1\r\n")
      half.leave()
      yield* running.interrupt
      for (const raw of raws.slice(2)) yield* ended(raw)
      for (const raw of raws) raw.leave()
      const report = yield* running.report
      expect(report.outcome).toBe("DeadlineExceeded")
      expect(report.cut.map(({ path }) => path)).toEqual(["/hold", "/stream"])
    })).pipe(Effect.provide(silent)))

  it.live("rule 4: nothing is left of what keep-alives that were turned off had begun", () =>
    leavingNothing(Effect.gen(function*() {
      const { gate, held, running } = yield* servingHeld({ newConnectionGrace: "60 seconds", idleGrace: "60 seconds" })
      yield* running.server.setKeepAlives(false)
      yield* running.drain
      yield* gate.open
      expect((yield* answer(held)).connection).toBe("close")
      expect((yield* running.report).outcome).toBe("Drained")
    })).pipe(Effect.provide(silent)))

  it.live("rule 4: nothing is left after a close", () =>
    leavingNothing(Effect.gen(function*() {
      const { app, gate } = makeApp()
      const running = yield* serving(app, { timeout: "60 seconds", killTimeout: "60 seconds" })
      const raws = [yield* client(running.target), yield* idleAfterOne(running.target)]
      const held = yield* client(running.target)
      yield* send(held, get("/hold"))
      yield* gate.untilStarted(1)
      expect((yield* running.server.close).outcome).toBe("Closed")
      for (const raw of [...raws, held]) yield* ended(raw)
      yield* running.stop
    })).pipe(Effect.provide(silent)))

  it.live("rule 4: nothing is left of the servers of a worker thread", () =>
    leavingNothing(Effect.gen(function*() {
      const watching = process.listenerCount("exit")
      const program = new ThreadProgram({}, yield* RealTime.runtime)
      for (let nth = 0; nth < 10; nth++) {
        const node = yield* Effect.promise(() => listenOnLoopback(Http.createServer()))
        program.take(node)
        expect(process.listenerCount("exit")).toBe(watching + 1)
        node.close()
        yield* until("the end of its server", () => process.listenerCount("exit") === watching)
      }
    })).pipe(Effect.provide(silent)))

  it.scoped("rule 4: a Node server is given back as it came", () =>
    Effect.gen(function*() {
      const node = Http.createServer((_, response) => void response.end("ok"))
      const before = listenersOf(node)
      const emit = node.emit
      const server = yield* Server.make()
      const listener = yield* server.listen(() => node, { host: "127.0.0.1", port: 0 })
      const idle = yield* idleAfterOne(targetOf(listener.address))
      yield* untilStates(server, "Idle")
      yield* Effect.fork(server.shutdown)
      yield* until("the end of listening", () => !node.listening)
      yield* TestClock.adjust("1 second")
      yield* server.closed
      yield* ended(idle)
      yield* until("the server's own emit", () => !Object.hasOwn(node, "emit"))
      expect(node.emit).toBe(emit)
      expect(listenersOf(node)).toEqual(before)
    }))
})
