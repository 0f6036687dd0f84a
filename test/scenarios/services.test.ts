import { describe, expect, it } from "vitest"
import { get } from "../support/httpRequests.js"
import { withClient } from "../support/rawClient.js"
import { withApp } from "./appInProcess.js"
import { repeatShutdowns } from "./repeatedShutdowns.js"

// The pool is provided between the app and the server, where stock platform-node closes it first.

describe("a database pool", () => {
  it("outlives the requests that use it, and those that arrive while it stops", async () => {
    await withApp(async ({ interrupt, report, said, started, target }) => {
      const answers = await withClient(target, async (idle) => {
        await idle.write(get("/"))
        await idle.untilResponses(1, 15_000)
        return withClient(target, async (running) => {
          await running.write(get("/query/400"))
          await started()
          interrupt()
          await idle.write(get("/query/300"))
          const parsed = await Promise.all([running.untilResponses(1, 15_000), idle.untilResponses(2, 5000)])
          return parsed.map(({ responses }) => responses.at(-1)!.body.toString())
        })
      })
      // From a closed pool they would be 500s.
      expect(answers).toEqual(["rows", "rows"])
      expect(await report()).toMatchObject({ outcome: "Drained", served: 2 })
      expect(said("pool closed")).toHaveLength(1)
    })
  })

  it("is closed after the last answer, with SIGTERM as with SIGINT", { timeout: 30_000 }, async () => {
    await repeatShutdowns(2, {}, async ({ child, ended, round, signal, target }) => {
      await withClient(target, async (client) => {
        await client.write(get("/query/300"))
        await child.line("started", 5000, round)
        signal()
        const { responses } = await client.untilResponses(1, 15_000)
        expect(responses[0]!.body.toString()).toBe("rows")
      })
      expect(await ended()).toMatchObject({ outcome: "Drained", served: 1 })
      expect(child.linesOf("pool closed")).toHaveLength(round)
    })
  })
})
