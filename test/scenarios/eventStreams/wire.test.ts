/** What the client of an event stream gets when a drain ends it: all that was written, and its end. */
import { assert, describe, it } from "@effect/vitest"
import { once } from "node:events"
import type * as Http from "node:http"
import * as Http2 from "node:http2"
import * as Net from "node:net"
import { constants, createGzip, gunzipSync } from "node:zlib"
import * as Raw from "../../support/rawClient.js"
import { deferred, waitFor } from "../../support/wait.js"
import { type Handler, limit, read, serving } from "./eventStreamServer.js"

const events = { "content-type": "text/event-stream" }

/** As `compression` does it: it stands before the response, keeps what it is given, and ends after its gzip has. */
const compressed = (response: Http.ServerResponse): Http.ServerResponse => {
  const write = response.write.bind(response) as (chunk: Buffer) => boolean
  const end = response.end.bind(response) as () => Http.ServerResponse
  const gzip = createGzip({ flush: constants.Z_NO_FLUSH })
  gzip.on("data", (chunk: Buffer) => write(chunk)).on("end", () => end())
  response.write = (chunk: string) => gzip.write(chunk)
  response.end = () => {
    gzip.end()
    return response
  }
  return response
}

/** The body of an answer over either protocol, once it has ended. */
const reading = async (protocol: "http" | "h2c", port: number): Promise<() => Promise<Buffer>> => {
  const pieces: Array<Buffer> = []
  const ended = deferred()
  if (protocol === "http") {
    const client = await Raw.connect({ port })
    await client.write("GET / HTTP/1.1\r\nHost: test\r\n\r\n")
    void client.untilResponses(1, limit).then(({ responses }) => {
      pieces.push(responses[0]!.body)
      ended.resolve()
    })
  } else {
    const session = Http2.connect(`http://127.0.0.1:${port}`)
    session.request({ ":path": "/" }).on("data", (piece: Buffer) => pieces.push(piece)).on("close", () => {
      session.close()
      ended.resolve()
    })
  }
  return async () => {
    await waitFor("the end", ended.promise, limit)
    return Buffer.concat(pieces)
  }
}

it.each(["http", "h2c"] as const)(
  "over %s, a compressed event stream is a whole one, with all that was kept",
  async (protocol) => {
    const { port, stop } = await serving(protocol, (_, response) => {
      response.writeHead(200, { ...events, "content-encoding": "gzip" })
      response.flushHeaders()
      compressed(response).write("data: 1\n\n")
      begun.resolve()
    })
    const begun = deferred()
    const body = await reading(protocol, port)
    await waitFor("the request", begun.promise, limit)
    const { endedStreams } = await stop()
    assert.strictEqual(gunzipSync(await body()).toString(), "data: 1\n\n")
    assert.strictEqual(endedStreams.length, 1)
  }
)

describe("heads", () => {
  const written: ReadonlyArray<readonly [string, Handler]> = [
    ["set before", (_, response) => response.setHeader("Content-Type", "text/event-stream").flushHeaders()],
    [
      "of an object",
      (_, response) => response.writeHead(200, { "Content-Type": "text/event-stream" }).flushHeaders()
    ],
    [
      "of a flat list",
      (_, response) => response.writeHead(200, ["Content-Type", "text/event-stream"]).flushHeaders()
    ],
    ["with a status text", (_, response) => response.writeHead(200, "Fine", events).flushHeaders()],
    ["that are kept until the first byte", (_, response) => void response.writeHead(200, events)],
    ["of a close", (_, response) => response.writeHead(200, { ...events, connection: "close" }).flushHeaders()]
  ]
  it.each(written)("%s are seen", async (_, handler) => {
    const begun = deferred()
    const { port, stop } = await serving("http", (request, response) => {
      handler(request, response)
      begun.resolve()
    })
    const reader = read("http", port)
    await waitFor("the request", begun.promise, limit)
    const { endedStreams, outcome } = await stop()
    assert.deepStrictEqual([await reader.untilEnded(), reader.status(), reader.text()], ["whole", 200, ""])
    assert.deepStrictEqual([endedStreams.length, outcome], [1, "Drained"])
  })

  it("to a client of HTTP/1.0 are followed by all that was written, and the end of the connection", async () => {
    const { port, stop } = await serving(
      "http",
      (_, response) => void response.writeHead(200, events).write("data: 1\n\n")
    )
    const client = await Raw.connect({ port })
    await client.write("GET / HTTP/1.0\r\n\r\n")
    await client.untilText("data: 1", limit)
    const { endedStreams } = await stop()
    assert.strictEqual(await client.untilEnded(limit), "fin")
    assert.isTrue(client.text().endsWith("data: 1\n\n"))
    assert.strictEqual(endedStreams.length, 1)
  })
})

describe("a pipelined event stream", () => {
  it("makes way for what is behind it", async () => {
    let requests = 0
    const { port, stop } = await serving("http", (request, response) => {
      requests++
      if (request.url === "/events") response.writeHead(200, events).write("data: 1\n\n")
      else response.end("behind")
    })
    const client = await Raw.connect({ port })
    await client.write("GET /events HTTP/1.1\r\nHost: t\r\n\r\nGET /behind HTTP/1.1\r\nHost: t\r\n\r\n")
    await waitFor("both", () => requests === 2, limit)
    const { endedStreams, served } = await stop()
    const { responses } = await client.untilResponses(2, limit)
    assert.deepStrictEqual(responses.map(({ body }) => body.toString()), ["data: 1\n\n", "behind"])
    assert.deepStrictEqual([endedStreams.map(({ path }) => path), served], [["/events"], 2])
  })

  it("is ended behind one that takes its time", async () => {
    let answer = () => {}
    let requests = 0
    const { port, server, stop } = await serving("http", (request, response) => {
      requests++
      if (request.url === "/events") response.writeHead(200, events).write("data: 1\n\n")
      else answer = () => void response.end("before")
    })
    server.onShutdown("answers", () => void setTimeout(() => answer(), 200))
    const client = await Raw.connect({ port })
    await client.write("GET /before HTTP/1.1\r\nHost: t\r\n\r\nGET /events HTTP/1.1\r\nHost: t\r\n\r\n")
    await waitFor("both", () => requests === 2, limit)
    const { cut, endedStreams } = await stop()
    const { responses } = await client.untilResponses(2, limit)
    assert.deepStrictEqual(responses.map(({ body }) => body.toString()), ["before", "data: 1\n\n"])
    assert.deepStrictEqual([cut, endedStreams.length], [[], 1])
  })
})

/** A thousand clients in this process as well: of a machine that does other things, this may be some seconds. */
const crowdLimit = 15_000

it("a thousand event streams end together, and each client gets its whole", async () => {
  const { port, server } = await serving(
    "http",
    (_, response) => void response.writeHead(200, events).write("data: 1\n\n"),
    { timeout: crowdLimit }
  )
  let whole = 0
  // `closed` is true of a socket as soon as it is destroyed, some time before its `close`
  let gone = 0
  await Promise.all(Array.from({ length: 1000 }, async () => {
    const socket = Net.connect(port, "127.0.0.1")
    let text = ""
    socket.setEncoding("latin1").on("data", (piece: string) => (text += piece)).on("error", () => {})
    socket.on("close", () => {
      gone++
      if (text.endsWith("data: 1\n\n\r\n0\r\n\r\n")) whole++
    })
    await once(socket, "connect")
    socket.write("GET / HTTP/1.1\r\nHost: test\r\nAccept: text/event-stream\r\n\r\n")
    await once(socket, "data")
  }))
  const { endedStreams, outcome } = await waitFor("the report", server.shutdown(), crowdLimit)
  await waitFor(() => `a thousand ends, of which there are ${gone}`, () => gone === 1000, crowdLimit)
  assert.deepStrictEqual([endedStreams.length, whole, outcome], [1000, 1000, "Drained"])
})

it.each(["http", "h2c"] as const)(
  "over %s, one that a compressor is piped into is not cut off in its encoding",
  async (protocol) => {
    const begun = deferred()
    const { port, stop } = await serving(protocol, (_, response) => {
      response.writeHead(200, { ...events, "content-encoding": "gzip" })
      const gzip = createGzip({ flush: constants.Z_SYNC_FLUSH })
      gzip.pipe(response)
      gzip.write("data: 1\n\n")
      setTimeout(() => gzip.end("data: 2\n\n"), 700)
      begun.resolve()
    })
    const body = await reading(protocol, port)
    await waitFor("the request", begun.promise, limit)
    const { endedStreams, outcome } = await stop()
    assert.strictEqual(gunzipSync(await body()).toString(), "data: 1\n\ndata: 2\n\n")
    assert.strictEqual(endedStreams.length, 0)
    assert.strictEqual(outcome, "Drained")
  }
)
