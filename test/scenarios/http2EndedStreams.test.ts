import { once } from "node:events"
import * as Http2 from "node:http2"
import { describe, expect, it } from "vitest"
import { quiesce } from "../../src/promise.js"
import { certificate } from "../support/certificate.js"
import { createServer, listenOnLoopback, portOf } from "../support/nodeServer.js"
import { waitFor } from "../support/wait.js"

// A stream that has ended in a drain is not waited for while another one of its session goes on.

const limit = 15_000
const { NGHTTP2_INTERNAL_ERROR } = Http2.constants

const endings: { readonly [path: string]: (response: Http2.Http2ServerResponse) => void } = {
  "/whole": (response) => void response.end("the rest"),
  "/destroyed": ({ stream }) => void stream.on("error", () => {}).destroy(new Error("it has failed")),
  "/failed": ({ stream }) => stream.close(NGHTTP2_INTERNAL_ERROR)
}

describe.each(["h2c", "h2"] as const)("%s", (wire) => {
  it.each(Object.keys(endings))("%s is not waited for any more", async (path) => {
    const responses = new Map<string, Http2.Http2ServerResponse>()
    const node = await listenOnLoopback(createServer(wire, (request, response) => {
      responses.set(request.url, response)
      response.write("a part")
    }))
    const server = quiesce(node, { timeout: limit, logger: false })
    const session = Http2.connect(`${wire === "h2" ? "https" : "http"}://localhost:${portOf(node)}`, {
      ca: certificate.cert,
      lookup: (_, __, callback) => callback(null, [{ address: "127.0.0.1", family: 4 }])
    })
    const streams = ["/other", path].map((each) => session.request({ ":path": each }).resume())
    for (const stream of streams) stream.on("error", () => {})
    await waitFor("both to have begun", () => responses.size === 2, limit)
    const ended = waitFor("the drain", server.shutdown(), limit)
    await waitFor("the GOAWAY", once(session, "goaway"), limit)
    const inFlight = () => server.connections()[0]?.inFlight.map((each) => each.path)
    expect(inFlight()).toEqual(["/other", path])
    // what is on its way while it ends
    responses.get("/other")?.write(Buffer.alloc(50_000))
    endings[path]?.(responses.get(path)!)
    await waitFor(() => `the other one to be left, and not ${inFlight()?.join()}`, () => inFlight()?.length === 1, 5000)
    expect(inFlight()).toEqual(["/other"])
    responses.get("/other")?.end()
    expect(await ended).toMatchObject({ outcome: "Drained", cut: [], served: path === "/whole" ? 2 : 1 })
    session.destroy()
  })
})
