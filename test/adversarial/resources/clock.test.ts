import { describe, expect, it } from "vitest"
import { connect } from "../../support/rawClient.js"
import { get } from "../../support/running.js"
import { now, pace, timerGrain } from "../../support/wait.js"
import type { Kind } from "../support/site.js"
import { limit, withSiteProcess } from "../support/siteProcess.js"

// The wall clock jumps by hours: NTP sets it, or a machine that was suspended wakes up. Graces and deadlines last as
// long as they do otherwise: an idle connection is neither closed at once nor held for hours.

const hour = 3_600_000

type Jump = readonly [kind: Kind, direction: "forwards" | "backwards", when: "before" | "within"]

const jumps: ReadonlyArray<Jump> = [
  ["an Effect app", "forwards", "before"],
  ["an Effect app", "backwards", "within"],
  ["an adopted node:http server", "backwards", "before"],
  ["an adopted node:http server", "forwards", "within"]
]

const idleGrace = 3000

const hours = (direction: Jump[1]): number => direction === "forwards" ? 3 * hour : -3 * hour

for (const [kind, direction, when] of jumps) {
  describe.concurrent(`the wall clock of ${kind} jumps ${direction} by three hours`, { timeout: 60_000 }, () => {
    it(`${when} the drain: idle connections have their grace, and no more than it`, () =>
      withSiteProcess(kind, { timeout: "1 minute", idleGrace, newConnectionGrace: 4500 }, async (siteProcess) => {
        const { child, port } = siteProcess
        const [crossing, idle, fresh, held] = await Promise.all([1, 2, 3, 4].map(() => connect({ port })))
        try {
          await held!.write(get("/hold"))
          await held!.untilText("first ", limit)
          for (const client of [crossing!, idle!]) {
            await client.write(get("/"))
            await client.untilResponses(1, limit)
          }
          if (when === "before") await siteProcess.tell(`jump ${hours(direction)}`, "jumped")
          const signalledAt = now()
          child.signal("SIGTERM")
          await pace(300)
          if (when === "within") await siteProcess.tell(`jump ${hours(direction)}`, "jumped")
          await pace(300)
          // its grace is not over: this request was already on its way
          await crossing!.write(get("/crossing"))
          expect((await crossing!.untilResponses(2, limit)).responses[1]).toMatchObject({ status: 200 })
          await idle!.untilEnded(limit)
          expect(idle!.endedAt! - signalledAt).toBeGreaterThan(idleGrace / 2)
          await fresh!.untilEnded(limit)
          expect(fresh!.endedAt! - signalledAt).toBeGreaterThan(idleGrace)
          await siteProcess.tell("release", "released")
          await held!.untilText("last", limit)
          const report = await siteProcess.ended(limit)
          expect(report).toMatchObject({
            outcome: "Drained",
            cut: [],
            connections: { open: 4, completed: 1, idleClosed: 3, cut: 0 }
          })
          expect(millisOf(report["duration"])).toBeGreaterThan(idleGrace)
          expect(millisOf(report["duration"])).toBeLessThan(limit * 2)
        } finally {
          for (const client of [crossing, idle, fresh, held]) client!.leave()
        }
      }))
  })
}

for (const [kind, direction] of jumps.slice(0, 2)) {
  describe.concurrent(`the wall clock of ${kind} jumps ${direction} in the drain`, { timeout: 60_000 }, () => {
    it("the deadline and the kill come when they would have", () =>
      withSiteProcess(kind, { timeout: 1500, killTimeout: 1000, idleGrace: 0 }, async (siteProcess) => {
        const held = await connect({ port: siteProcess.port })
        try {
          await held.write(get("/hold"))
          await held.untilText("first ", limit)
          siteProcess.child.signal("SIGTERM")
          await pace(300)
          await siteProcess.tell(`jump ${hours(direction)}`, "jumped")
          await held.untilEnded(limit)
          const report = await siteProcess.ended(limit)
          expect(report).toMatchObject({
            outcome: "DeadlineExceeded",
            cut: [{ path: "/hold", clientReceived: "truncated" }]
          })
          expect(millisOf(report["duration"])).toBeGreaterThanOrEqual(1500 - timerGrain)
          expect(millisOf(report["duration"])).toBeLessThan(1500 + 1000 + 3000)
        } finally {
          held.leave()
        }
      }))
  })
}

/** A duration that has been sent as JSON. */
const millisOf = (duration: unknown): number => {
  if (typeof duration !== "object" || duration === null || !("millis" in duration)) throw new Error("no duration")
  return Number(duration.millis)
}
