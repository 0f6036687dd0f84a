import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as FastCheck from "fast-check"
import type { Server } from "../../../src/index.js"
import { forAll } from "../../support/forAll.js"
import { makeApp } from "../../support/handlers.js"
import { client, get, real, reportOf, send, serving } from "../../support/running.js"

// Rule 6: a hook runs exactly once, whatever the number of `shutdown` callers, and all callers get the same report.

const ways = {
  shutdown: (server: Server.ServerService) => reportOf(server.shutdown),
  closed: (server: Server.ServerService) => reportOf(server.closed),
  close: (server: Server.ServerService) => server.close
}

const way = FastCheck.constantFrom<Array<keyof typeof ways>>("shutdown", "shutdown", "closed", "close")

describe("rule 6", () => {
  it("rule 6: whoever calls, and when, every hook runs once and there is one report", () =>
    forAll(30, {
      before: FastCheck.array(way, { maxLength: 4 }),
      during: FastCheck.array(way, { maxLength: 4 }),
      after: FastCheck.array(way, { maxLength: 4 }),
      leaving: FastCheck.array(FastCheck.nat({ max: 3 }), { maxLength: 2 }),
      busy: FastCheck.boolean()
    }, ({ after, before, busy, during, leaving }) =>
      Effect.gen(function*() {
        const { app, gate } = makeApp()
        const running = yield* serving(app)
        const ran: Record<string, number> = { one: 0, two: 0 }
        for (const name of Object.keys(ran)) {
          yield* running.server.onShutdown(name, Effect.sync(() => ran[name]!++))
        }
        if (busy) {
          yield* send(yield* client(running.target), get("/hold"))
          yield* gate.untilStarted(1)
        }
        const call = (name: keyof typeof ways) => Effect.fork(ways[name](running.server))
        const callers = yield* Effect.forEach([...before], call)
        // a caller that is interrupted takes nothing with it
        yield* Effect.forEach(leaving, (index) => {
          const caller = callers[index]
          return caller === undefined ? Effect.void : Fiber.interrupt(caller)
        })
        yield* running.interrupt
        callers.push(...(yield* Effect.forEach(during, call)))
        yield* gate.open
        const report = yield* running.report
        callers.push(...(yield* Effect.forEach(after, call)))
        for (const [index, caller] of callers.entries()) {
          const exit = yield* real("a caller", Fiber.await(caller))
          if (leaving.includes(index) && exit._tag === "Failure") continue
          expect(exit._tag === "Success" && exit.value).toBe(report)
        }
        const closes = [...before, ...during].includes("close")
        // `close` runs no hooks, if it came before draining started (Go's rule E2)
        if (!closes) expect(ran).toEqual({ one: 1, two: 1 })
        else expect(new Set(Object.values(ran)).size).toBe(1)
        expect(report.hooks).toHaveLength(ran["one"] === 1 ? 2 : report.hooks.length)
        expect(Math.max(...Object.values(ran))).toBeLessThanOrEqual(1)
      })))
})
