import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Effect from "effect/Effect"
import { once } from "node:events"
import * as Http2 from "node:http2"
import { describe, expect, it } from "vitest"
import { quiesce } from "../../src/promise.js"
import { drainedWithoutCuts, wires } from "../adversarial/http2/http2Client.js"
import {
  type AttackedServer,
  big,
  makeWork,
  policy,
  withAttackedServer
} from "../adversarial/support/attackedServer.js"
import { limit } from "../adversarial/support/boundedShutdown.js"
import { certificate } from "../support/certificate.js"
import { createServer, portOf } from "../support/nodeServer.js"
import { waitFor } from "../support/wait.js"

// A client resets a stream in the middle of its answer, and says no error, as Node's own client does by default. Up to
// Node 24 its server's `http2` hears nothing of it: no drain waits for such a stream.

const ways = {
  "close()": (stream: Http2.ClientHttp2Stream) => stream.close(),
  "destroy()": (stream: Http2.ClientHttp2Stream) => void stream.destroy()
}

const connect = (port: number, secure: boolean): Http2.ClientHttp2Session =>
  Http2.connect(`${secure ? "https" : "http"}://127.0.0.1:${port}`, secure ? { ca: certificate.cert } : {})
    // cut when the test is over
    .on("error", () => {})

/** Streams whose answers have begun, and are too large to come whole without being read. */
const begin = async (session: Http2.ClientHttp2Session, count: number) => {
  const streams = Array.from({ length: count }, () => session.request({ ":path": "/big" }).on("error", () => {}))
  await Promise.all(streams.map((stream) => waitFor("the head of an answer", once(stream, "response"), limit)))
  return streams
}

/** What is behind it has been read, as everything before it. */
const ping = (session: Http2.ClientHttp2Session) =>
  waitFor("a PING", new Promise<void>((resolve) => void session.ping(() => resolve())), limit)

/** Its handlers have heard of it, which may be after the report. */
const heard = ({ work }: AttackedServer) =>
  waitFor("the end of each response", () => work.executed === work.answered + work.aborted, limit)

const app = Effect.succeed(HttpServerResponse.uint8Array(big))

for (const wire of wires) {
  for (const [api, options] of Object.entries({ "listeners": {}, "an Effect app": { app } })) {
    describe(`a client of ${wire} (${api}) that resets streams with NO_ERROR`, () => {
      for (const [how, reset] of Object.entries(ways)) {
        it(`by ${how}, before the drain, is not waited for`, () =>
          withAttackedServer(wire, async (on, onLeave) => {
            const session = connect(on.port, wire === "h2")
            onLeave(() => session.destroy())
            const streams = await begin(session, 2)
            for (const stream of streams) reset(stream)
            await ping(session)
            const { report } = await on.shutdown()
            expect(report).toMatchObject({ ...drainedWithoutCuts, served: 0 })
            await heard(on)
          }, options))

        it(`by ${how}, during the drain, is not waited for`, () =>
          withAttackedServer(wire, async (on, onLeave) => {
            const session = connect(on.port, wire === "h2")
            onLeave(() => session.destroy())
            const streams = await begin(session, 2)
            const ended = on.shutdown()
            await on.untilPhase("Draining")
            for (const stream of streams) reset(stream)
            const { report } = await ended
            expect(report).toMatchObject({ ...drainedWithoutCuts, served: 0 })
            await heard(on)
          }, options))
      }

      it("gets the answers of its other streams whole", () =>
        withAttackedServer(wire, async (on, onLeave) => {
          const session = connect(on.port, wire === "h2")
          onLeave(() => session.destroy())
          const [first, second] = await begin(session, 2)
          let bytes = 0
          second?.on("data", (chunk: Buffer) => void (bytes += chunk.length))
          first?.close()
          const ended = on.shutdown()
          const { report } = await ended
          expect(report).toMatchObject({ ...drainedWithoutCuts, served: 1 })
          await heard(on)
          await waitFor(() => `${big.length} bytes, not ${bytes}`, () => bytes === big.length, limit)
        }, options))
    })
  }
}

describe("a client of HTTP/2 that resets streams with NO_ERROR, of a server taken over by quiesce()", () => {
  it("is not waited for", async () => {
    const work = makeWork()
    const node = createServer("h2c", work.handler)
    await once(node.listen({ host: "127.0.0.1", port: 0 }), "listening")
    const server = quiesce(node, { ...policy, logger: false })
    const session = connect(portOf(node), false)
    try {
      for (const stream of await begin(session, 2)) stream.destroy()
      await ping(session)
      expect(await server.shutdown()).toMatchObject(drainedWithoutCuts)
    } finally {
      session.destroy()
      await server.close()
    }
  })

  it("leaves none of them behind while it goes on asking", async () => {
    let open = 0
    const node = Http2.createServer((request, response) => {
      open++
      request.stream.once("close", () => void open--)
      // more than a window
      response.end(Buffer.alloc(200_000))
    })
    await once(node.listen({ host: "127.0.0.1", port: 0 }), "listening")
    const server = quiesce(node, { ...policy, logger: false })
    const session = connect(portOf(node), false)
    try {
      for (let n = 0; n < 20; n++) {
        for (const stream of await begin(session, 1)) stream.close()
        await ping(session)
      }
      expect(open).toBeLessThanOrEqual(2)
    } finally {
      session.destroy()
      await server.close()
    }
  })
})
