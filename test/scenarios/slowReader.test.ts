import { describe, expect, it } from "vitest"
import { get } from "../support/httpRequests.js"
import { withClient } from "../support/rawClient.js"
import { pace, waitFor } from "../support/wait.js"
import { withApp } from "./appInProcess.js"
import { repeatShutdowns } from "./repeatedShutdowns.js"

// A response is done when its last byte has left, and not when the handler called `end()`: `http.Server#close()`
// takes such a connection for idle, and destroys 45 of 50 MB.

const megabyte = 1024 * 1024

/** From memory, from an Effect stream, and from a Node stream that is piped. */
const bodies = ["/big/50", "/stream/50", "/pipe/50"]

describe("a 50 MB response to a client that reads slowly", () => {
  it("arrives whole when a signal comes early in it", { timeout: 120_000 }, async () => {
    // 150 MB through two busy processes: the deadline is another test's subject.
    await repeatShutdowns(2, { listen: { timeout: "1 minute" } }, async ({ ended, signal, target }) => {
      const reading = bodies.map((path) =>
        withClient(target, async (client) => {
          await client.write(get(path))
          await waitFor(`the first megabyte of ${path}`, () => client.bytes > megabyte, 10_000)
          // Until all have begun: none may be through before the signal.
          client.pause()
          begun++
          await waitFor("the signal", () => signalled, 10_000)
          client.readAt(20 * megabyte)
          const { responses } = await client.untilResponses(1, 60_000)
          // A client that left at once could be gone before the server knows that the last byte was taken.
          await client.untilEnded(5000)
          return { path, length: responses[0]!.body.length, complete: responses[0]!.complete }
        }, { bytesPerSecond: 20 * megabyte })
      )
      let begun = 0
      let signalled = false
      await waitFor("every response to have begun", () => begun === bodies.length, 10_000)
      signal()
      signalled = true
      expect(await Promise.all(reading)).toEqual(
        bodies.map((path) => ({ path, length: 50 * megabyte, complete: true }))
      )
      expect(await ended()).toMatchObject({ outcome: "Drained", cut: 0, served: bodies.length })
    })
  })

  it("is waited for while the client reads nothing at all", async () => {
    await withApp(async ({ interrupt, report, target }) => {
      await withClient(target, async (client) => {
        await client.write(get("/big/50"))
        await pace(200)
        interrupt()
        await pace(1000)
        expect(client.ending).toBe("open")
        client.resume()
        const { responses } = await client.untilResponses(1, 15_000)
        expect(responses[0]!.body.length).toBe(50 * megabyte)
      }, { paused: true })
      expect(await report()).toMatchObject({ outcome: "Drained", cut: [], served: 1 })
    })
  })

  it("does not count as served when its client leaves in the middle of it", async () => {
    await withApp(async ({ interrupt, report, target }) => {
      await withClient(target, async (client) => {
        await client.write(get("/big/50"))
        await waitFor("the first megabyte", () => client.bytes > megabyte, 15_000)
        interrupt()
        client.abort()
      }, { bytesPerSecond: 20 * megabyte })
      // Nobody is owed it any more, so it was not cut either.
      expect(await report()).toMatchObject({ outcome: "Drained", cut: [], served: 0, connections: { completed: 1 } })
    })
  })
})
