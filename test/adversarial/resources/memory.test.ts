import { describe, expect, it } from "vitest"
import { connect, type RawClient } from "../../support/rawClient.js"
import { get } from "../../support/running.js"
import { waitFor } from "../../support/wait.js"
import { startHonestClients } from "../support/honestClients.js"
import { kinds } from "../support/site.js"
import { limit, withSiteProcess } from "../support/siteProcess.js"

// A heap of 64 MB, and sixty clients that ask for 1 GiB each and read none, or next to none of it: what is not read
// is not made.

const slow = 60
const mebibyte = 1024 * 1024

for (const kind of kinds) {
  describe(`${kind} with little memory`, { timeout: 60_000 }, () => {
    it("makes no more than is read, serves the honest, and drains in its bound", () =>
      withSiteProcess(kind, { timeout: 1500, killTimeout: 500, idleGrace: 200 }, async (siteProcess) => {
        const { child, port } = siteProcess
        const honest = startHonestClients({ port })
        const clients: Array<RawClient> = []
        try {
          await honest.served(1, limit)
          const before = Number((await siteProcess.tell("memory", "memory"))["rss"])
          for (let n = 0; n < slow; n++) {
            const raw = await connect({ port }, n % 2 === 0 ? { paused: true } : { bytesPerSecond: 64 * 1024 })
            clients.push(raw)
            await raw.write(get("/big/1024"))
          }
          await waitFor(
            "every other of them to have had some",
            () => clients.filter(({ bytes }) => bytes > 100_000).length === slow / 2,
            3 * limit
          )
          await honest.served(20, limit)
          const { heapUsed, produced, rss } = await siteProcess.tell("memory", "memory")
          // the buffers of the system take some 3 MB for each at the most; of 1 GiB
          expect(Number(produced) / slow).toBeLessThan(10 * mebibyte)
          expect(Number(heapUsed)).toBeLessThan(64 * mebibyte)
          expect(Number(rss) - before).toBeLessThan(160 * mebibyte)
          honest.closing()
          child.signal("SIGTERM")
          const report = await siteProcess.ended(limit)
          expect(report).toMatchObject({ outcome: "DeadlineExceeded", connections: { cut: slow } })
          expect(honest.wronged).toEqual([])
        } finally {
          for (const raw of clients) raw.leave()
          await honest.stop(limit)
        }
      }, { execArgv: ["--max-old-space-size=64", "--expose-gc"] }))
  })
}
