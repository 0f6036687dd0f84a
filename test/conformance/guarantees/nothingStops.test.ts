import { describe, expect, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as Stream from "effect/Stream"
import * as Http from "node:http"
import { Server } from "../../../src/index.js"
import { labelOf } from "../../support/effect/logs.js"
import { makeApp, servingHeld } from "../../support/handlers.js"
import { answer, client, idleAfterOne, real, send, serving, targetOf, until } from "../../support/running.js"

// Rule 8: a failing hook, a throwing observer, a bad client, an accept error never stop the server or the drain; each
// is logged and, where it belongs, in the report. Bad hooks are in `badHooks.test.ts`.

/** What the server logs, with the level and all that the message was made of. */
const logging = <A, E, R>(use: (logs: Array<string>) => Effect.Effect<A, E, R>) => {
  const logs: Array<string> = []
  const logger = Logger.make(({ cause, logLevel, message }) => {
    const parts = (Array.isArray(message) ? message : [message]).map((part) =>
      part instanceof Error ? part.message : String(part)
    )
    logs.push([labelOf(logLevel), ...parts, ...(Cause.isEmpty(cause) ? [] : [Cause.pretty(cause)])].join(" "))
  })
  return Effect.provide(use(logs), Logger.add(logger))
}

describe("rule 8", () => {
  it.scoped("rule 8: an observer that throws is logged, and takes neither a connection nor the other observers", () =>
    logging((logs) =>
      Effect.gen(function*() {
        const { app } = makeApp()
        const running = yield* serving(app)
        yield* running.server.observe(({ state }) => {
          throw new Error(`the observer at ${state}`)
        })
        const seen: Array<string> = []
        yield* running.server.observe(({ state }) => void seen.push(state))
        const leaving = yield* idleAfterOne(running.target)
        leaving.leave()
        yield* until("the last state", () => seen.includes("Closed"))
        const report = yield* running.stop
        expect(report).toMatchObject({ outcome: "Drained", connections: { open: 0 } })
        expect(seen).toEqual(["New", "Active", "Idle", "Closed"])
        for (const state of seen) {
          expect(logs).toContainEqual(
            expect.stringMatching(new RegExp(`^WARN A connection observer threw Error: the observer at ${state}`))
          )
        }
      })
    ))

  it.scoped("rule 8: an observer that throws during the drain does not stop it", () =>
    Effect.gen(function*() {
      const { app } = makeApp()
      const running = yield* serving(app, { idleGrace: 0 })
      yield* idleAfterOne(running.target)
      yield* running.server.observe(() => {
        throw new Error("an observer")
      })
      const report = yield* running.stop
      expect(report.connections).toEqual({ open: 1, accepted: 0, completed: 0, idleClosed: 1, cut: 0 })
    }))

  it.scoped("rule 8: an accept error is logged and an event, and the server goes on", () =>
    logging((logs) =>
      Effect.gen(function*() {
        const node = Http.createServer((_, response) => void response.end("ok"))
        const server = yield* Server.make()
        const events = yield* Effect.fork(Stream.runCollect(Stream.take(
          Stream.filter(server.events, Server.Event.$is("AcceptFailed")),
          2
        )))
        const listener = yield* server.listen(() => node, { host: "127.0.0.1", port: 0 })
        yield* Effect.yieldNow()
        // what Node does with EMFILE
        const failed = Object.assign(new Error("accept EMFILE"), { code: "EMFILE" })
        yield* until("a reader", () => {
          node.emit("error", failed)
          return events.unsafePoll() !== null
        })
        expect(Chunk.toReadonlyArray(yield* Fiber.join(events)).map(({ error }) => error)).toEqual([failed, failed])
        expect(logs).toContainEqual(
          expect.stringMatching(
            /^WARN The system could not accept a connection; the server goes on Error: accept EMFILE/
          )
        )
        expect((yield* answer(yield* idleAfterOne(targetOf(listener.address)))).body).toBe("ok")
        expect(yield* server.phase.get).toBe("Serving")
      })
    ))

  it.scoped("rule 8: clients that speak no HTTP are closed, and disturb nobody", () =>
    Effect.gen(function*() {
      const { gate, held: busy, running } = yield* servingHeld()
      const nonsense = ["\u0000\u0001\u0002\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "\u0016\u0003\u0001"]
      const bad = (text: string) =>
        Effect.gen(function*() {
          const raw = yield* client(running.target)
          yield* send(raw, text)
          expect(yield* Effect.promise(() => raw.untilEnded(5000))).toMatch(/fin|reset/)
        })
      for (const text of nonsense) yield* bad(text)
      const late = yield* client(running.target)
      yield* running.drain
      yield* send(late, "GET\r\n\r\n")
      yield* Effect.promise(() => late.untilEnded(5000))
      yield* gate.open
      expect((yield* answer(busy)).body).toBe("held")
      const report = yield* running.report
      expect(report).toMatchObject({ outcome: "Drained", served: 1, cut: [], forceClosed: [] })
      expect(report.connections).toEqual({ open: 2, accepted: 0, completed: 2, idleClosed: 0, cut: 0 })
    }))

  it.scoped("rule 8: a reader of the events that falls behind, or leaves, holds nothing up", () =>
    Effect.gen(function*() {
      const { app } = makeApp()
      const running = yield* serving(app)
      const stuck = yield* Effect.fork(Stream.runForEach(running.server.events, () => Effect.never))
      const left = yield* Effect.fork(Stream.runDrain(running.server.events))
      const raw = yield* idleAfterOne(running.target)
      yield* Fiber.interrupt(left)
      raw.leave()
      expect((yield* running.stop).outcome).toBe("Drained")
      yield* real("the end of the stuck reader", Fiber.interrupt(stuck))
    }))
})
