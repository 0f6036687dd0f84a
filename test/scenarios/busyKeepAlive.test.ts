import { describe, expect, it } from "vitest"
import { startBusyClients } from "../support/busyClient.js"
import { waitFor } from "../support/wait.js"
import { executedUnanswered, repeatShutdowns } from "./repeatedShutdowns.js"

// Closing what looks idle resets a busy client between two of its requests (40 of 40 connections on platform-node
// 0.108; test/conformance/stock has the same clients against it). A connection is told to leave with its next answer instead.

describe("8 keep-alive clients that send one request after the other", () => {
  it("lose nothing on an established connection over 20 shutdowns", { timeout: 60_000 }, async () => {
    let answeredWhileStopping = 0
    let told = 0
    let lostOpening = 0
    await repeatShutdowns(20, {}, async ({ executed, shutDown, target }) => {
      const clients = startBusyClients(target, { clients: 8, method: "POST", path: "/orders" })
      await waitFor("every client to be busy", () => clients.tally.answered > 200, 15_000)
      const before = clients.tally.answered
      const report = await shutDown()
      const tally = await clients.stop(1000)
      expect(tally).toMatchObject({ lostEstablished: 0, unanswered: 0 })
      expect(executedUnanswered(executed(), tally.answeredIds).filter((id) => tally.sentIds.has(id))).toEqual([])
      expect(report).toMatchObject({ outcome: "Drained", cut: 0 })
      answeredWhileStopping += tally.answered - before
      told += tally.toldToClose
      lostOpening += tally.lostOpening
    })
    // They were busy while it stopped: each was answered and told to close.
    expect(answeredWhileStopping).toBeGreaterThanOrEqual(160)
    expect(told).toBeGreaterThanOrEqual(160)
    // Told to close, each opens another connection while the listener closes: 1 in 100 of those 320 may be reset.
    expect(lostOpening).toBeLessThanOrEqual(3)
  })
})
