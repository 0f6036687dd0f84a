import { mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import type { AppOptions } from "../conformance/stock/app.js"
import { startBusyClients } from "../support/busyClient.js"
import { waitFor } from "../support/wait.js"
import { executedUnanswered, repeatShutdowns } from "./repeatedShutdowns.js"

// Closing a listening socket resets every connection that the kernel has completed and Node has not accepted: 30 of 32
// at each shutdown. So the queue is made short and served dry first.

const shutdowns = 20
const clients = 32

const overAllShutdowns = async (listen: NonNullable<AppOptions["listen"]>) => {
  let reset = 0
  let refused = 0
  await repeatShutdowns(shutdowns, { listen }, async ({ executed, shutDown, target }) => {
    const busy = startBusyClients(target, { clients, method: "POST", path: "/orders", connections: "perRequest" })
    await waitFor("every client to be busy", () => busy.tally.answered > 200, 15_000)
    const report = await shutDown()
    const tally = await busy.stop(3000)
    expect(tally.unanswered).toBe(0)
    expect(executedUnanswered(executed(), tally.answeredIds).filter((id) => tally.sentIds.has(id))).toEqual([])
    expect(report).toMatchObject({ outcome: "Drained", cut: 0 })
    reset += tally.lostOpening + tally.lostEstablished
    refused += tally.refused
  })
  return { reset, refused }
}

describe(`${clients} clients that open a connection for each request`, () => {
  for (
    const [where, listen] of [
      ["over TCP", {}],
      ["over a Unix socket", { path: join(mkdtempSync(join(tmpdir(), "quiesce-")), "app.sock") }]
    ] as const
  ) {
    it(
      `have at most 1 connection in 100 reset over ${shutdowns} shutdowns, ${where}`,
      { timeout: 60_000 },
      async () => {
        const { refused, reset } = await overAllShutdowns(listen)
        const open = clients * shutdowns
        expect(reset).toBeLessThanOrEqual(open / 100)
        // Each client ends by learning that the server is gone; almost all in the way that is safe to retry.
        expect(refused).toBeGreaterThanOrEqual(open - open / 100)
      }
    )
  }
})
