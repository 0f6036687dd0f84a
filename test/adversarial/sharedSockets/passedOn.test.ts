import { once } from "node:events"
import * as Http from "node:http"
import * as Http2 from "node:http2"
import * as Https from "node:https"
import * as Net from "node:net"
import * as Tls from "node:tls"
import { afterEach, describe, expect, it } from "vitest"
import { quiesce, type Server } from "../../../src/promise.js"
import { certificate } from "../../support/certificate.js"
import { listenOnLoopback, portOf } from "../../support/nodeServer.js"
import { limit } from "../../support/running.js"
import { waitFor } from "../../support/wait.js"

// Pins internal/node: acceptedBy, inheritedEmit, serverEmit

// A connection that one server passes on to another is that one's: it has its protocol, and is awaited and closed as such.

const leaves: Array<() => unknown> = []
afterEach(() => {
  for (const leave of leaves.splice(0)) leave()
})

const held: Array<Http.ServerResponse> = []
const answer: Http.RequestListener = (request, response) => {
  if (request.url === "/slow") held.push(response)
  else response.end("ok")
}
const release = () => {
  for (const response of held.splice(0)) response.end("slow")
}

/** Looks at the first bytes, as servers of one port do. */
const sniff = (pass: (socket: Net.Socket, first: Buffer) => void) => (socket: Net.Socket) => {
  socket.once("data", (first: Buffer) => {
    socket.pause()
    socket.unshift(first)
    pass(socket, first)
    process.nextTick(() => socket.resume())
  })
}

interface Pair {
  readonly door: Net.Server
  readonly inner: ReadonlyArray<Net.Server>
  readonly connect: "tcp" | "tls"
  readonly protocol: "http/1.1" | "h2"
}

const h2Of = () => Http2.createServer((request, response) => answer(request as never, response as never))

const pairs: ReadonlyArray<readonly [name: string, make: () => Pair]> = [
  ["net to http", () => {
    const plain = Http.createServer(answer)
    const door = Net.createServer(sniff((socket) => void plain.emit("connection", socket)))
    return { door, inner: [plain], connect: "tcp", protocol: "http/1.1" }
  }],
  ["net to https, beside http", () => {
    const [plain, secure] = [Http.createServer(answer), Https.createServer(certificate, answer)]
    const pass = (socket: Net.Socket, first: Buffer) =>
      void (first[0] === 22 ? secure : plain).emit("connection", socket)
    return { door: Net.createServer(sniff(pass)), inner: [plain, secure], connect: "tls", protocol: "http/1.1" }
  }],
  ["http to http", () => {
    const plain = Http.createServer(answer)
    const door = Http.createServer().removeAllListeners("connection")
      .on("connection", sniff((socket) => void plain.emit("connection", socket)))
    return { door, inner: [plain], connect: "tcp", protocol: "http/1.1" }
  }],
  ["tls to http", () => {
    const plain = Http.createServer(answer)
    const door = Tls.createServer(certificate, (socket) => void plain.emit("connection", socket))
    return { door, inner: [plain], connect: "tls", protocol: "http/1.1" }
  }],
  ["tls to https, decrypted", () => {
    const secure = Https.createServer(certificate, answer)
    const door = Tls.createServer(certificate, (socket) => void secure.emit("secureConnection", socket))
    return { door, inner: [secure], connect: "tls", protocol: "http/1.1" }
  }],
  ["http to http2, by its preface", () => {
    const [plain, h2] = [Http.createServer(answer), h2Of()]
    const pass = (socket: Net.Socket, first: Buffer) =>
      void (first.toString("latin1").startsWith("PRI") ? h2 : plain).emit("connection", socket)
    return { door: Net.createServer(sniff(pass)), inner: [plain, h2], connect: "tcp", protocol: "h2" }
  }],
  ["tls to http2, by ALPN", () => {
    const [plain, h2] = [Http.createServer(answer), h2Of()]
    const options = { ...certificate, ALPNProtocols: ["h2", "http/1.1"] }
    const door = Tls.createServer(
      options,
      (socket) => void (socket.alpnProtocol === "h2" ? h2 : plain).emit("connection", socket)
    )
    return { door, inner: [plain, h2], connect: "tls", protocol: "h2" }
  }]
]

const start = (targets: ReadonlyArray<Net.Server>): Server =>
  quiesce(targets, { logger: false, timeout: 5000, killTimeout: 100, newConnectionGrace: 100 })

/** A client that has had one answer and asks for another one, which is to come when it is released. */
const client = async ({ connect, protocol }: Pair, port: number) => {
  const authority = `${connect === "tls" ? "https" : "http"}://127.0.0.1:${port}`
  const tls = { ca: certificate.cert, servername: "localhost", rejectUnauthorized: false }
  if (protocol === "h2") {
    const session = Http2.connect(authority, tls)
    session.on("error", () => {})
    leaves.push(() => session.destroy())
    const ask = async (path: string) => {
      const stream = session.request({ ":path": path })
      let body = ""
      stream.setEncoding("utf8").on("data", (text: string) => (body += text))
      await once(stream, "end")
      return { body, connection: undefined }
    }
    return { ask, closed: once(session, "close") }
  }
  const socket = connect === "tls" ? Tls.connect({ ...tls, port, host: "127.0.0.1" }) : Net.connect(port, "127.0.0.1")
  socket.on("error", () => {})
  leaves.push(() => socket.destroy())
  const agent = new Http.Agent({ keepAlive: true, maxSockets: 1 })
  Object.assign(agent, { createConnection: () => socket })
  const ask = (path: string) =>
    new Promise<{ readonly body: string; readonly connection: string | undefined }>((resolve, reject) => {
      Http.get({ agent, path, host: "127.0.0.1", port }, (response) => {
        let body = ""
        response.setEncoding("utf8").on("data", (text: string) => (body += text))
        response.on("end", () => resolve({ body, connection: response.headers.connection }))
      }).on("error", reject)
    })
  return { ask, closed: once(socket, "close") }
}

describe.each(pairs)("%s", (_, make) => {
  const ways: ReadonlyArray<readonly [string, (pair: Pair) => readonly [Server, ...ReadonlyArray<Server>]]> = [
    ["both of one server", ({ door, inner }) => [start([door, ...inner])]],
    ["the first one only", ({ door }) => [start([door])]],
    ["the second one only", ({ inner }) => [start(inner)]],
    ["of two servers", ({ door, inner }) => [start(inner), start([door])]]
  ]
  it.each(ways)("%s", async (way, servers) => {
    const pair = make()
    const [server, ...others] = servers(pair)
    await listenOnLoopback(pair.door)
    const port = portOf(pair.door)
    const { ask, closed } = await client(pair, port)
    expect((await ask("/")).body).toBe("ok")
    await waitFor("it to be idle", () => server.connections()[0]?.state === "Idle", limit)
    expect(server.connections()).toMatchObject([{ protocol: pair.protocol, secure: pair.connect === "tls", served: 1 }])
    for (const other of others) expect(other.connections()).toEqual([])
    const slow = ask("/slow")
    await waitFor("the second request", () => held.length === 1, limit)
    expect(server.connections()).toMatchObject([{ state: "Active", inFlight: [{ method: "GET", path: "/slow" }] }])
    // whoever has passed it on waits for it no more
    for (const other of others) {
      expect(await other.shutdown()).toMatchObject({ outcome: "Drained", connections: { open: 0 } })
    }
    const report = server.shutdown()
    await waitFor("the drain", () => server.phase() === "Draining", limit)
    release()
    expect(await slow).toEqual({ body: "slow", connection: pair.protocol === "h2" ? undefined : "close" })
    await waitFor("its connection to close", closed, limit)
    expect(await report).toMatchObject({ outcome: "Drained", served: 1, cut: [], connections: { open: 1 } })
    if (way === "the second one only") pair.door.close()
  })

  // a client of HTTP/2 has been told to send no more
  if (make().protocol !== "h2") {
    it("and answers one that is idle, where the second one has closed already", async () => {
      const pair = make()
      for (const inner of pair.inner) await listenOnLoopback(inner)
      const server = quiesce([pair.door, ...pair.inner], { logger: false, timeout: 10_000, idleGrace: 5000 })
      await listenOnLoopback(pair.door)
      const { ask, closed } = await client(pair, portOf(pair.door))
      expect((await ask("/")).body).toBe("ok")
      await waitFor("it to be idle", () => server.connections()[0]?.state === "Idle", limit)
      const ends = Promise.all(pair.inner.map((inner) => once(inner, "close")))
      const report = server.shutdown()
      // Node counts the connection where it was accepted
      await waitFor("the end of the second one", ends, limit)
      await new Promise((resolve) => setTimeout(resolve, 50))
      expect(await ask("/")).toEqual({ body: "ok", connection: "close" })
      await waitFor("its connection to close", closed, limit)
      expect(await report).toMatchObject({ outcome: "Drained", served: 1, cut: [], connections: { open: 1 } })
    })
  }

  it("and closes one that is idle, and one that has sent nothing", async () => {
    const pair = make()
    const server = start([pair.door])
    await listenOnLoopback(pair.door)
    const port = portOf(pair.door)
    const { ask } = await client(pair, port)
    await ask("/")
    const silent = Net.connect(port, "127.0.0.1").on("error", () => {})
    leaves.push(() => silent.destroy())
    await waitFor("both", () => server.connections().length === 2, limit)
    const began = performance.now()
    expect(await server.shutdown()).toMatchObject({ outcome: "Drained", cut: [] })
    expect(performance.now() - began).toBeLessThan(4000)
    expect(Object.hasOwn(Net.Server.prototype, "emit")).toBe(false)
    for (const inner of pair.inner) expect(Object.hasOwn(inner, "emit")).toBe(false)
  })
})
