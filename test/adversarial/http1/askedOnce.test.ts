import * as Http from "node:http"
import { expect, it } from "vitest"
import { quiesce } from "../../../src/promise.js"
import { get } from "../../support/httpRequests.js"
import { listenOnLoopback, portOf } from "../../support/nodeServer.js"
import { withClient } from "../../support/rawClient.js"
import { limit } from "../../support/running.js"
import { pace, waitFor } from "../../support/wait.js"

// A drain asks each connection to leave several times: what waits on it is prepared for that once, or a client that has
// sent thousands of requests costs thousands of steps each time.

it("a response that waits is prepared for its end once", async () => {
  const held: Array<Http.ServerResponse> = []
  const app = Http.createServer((_, response) => void held.push(response))
  await listenOnLoopback(app)
  const server = quiesce(app, { logger: false, timeout: 5000 })
  await withClient({ port: portOf(app) }, async (client) => {
    await client.write(get("/").repeat(3))
    await waitFor("all requests", () => held.length === 3, limit)
    const report = server.shutdown()
    await waitFor("the drain", () => server.phase() === "Draining", limit)
    const prepared = held.map(({ writeHead }) => writeHead)
    for (const writeHead of prepared) expect(writeHead).not.toBe(Http.ServerResponse.prototype.writeHead)
    // until event streams and WebSockets have been ended
    await pace(700)
    held.forEach(({ writeHead }, index) => expect(writeHead).toBe(prepared[index]))
    for (const response of held) response.end("whole")
    await client.untilResponses(3, limit)
    expect(await report).toMatchObject({ outcome: "Drained", served: 3, cut: [] })
  })
})
