import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"
import * as FastCheck from "fast-check"
import type { Connection } from "../../../src/index.js"
import { forAll } from "../../support/forAll.js"
import { makeApp } from "../../support/handlers.js"
import { real, reportOf, serving, untilPhase } from "../../support/running.js"
import { histories, playBeforeShutdown, playDuringDrain } from "./clientHistories.js"

// Rule 7: every connection is seen New once and Closed once, and Closed is seen before the report is returned.

/** Go's state machine (rule A1), with what this one adds: Hijacked ends Closed. */
const mayFollow: Record<Connection.ConnectionState, ReadonlyArray<Connection.ConnectionState>> = {
  New: ["Active", "Closed"],
  Active: ["Idle", "Hijacked", "Closed"],
  Idle: ["Active", "Closed"],
  Hijacked: ["Closed"],
  Closed: []
}

describe("rule 7", () => {
  it("rule 7: over any history, and however it ends, each connection is New once and Closed once, before the report", () =>
    forAll(30, {
      clients: histories,
      ends: FastCheck.constantFrom("drained" as const, "cut" as const, "closed" as const)
    }, ({ clients, ends }) =>
      Effect.gen(function*() {
        const { app, gate } = makeApp()
        const running = yield* serving(app, { timeout: "1 second", killTimeout: 0 })
        const seen: Array<Connection.Connection> = []
        yield* running.server.observe((connection) => void seen.push(connection))
        let atReport: number | undefined = undefined
        const noted = yield* Effect.fork(Effect.tap(reportOf(running.server.closed), () =>
          Effect.sync(() => {
            atReport = seen.length
          })))

        const playing = yield* playBeforeShutdown(running.target, clients)
        if (ends === "closed") yield* running.server.close
        // and no longer: what comes next may meet a listener that has not closed yet
        yield* running.interrupt
        yield* untilPhase(running.server, "Draining", "Closed")
        yield* playDuringDrain(playing)
        if (ends === "drained") yield* gate.open
        yield* TestClock.adjust("1 second")
        const report = yield* running.report
        yield* gate.open
        yield* real("the report", Fiber.join(noted))

        const all = report.connections.open + report.connections.accepted
        const ids = new Set(seen.map(({ id }) => id))
        expect(ids.size).toBeGreaterThanOrEqual(all)
        for (const id of ids) {
          const states = seen.filter((connection) => connection.id === id).map(({ state }) => state)
          expect(states[0]).toBe("New")
          expect(states.at(-1)).toBe("Closed")
          states.slice(1).forEach((state, index) => expect(mayFollow[states[index]!]).toContain(state))
        }
        // nothing was seen after the report
        expect(atReport).toBe(seen.length)
        expect(yield* running.server.connections).toEqual([])
        const { cut, idleClosed, completed } = report.connections
        expect(completed + idleClosed + cut).toBe(all)
      })))
})
