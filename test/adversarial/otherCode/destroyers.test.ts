import { once } from "node:events"
import * as Http from "node:http"
import * as Http2 from "node:http2"
import * as Net from "node:net"
import { expect, it } from "vitest"
import { quiesce } from "../../../src/promise.js"
import { listenOnLoopback, portOf } from "../../support/nodeServer.js"
import { waitFor } from "../../support/wait.js"
import { apis, type Kind, limit, type RunningServer, startReader, startServer, untilPhase } from "./sharedServer.js"

// Pins internal/node: allowsHalfOpen, closeAllConnections, sessionDestroy, socketEnds

// What other code cuts in a shutdown, in spite of it, is in the report, and it is no client that has left.

const destroySockets = ({ sockets }: RunningServer) => sockets.forEach((socket) => socket.destroy())

const cuts: ReadonlyArray<readonly [string, ReadonlyArray<Kind>, (running: RunningServer) => void]> = [
  ["sockets, as http-terminator and stoppable do", ["http", "https", "h2c", "h2"], destroySockets],
  ["sockets with an error of its own", ["http", "https", "h2c", "h2"], ({ sockets }) => {
    sockets.forEach((socket) => socket.on("error", () => {}).destroy(new Error("go away")))
  }],
  ["sockets by a reset", ["http", "h2c"], ({ sockets }) => sockets.forEach((socket) => socket.resetAndDestroy())],
  ["sockets by their end", ["http", "https", "h2c"], ({ sockets }) => sockets.forEach((socket) => socket.end())],
  ["sockets when all is written", ["http", "https", "h2c"], ({ sockets }) => {
    sockets.forEach((socket) => socket.destroySoon())
  }],
  ["sockets by their end, and then at once, as terminus does", ["http", "https", "h2c"], ({ sockets }) => {
    for (const socket of sockets) {
      socket.end()
      setImmediate(() => socket.destroy())
    }
  }],
  ["sessions", ["h2c", "h2"], ({ sessions }) => sessions.forEach((session) => session.destroy())],
  [
    "sessions with a code",
    ["h2c", "h2"],
    ({ sessions }) => sessions.forEach((session) => session.destroy(undefined, 2))
  ]
]

for (const [what, kinds, cut] of cuts) {
  for (const phase of ["LameDuck", "Draining"] as const) {
    it(`other code destroys ${what}, ${phase}`, async () => {
      await Promise.all(apis.flatMap((api) =>
        kinds.map(async (kind) => {
          const server = await startServer(api, kind, phase === "LameDuck" ? { lameDuck: 300 } : {})
          const client = await startReader(kind, server.node)
          void server.shutdown()
          await untilPhase(server, phase)
          cut(server)
          server.finish()
          const report = await waitFor(`${api}, ${kind}: the report`, server.closed, limit)
          expect([api, kind, report.outcome]).toEqual([api, kind, "Cut"])
          expect(report).toMatchObject({
            cut: [{ method: "GET", path: "/", clientReceived: "truncated", by: "application" }],
            connections: { cut: 1, completed: 0 }
          })
          expect(report.cut[0]?.remoteAddress).toMatch(/^127\.0\.0\.1:\d+$/)
          client.leave()
        })
      ))
    })
  }
}

it("a client that leaves is none of that", async () => {
  await Promise.all(apis.flatMap((api) =>
    (["http", "https", "h2c", "h2"] as const).map(async (kind) => {
      const server = await startServer(api, kind)
      const client = await startReader(kind, server.node)
      void server.shutdown()
      await untilPhase(server, "Draining")
      client.leave()
      server.finish()
      const report = await waitFor(`${api}, ${kind}: the report`, server.closed, limit)
      expect([api, kind, report.outcome]).toEqual([api, kind, "Drained"])
      expect(report).toMatchObject({ cut: [], connections: { cut: 0 } })
    })
  ))
})

const givenUp: ReadonlyArray<readonly [string, (stream: Http2.ServerHttp2Stream) => void]> = [
  ["destroys", (stream) => void stream.destroy()],
  ["destroys with an error", (stream) => void stream.on("error", () => {}).destroy(new Error("cannot"))],
  ["resets", (stream) => stream.on("error", () => {}).close(Http2.constants.NGHTTP2_INTERNAL_ERROR)]
]

for (const [how, giveUp] of givenUp) {
  it(`a handler that ${how} its own stream is none of that, although its session ends with it`, async () => {
    const streams: Array<Http2.ServerHttp2Stream> = []
    const node = Http2.createServer((request, response) => {
      streams.push(response.stream)
      request.resume()
      response.stream.respond({ ":status": 200 })
    })
    await listenOnLoopback(node)
    const server = quiesce(node, { logger: false })
    const client = Http2.connect(`http://127.0.0.1:${portOf(node)}`)
    const request = client.on("error", () => {}).request({ ":path": "/" }).on("error", () => {})
    await once(request, "response")
    void server.shutdown()
    await waitFor("its session to be told to leave", () => streams[0]?.session?.closed, limit)
    streams.forEach(giveUp)
    expect(await waitFor("the report", server.closed, limit)).toMatchObject({ outcome: "Drained", cut: [] })
    client.destroy()
  })
}

it("before a shutdown, closeAllConnections is what it is in Node, and the log says what it has cut", async () => {
  const lines: Array<string> = []
  const server = await startServer("promise", "http", {}, (level, message) => void lines.push(`${level}: ${message}`))
  await startReader("http", server.node)
  if ("closeAllConnections" in server.node) server.node.closeAllConnections()
  await waitFor("the warning", () => lines.some((line) => /^warn: closeAllConnections.*1 request/.test(line)), limit)
  expect(server.phase()).toBe("Serving")
  expect(await server.shutdown()).toMatchObject({ outcome: "Drained", cut: [], connections: { open: 0 } })
})

it("a client that has ended its side, and waits for its answer, has not left", async () => {
  const node = Http.createServer((_, response) => void response.write("half"))
  // an option of Node's that its types leave out
  Object.assign(node, { httpAllowHalfOpen: true })
  const sockets: Array<Net.Socket> = []
  node.on("connection", (socket: Net.Socket) => sockets.push(socket))
  await listenOnLoopback(node)
  const server = quiesce(node, { logger: false })
  const client = Net.connect({ port: portOf(node), host: "127.0.0.1", allowHalfOpen: true })
  client.on("error", () => {}).end("GET / HTTP/1.1\r\nHost: test\r\n\r\n")
  await waitFor("half an answer", once(client, "data"), limit)
  const report = server.shutdown()
  await waitFor("the end of its side", () => sockets[0]?.readableEnded === true, limit)
  sockets[0]?.destroy()
  expect(await report).toMatchObject({ outcome: "Cut", cut: [{ by: "application" }], connections: { cut: 1 } })
  client.destroy()
})
