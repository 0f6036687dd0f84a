import { describe, expect, it } from "vitest"
import type { RawClient } from "../../support/rawClient.js"
import { waitFor } from "../../support/wait.js"
import { withAttackedSite } from "../support/attackedSite.js"
import { limit } from "../support/boundedShutdown.js"
import { kinds } from "../support/site.js"

// Slowloris: clients that send their head or their body, or read their answer, as slowly as they like. Node's own
// timeouts go on while draining, and the deadline bounds what they do not.

const attackers = 30

const dripping = (clients: ReadonlyArray<RawClient>, piece: string) => {
  const timer = setInterval(() => {
    for (const { ending, socket } of clients) if (ending === "open" && socket.writable) socket.write(piece)
  }, 50)
  return () => clearInterval(timer)
}

/** Node looks for those whose time is over this often. */
const timeouts = { headersTimeout: 600, requestTimeout: 900, connectionsCheckingInterval: 100 }

/** Long enough for every attacker to have begun before the first one's time is over. */
const longerTimeouts = { headersTimeout: 2500, requestTimeout: 3000, connectionsCheckingInterval: 100 }

const head = "POST /echo HTTP/1.1\r\nHost: test\r\nX-Slow: "
const body = "POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 100000\r\n\r\n"

for (const kind of kinds) {
  describe(`slowloris, against ${kind}`, () => {
    for (const [where, begins] of [["head", head], ["body", body]] as const) {
      it(`in the ${where}: Node's timeouts end it while serving`, () =>
        withAttackedSite(kind, async (attacked) => {
          const slow = await Promise.all(Array.from({ length: attackers }, () => attacked.attacker()))
          for (const raw of slow) await raw.write(begins)
          const stop = dripping(slow, "x")
          try {
            for (const raw of slow) await raw.untilEnded(limit)
            expect(slow.map((raw) => raw.parsed().responses[0]?.status)).toEqual(slow.map(() => 408))
            await attacked.honest.served(3, limit)
          } finally {
            stop()
          }
          const { report } = await attacked.shutdown()
          expect(report).toMatchObject({ outcome: "Drained", cut: [], forceClosed: [] })
        }, { node: timeouts }))

      it(`in the ${where}: Node's timeouts end it while draining, too, long before the deadline`, () =>
        withAttackedSite(kind, async (attacked) => {
          const slow = await Promise.all(Array.from({ length: attackers }, () => attacked.attacker()))
          for (const raw of slow) await raw.write(begins)
          // who ran out of time while others still came has been seen, too
          const ended = () => slow.filter(({ ending }) => ending !== "open").length
          await waitFor("all to be seen", () => attacked.connections().length + ended() > attackers, limit)
          expect(ended()).toBeLessThan(attackers)
          const stop = dripping(slow, "x")
          try {
            const { millis, report } = await attacked.shutdown()
            expect(report).toMatchObject({ outcome: "Drained", cut: [], forceClosed: [] })
            expect(millis).toBeLessThan(10_000)
          } finally {
            stop()
          }
        }, { node: longerTimeouts, policy: { timeout: 30_000 } }))

      it(`in the ${where}: the deadline ends it where no timeout does`, () =>
        withAttackedSite(kind, async (attacked) => {
          const slow = await Promise.all(Array.from({ length: attackers }, () => attacked.attacker()))
          for (const raw of slow) await raw.write(begins)
          await waitFor("all to be seen", () => attacked.connections().length > attackers, limit)
          const stop = dripping(slow, "x")
          try {
            const { report } = await attacked.shutdown()
            // who has not sent a whole head is owed nothing; who has been heard was executed, and was cut
            expect(report.forceClosed.length).toBe(where === "head" ? attackers : 0)
            expect(report.cut.length).toBe(where === "head" ? 0 : attackers)
            expect(report.connections.cut).toBe(attackers)
            expect(attacked.site.executed.filter((each) => each.includes("xxx"))).toEqual([])
            for (const raw of slow) await raw.untilEnded(limit)
          } finally {
            stop()
          }
        }, { node: { headersTimeout: 0, requestTimeout: 0 }, policy: { timeout: 1000 } }))
    }

    it("in reading: what nobody reads is not made, the honest are served, and the deadline cuts it", () =>
      withAttackedSite(kind, async (attacked) => {
        const slow = await Promise.all(Array.from({ length: attackers }, () => attacked.attacker({ paused: true })))
        for (const raw of slow) await raw.write("GET /big/64 HTTP/1.1\r\nHost: test\r\n\r\n")
        await waitFor(
          "all to be answered",
          () =>
            attacked.connections().filter(({ inFlight }) => inFlight.some(({ path }) => path === "/big/64")).length
              === attackers,
          limit
        )
        await attacked.honest.served(5, limit)
        const { report } = await attacked.shutdown()
        expect(report.cut.length).toBe(attackers)
        expect(new Set(report.cut.map(({ clientReceived }) => clientReceived))).toEqual(new Set(["truncated"]))
        // of 64 MiB each: what the buffers of the system hold, and Node's
        expect(attacked.site.produced() / attackers).toBeLessThan(10 * 1024 * 1024)
        await attacked.honest.stop(limit)
      }, { policy: { timeout: 1500 } }))

    it("in reading: who reads at all has the whole response before the deadline", () =>
      withAttackedSite(kind, async (attacked) => {
        const slow = await attacked.attacker({ bytesPerSecond: 8 * 1024 * 1024 })
        await slow.write("GET /big/12 HTTP/1.1\r\nHost: test\r\n\r\n")
        await slow.untilText("HTTP/1.1 200", limit)
        const { report } = await attacked.shutdown()
        const [response] = (await slow.untilResponses(1, limit)).responses
        expect(response?.body.length).toBe(12 * 1024 * 1024)
        expect(report).toMatchObject({ outcome: "Drained", cut: [] })
      }, { policy: { timeout: 15_000 } }))
  })
}
