import * as Http from "node:http"
import { describe, expect, it } from "vitest"
import { type Options, quiesce, type Report } from "../../../src/promise.js"
import { get } from "../../support/httpRequests.js"
import { saysClose } from "../../support/httpResponses.js"
import { listenOnLoopback, portOf } from "../../support/nodeServer.js"
import { type RawClient, withClient } from "../../support/rawClient.js"
import { limit } from "../../support/running.js"
import { waitFor } from "../../support/wait.js"

// A server is adopted while a client of it waits for several answers. Node shows the first of these requests alone.

/** `count` requests, each of which waits for its answer, of a server that drains since it was adopted. */
const withAdopted = async (
  count: number,
  policy: Options,
  run: (client: RawClient, held: Array<Http.ServerResponse>, report: Promise<Report>) => Promise<void>
) => {
  const held: Array<Http.ServerResponse> = []
  const app = Http.createServer((_, response) => void held.push(response))
  await listenOnLoopback(app)
  await withClient({ port: portOf(app) }, async (client) => {
    await client.write(Array.from({ length: count }, (_, index) => get(`/${index}`)).join(""))
    await waitFor("all requests", () => held.length === count, limit)
    const server = quiesce(app, { logger: false, ...policy })
    const report = server.shutdown()
    await waitFor("the drain", () => server.phase() === "Draining", limit)
    await run(client, held, report)
  })
}

describe("requests that were pipelined before their server was adopted", () => {
  it.each([1, 2, 3, 40])(
    "are all answered, and are in the report (%i of them)",
    (count) =>
      withAdopted(count, { timeout: 5000, idleGrace: 100 }, async (client, held, report) => {
        // the later ones are answered first, and wait in Node
        for (const response of held.reverse()) response.end(`answer to ${response.req.url}`)
        const { responses } = await client.untilResponses(count, limit)
        expect(responses.map(({ body }) => String(body))).toEqual(
          Array.from({ length: count }, (_, index) => `answer to /${index}`)
        )
        await client.untilEnded(limit)
        expect(await report).toMatchObject({ outcome: "Drained", served: count, cut: [] })
      })
  )

  it("and the one that comes after them says close", () =>
    withAdopted(2, { timeout: 5000, idleGrace: 100 }, async (client, held, report) => {
      await client.write(get("/2"))
      await waitFor("the third", () => held.length === 3, limit)
      for (const response of held) response.end("whole")
      const { responses } = await client.untilResponses(3, limit)
      expect(responses.map(({ status }) => status)).toEqual([200, 200, 200])
      expect(responses.map(saysClose)).toEqual([false, false, true])
      await client.untilEnded(limit)
      expect(await report).toMatchObject({ outcome: "Drained", served: 3, cut: [] })
    }))

  it("are cut at the deadline, and each is in the report", () =>
    withAdopted(2, { timeout: 500, killTimeout: 100 }, async (client, held, report) => {
      held[0]?.end("whole")
      await client.untilResponses(1, limit)
      const { cut, served } = await report
      expect({ served, cut: cut.map(({ path }) => path) }).toEqual({ served: 1, cut: ["/1"] })
    }))
})
