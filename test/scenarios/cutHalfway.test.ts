import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import { get } from "../support/httpRequests.js"
import { type RawClient, withClient } from "../support/rawClient.js"
import { waitFor } from "../support/wait.js"
import { withApp } from "./appInProcess.js"

// Node calls a response whose socket was destroyed under it `writableFinished`: there is nothing left to write.

const megabyte = 1024 * 1024

const halfRead = async (client: RawClient) => {
  await client.write(get("/big/50"))
  await waitFor("the first megabyte", () => client.bytes > megabyte, 15_000)
}

describe("a 50 MB response that is not whole when it is cut", () => {
  for (const how of ["the deadline", "close"] as const) {
    it(`by ${how} is reported as truncated, and as nothing that was served`, () =>
      withApp((app) =>
        withClient(app.target, async (client) => {
          await halfRead(client)
          if (how === "close") await Effect.runPromise(app.server.close)
          const report = await app.report()
          expect(report).toMatchObject({
            outcome: how === "close" ? "Closed" : "DeadlineExceeded",
            served: 0,
            cut: [{ method: "GET", path: "/big/50", clientReceived: "truncated" }]
          })
          await client.untilEnded(10_000)
          expect(client.bytes).toBeLessThan(50 * megabyte)
        }, { bytesPerSecond: 5 * megabyte }), { listen: { timeout: 300, killTimeout: 100 } }))
  }

  it("by its own client is not counted as served", () =>
    withApp(async (app) => {
      await withClient(app.target, halfRead, { bytesPerSecond: 5 * megabyte })
      const report = await app.report()
      expect(report).toMatchObject({ outcome: "Drained", served: 0, cut: [] })
    }))
})
