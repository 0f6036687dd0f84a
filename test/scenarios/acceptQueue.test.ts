import { describe, expect, it } from "vitest"
import { get } from "../support/httpRequests.js"
import { connect, withClient } from "../support/rawClient.js"
import { repeatShutdowns } from "./repeatedShutdowns.js"

// A busy server does not accept at once: the kernel completes connections and keeps them, and what their clients have
// sent, until the event loop comes round. A signal that comes meanwhile must not reset them.

describe("connections that the kernel has accepted and Node has not", () => {
  it("are served when the signal comes while the event loop is blocked", { timeout: 30_000 }, async () => {
    const waiting = 300
    await repeatShutdowns(4, {}, async ({ child, ended, round, signal, target }) => {
      await withClient(target, async (blocker) => {
        await blocker.write(get("/block/500"))
        await child.line("started", 5000, round)
        const clients = await Promise.all(Array.from({ length: waiting }, () => connect(target)))
        await Promise.all(clients.map((client) => client.write(get("/"))))
        signal()
        const answers = await Promise.all(
          clients.map((client) => client.untilResponses(1, 15_000).then(() => "answered", () => client.ending))
        )
        await blocker.untilResponses(1, 15_000)
        clients.forEach((client) => client.leave())
        expect(await ended()).toMatchObject({ outcome: "Drained", cut: 0 })
        expect(answers.filter((answer) => answer === "answered")).toHaveLength(waiting)
      })
    })
  })
})
