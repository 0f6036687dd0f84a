import { describe, expect, it } from "vitest"
import { get } from "../support/httpRequests.js"
import { type HttpResponse, saysClose } from "../support/httpResponses.js"
import { type RawClient, withClient } from "../support/rawClient.js"
import { pace } from "../support/wait.js"
import { withApp } from "./appInProcess.js"
import { repeatShutdowns } from "./repeatedShutdowns.js"

// Pins internal/node: destroySoon, isPausedByNode

// Node runs the handlers of pipelined requests as they arrive, and sends the responses in order. `Connection: close` on
// any but the last would end the connection under the others.

const drained = { outcome: "Drained", cut: [] }

const untilAll = async (client: RawClient, count: number) => {
  const { responses } = await client.untilResponses(count, 15_000)
  await client.untilEnded(2000)
  return responses
}

const statuses = (responses: ReadonlyArray<HttpResponse>) => responses.map((response) => response.status)

/** Which of the responses said close: only the last may. */
const closing = (responses: ReadonlyArray<HttpResponse>) =>
  responses.flatMap((response, index) => saysClose(response) ? [index + 1] : [])

const ok = (count: number) => Array<number>(count).fill(200)

describe("pipelined requests", () => {
  // The handlers of the later ones have answered before the shutdown began: no response can say close any more.
  it("are all answered when only the first is still being made", async () => {
    await withApp(async ({ interrupt, report, started, target }) => {
      await withClient(target, async (client) => {
        await client.write(get("/slow/200") + get("/").repeat(9))
        await started()
        interrupt()
        const responses = await untilAll(client, 10)
        expect(statuses(responses)).toEqual(ok(10))
        expect(closing(responses)).toEqual([])
      })
      expect(await report()).toMatchObject({ ...drained, served: 10 })
    })
  })

  it("are all answered, and only the last answer says close", async () => {
    await withApp(async ({ interrupt, report, started, target }) => {
      await withClient(target, async (client) => {
        await client.write(get("/slow/100") + get("/") + get("/slow/300") + get("/") + get("/slow/200"))
        await started(3)
        interrupt()
        const responses = await untilAll(client, 5)
        expect(statuses(responses)).toEqual(ok(5))
        expect(closing(responses)).toEqual([5])
      })
      expect(await report()).toMatchObject({ ...drained, served: 5 })
    })
  })

  it("are answered when they are sent behind a running request after the shutdown began", async () => {
    await withApp(async ({ interrupt, report, started, target }) => {
      await withClient(target, async (client) => {
        await client.write(get("/slow/1500"))
        await started()
        interrupt()
        await pace(50)
        await client.write(get("/").repeat(5))
        const responses = await untilAll(client, 6)
        expect(statuses(responses)).toEqual(ok(6))
        expect(closing(responses)).toEqual([6])
      })
      expect(await report()).toMatchObject({ ...drained, served: 6 })
    })
  })

  it("are answered when they are on the wire together as the shutdown begins", async () => {
    await withApp(async ({ interrupt, report, target }) => {
      await withClient(target, async (client) => {
        await client.write(get("/"))
        await client.untilResponses(1, 15_000)
        // The kernel has them; the server reads them in a later turn, all at once.
        await client.write(get("/").repeat(5))
        interrupt()
        const responses = await untilAll(client, 6)
        expect(statuses(responses)).toEqual(ok(6))
        expect(closing(responses).filter((nth) => nth < 6)).toEqual([])
      })
      expect(await report()).toMatchObject(drained)
    })
  })

  it("are answered when the head of the last is half there as the others are answered", async () => {
    await withApp(async ({ interrupt, report, started, target }) => {
      await withClient(target, async (client) => {
        await client.write(get("/slow/100") + get("/").slice(0, 10))
        await started()
        interrupt()
        await client.untilResponses(1, 15_000)
        await pace(200)
        await client.write(get("/").slice(10))
        const responses = await untilAll(client, 2)
        expect(statuses(responses)).toEqual(ok(2))
        expect(closing(responses)).toEqual([2])
      })
      expect(await report()).toMatchObject({ ...drained, served: 2 })
    })
  })

  it("get responses larger than the socket's buffers whole, once their client reads", { timeout: 30_000 }, async () => {
    await repeatShutdowns(2, {}, async ({ ended, signal, target }) => {
      await withClient(target, async (client) => {
        await client.write(get("/big/8") + get("/stream/8") + get("/pipe/8") + get("/big/8") + get("/"))
        // The first response has filled the buffers by now.
        await pace(300)
        signal()
        await pace(300)
        client.resume()
        const responses = await untilAll(client, 5)
        expect(statuses(responses)).toEqual(ok(5))
        expect(responses.map((response) => response.body.length)).toEqual([
          ...Array<number>(4).fill(8 * 1024 * 1024),
          2
        ])
      }, { paused: true })
      expect(await ended()).toMatchObject({ outcome: "Drained", cut: 0, served: 5 })
    })
  })
})
