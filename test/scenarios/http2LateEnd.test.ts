import { once } from "node:events"
import * as Fs from "node:fs"
import * as Http2 from "node:http2"
import * as Os from "node:os"
import * as Path from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { quiesce } from "../../src/promise.js"
import { listenOnLoopback, portOf } from "../support/nodeServer.js"
import { deferred, pace, waitFor } from "../support/wait.js"

// Pins internal/node: hasQueuedWrites

// A stream of Node's own API is finished before its answer is: a file is still to be read, and trailers are still to come.

const limit = 15_000
const bytes = 4_000_000

let directory = ""
let file = ""
beforeAll(() => {
  directory = Fs.mkdtempSync(Path.join(Os.tmpdir(), "quiesce-file-"))
  file = Path.join(directory, "file")
  Fs.writeFileSync(file, Buffer.alloc(bytes, "x"))
})
afterAll(() => Fs.rmSync(directory, { recursive: true }))

const answering = {
  file: (stream: Http2.ServerHttp2Stream) => stream.respondWithFile(file),
  "file descriptor": (stream: Http2.ServerHttp2Stream) => {
    const descriptor = Fs.openSync(file, "r")
    stream.once("close", () => Fs.closeSync(descriptor))
    stream.respondWithFD(descriptor)
  }
}

const serving = async (timeout: number, answer: (stream: Http2.ServerHttp2Stream) => void) => {
  const node = Http2.createServer()
  node.on("stream", (stream) => {
    stream.on("error", () => {})
    answer(stream)
  })
  await listenOnLoopback(node)
  const session = Http2.connect(`http://127.0.0.1:${portOf(node)}`)
  session.on("error", () => {})
  return { server: quiesce(node, { timeout, killTimeout: 100, logger: false }), session }
}

describe("HTTP/2", () => {
  for (const [what, answer] of Object.entries(answering)) {
    it(`a ${what} to a slow reader arrives whole`, async () => {
      const { server, session } = await serving(limit, answer)
      const stream = session.request({ ":path": "/" })
      let received = 0
      stream.on("data", (chunk: Buffer) => {
        received += chunk.length
        stream.pause()
        setTimeout(() => stream.resume(), 10)
      })
      const ended = once(stream, "end")
      await waitFor("the first bytes", () => received > 0, limit)
      const report = await server.shutdown()
      await waitFor("the end", ended, limit)
      expect(received).toBe(bytes)
      expect(report).toMatchObject({ outcome: "Drained", cut: [], served: 1 })
      session.destroy()
    })

    it(`a ${what} that is not read is in the report, and not taken for whole`, async () => {
      const { server, session } = await serving(900, answer)
      const stream = session.request({ ":path": "/" })
      const code = deferred<number>()
      stream.on("error", () => {}).once("close", () => code.resolve(stream.rstCode))
      await waitFor("the head", once(stream, "response"), limit)
      const report = await server.shutdown()
      expect(report).toMatchObject({
        outcome: "DeadlineExceeded",
        cut: [{ path: "/", clientReceived: "truncated" }],
        served: 0
      })
      stream.resume()
      expect(await waitFor("the end of the stream", code.promise, limit)).not.toBe(Http2.constants.NGHTTP2_NO_ERROR)
      session.destroy()
    })
  }

  for (const isOpen of [false, true]) {
    it(`trailers that come late arrive${isOpen ? ", the request being open" : ""}`, async () => {
      const { server, session } = await serving(limit, (stream) => {
        stream.respond({ ":status": 200 }, { waitForTrailers: true })
        stream.on("wantTrailers", () => void pace(1200).then(() => stream.sendTrailers({ "grpc-status": "0" })))
        stream.end("body")
      })
      const stream = session.request({ ":path": "/", ":method": "POST" }, { endStream: !isOpen })
      const trailers = once(stream, "trailers")
      await waitFor("the body", once(stream, "data"), limit)
      const report = await server.shutdown()
      expect((await waitFor("the trailers", trailers, limit))[0]).toMatchObject({ "grpc-status": "0" })
      expect(report).toMatchObject({ outcome: "Drained", cut: [], served: 1 })
      session.destroy()
    })
  }

  it("trailers that never come are in the report", async () => {
    const { server, session } = await serving(900, (stream) => {
      stream.respond({ ":status": 200 }, { waitForTrailers: true })
      stream.on("wantTrailers", () => {})
      stream.end("body")
    })
    const stream = session.request({ ":path": "/" })
    stream.on("error", () => {}).resume()
    await waitFor("the head", once(stream, "response"), limit)
    const report = await server.shutdown()
    expect(report).toMatchObject({
      outcome: "DeadlineExceeded",
      cut: [{ path: "/", clientReceived: "truncated" }],
      served: 0
    })
    session.destroy()
  })
})
