import { Hash } from "effect"
import * as Http from "node:http"
import type * as Net from "node:net"
import { describe, expect, it } from "vitest"
import { quiesce } from "../../../src/promise.js"
import { get } from "../../support/httpRequests.js"
import { listenOnLoopback, portOf } from "../../support/nodeServer.js"
import { withClient } from "../../support/rawClient.js"
import { limit } from "../../support/running.js"

describe("a connection", () => {
  it("that is hashed leads to no other one of its server", async () => {
    const sockets: Array<Net.Socket> = []
    const responses: Array<Http.ServerResponse> = []
    const app = Http.createServer((_, response) => {
      responses.push(response)
      response.end("ok")
    })
    // the timers of Node lead from one to the next
    app.keepAliveTimeout = 0
    app.on("connection", (socket) => sockets.push(socket))
    const server = quiesce(app, { logger: false })
    await listenOnLoopback(app)
    const target = { port: portOf(app) }
    await withClient(target, (one) =>
      withClient(target, async (other) => {
        for (const client of [one, other]) {
          await client.write(get("/"))
          await client.untilResponses(1, limit)
        }
        let visited = 0
        const [first, second] = sockets
        Object.defineProperty(second, "visited", { enumerable: true, get: () => ++visited })
        expect(Number.isInteger(Hash.hash(first))).toBe(true)
        expect(Number.isInteger(Hash.hash(responses[0]))).toBe(true)
        expect(visited).toBe(0)
      }))
    await server.close()
  })
})
