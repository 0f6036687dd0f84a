import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/TestClock"
import { makeApp } from "../../support/handlers.js"
import { connect } from "../../support/rawClient.js"
import { serving, until } from "../../support/running.js"

// Rule 10: the event loop never stalls for the drain: connections are closed in batches, a batch to a turn. What is
// counted is turns and not time, so that it holds on a busy machine too; test/scenarios measures the time.

const batch = 64

/** How many of these happen between two turns of the event loop, at the most. */
const countByTurn = () => {
  let turn = 0
  let counting = true
  const counts = new Map<number, number>()
  const next = () => {
    turn++
    if (counting) setImmediate(next)
  }
  next()
  return {
    count: () => void counts.set(turn, (counts.get(turn) ?? 0) + 1),
    stop: () => {
      counting = false
      return { most: Math.max(...counts.values()), turns: counts.size }
    }
  }
}

const connections = 500

describe("rule 10", () => {
  const closing = {
    "when draining starts": { newConnectionGrace: 0 },
    "at the deadline": { timeout: "1 second" as const, killTimeout: 0 }
  }
  for (const [when, policy] of Object.entries(closing)) {
    it.scoped(`rule 10: ${connections} connections are closed ${when}, a batch to a turn of the event loop`, () =>
      Effect.gen(function*() {
        const { app } = makeApp()
        const running = yield* serving(app, policy)
        const turns = countByTurn()
        yield* running.server.observe(({ state }) => {
          if (state === "Closed") turns.count()
        })
        const raws = yield* Effect.acquireRelease(
          Effect.promise(() => Promise.all(Array.from({ length: connections }, () => connect(running.target)))),
          (raws) => Effect.sync(() => raws.forEach((raw) => raw.leave()))
        )
        yield* until("all of them", () => Effect.runSync(running.server.connections).length === connections)
        yield* running.drain
        yield* TestClock.adjust("1 second")
        const report = yield* running.report
        const { most, turns: needed } = turns.stop()
        expect(report.connections).toMatchObject({ open: connections, completed: 0 })
        expect(report.connections.idleClosed + report.connections.cut).toBe(connections)
        // the first batch may begin in a timer or a read, and share its turn with the second
        expect(most).toBeLessThanOrEqual(2 * batch)
        expect(needed).toBeGreaterThanOrEqual(Math.ceil(connections / batch) - 1)
        for (const raw of raws) yield* until("the end of a connection", () => raw.ending !== "open")
      }))
  }
})
