import * as HttpServer from "@effect/platform/HttpServer"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { once } from "node:events"
import * as Http from "node:http"
import * as Https from "node:https"
import * as Net from "node:net"
import * as Tls from "node:tls"
import { Server as SocketIo } from "socket.io"
import { afterEach, describe, expect, it } from "vitest"
import { WebSocket, WebSocketServer } from "ws"
import { NodeHttpServer, Server } from "../../../src/index.js"
import { upgradesToAny } from "../../../src/internal/effect/httpApps.js"
import { quiesce } from "../../../src/promise.js"
import { certificate } from "../../support/certificate.js"
import { listenOnLoopback, portOf } from "../../support/nodeServer.js"
import { limit, reportOf, silent } from "../../support/running.js"
import { waitFor } from "../../support/wait.js"

// Pins internal/node: currentBufferOf, executedIndexOf, incomingOf, isUpgrade, listenerCount, parserExecute
// Pins internal/node: parserExecuted, parserOf, readsByItself, shouldUpgradeCallback, socketBeingParsed
// Pins internal/node: upgradeCallbackOf

// A request that asks for an upgrade which nobody speaks is answered as if it had not asked (RFC 9110 §7.8).

interface Running {
  readonly port: number
  readonly connections: () => ReadonlyArray<{ readonly state: string; readonly served: number }>
  readonly shutdown: () => Promise<{ readonly outcome: string; readonly served: number }>
  readonly secure?: boolean
}

const ends: Array<() => unknown> = []
afterEach(async () => {
  for (const end of ends.splice(0)) await end()
})

/** Says what was asked of it, and how much came with it. */
const echo: Http.RequestListener = (request, response) => {
  let length = 0
  request.on("data", (data: Buffer) => (length += data.length))
  request.on("end", () => response.end(`[${request.method} ${request.url} ${length}]`))
}

const adopted = async (
  node: Http.Server,
  prepare: (node: Http.Server) => unknown,
  secure = false
): Promise<Running> => {
  prepare(node)
  await listenOnLoopback(node)
  const { connections, shutdown } = quiesce(node, { logger: false, timeout: 2000, killTimeout: 100 })
  ends.push(() => shutdown())
  return { port: portOf(node), connections, shutdown, secure }
}

const effect = async (node: Http.Server = Http.createServer()): Promise<Running> => {
  const scope = await Effect.runPromise(Scope.make())
  const app = Effect.gen(function*() {
    const request = yield* HttpServerRequest.HttpServerRequest
    return HttpServerResponse.text(`[${request.method} ${request.url} ${(yield* request.text).length}]`)
  })
  const live = HttpServer.serve(Effect.orDie(app)).pipe(
    Layer.provideMerge(NodeHttpServer.layer(() => node, { host: "127.0.0.1", port: 0, timeout: "2 seconds" })),
    Layer.provide(silent)
  )
  const server = Context.get(await Effect.runPromise(Layer.buildWithScope(live, scope)), Server.Server)
  const shutdown = () => Effect.runPromise(reportOf(server.shutdown))
  ends.push(shutdown)
  const secure = node instanceof Https.Server
  return { port: portOf(node), connections: () => Effect.runSync(server.connections), shutdown, secure }
}

const byHand = (node: Http.Server) => {
  const sockets = new WebSocketServer({ noServer: true })
  node.on("upgrade", (request, socket, head) => {
    sockets.handleUpgrade(request, socket, head, (webSocket) => sockets.emit("connection", webSocket, request))
  })
}

const plain = () => Http.createServer(echo)

const servers: ReadonlyArray<readonly [name: string, start: () => Promise<Running>]> = [
  ["an Effect app", () => effect()],
  ["an Effect app over TLS", () => effect(Https.createServer(certificate))],
  ["a server without WebSockets", () => adopted(plain(), () => {})],
  ["ws", () => adopted(plain(), (server) => new WebSocketServer({ server }))],
  ["ws on another path", () => adopted(plain(), (server) => new WebSocketServer({ server, path: "/ws" }))],
  ["ws by hand", () => adopted(plain(), byHand)],
  ["socket.io", () => adopted(plain(), (node) => new SocketIo(node))],
  [
    "ws over TLS",
    () => adopted(Https.createServer(certificate, echo), (server) => new WebSocketServer({ server }), true)
  ]
]

/** Writes the pieces, one a read of the server, and returns what the answers say, in their order. */
const ask = async ({ port, secure = false }: Running, count: number, ...pieces: ReadonlyArray<string>) => {
  const socket = secure
    ? Tls.connect({ port, host: "127.0.0.1", ca: certificate.cert, servername: "localhost" })
    : Net.connect(port, "127.0.0.1")
  let text = ""
  socket.setNoDelay(true).on("data", (data) => (text += String(data))).on("error", () => {})
  for (const [index, piece] of pieces.entries()) {
    if (index > 0) await new Promise((resolve) => setTimeout(resolve, 20))
    socket.write(piece)
  }
  const answers = () => text.match(/\[.*?\]/g) ?? []
  await waitFor(() => `${count} answers: ${text}`, () => answers().length >= count || socket.destroyed, limit)
  return { answers: answers(), statuses: text.match(/HTTP\/1\.1 \d+/g) ?? [], socket }
}

const offers = (name: string) =>
  `Host: test\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: ${name}\r\nHTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABk\r\n`

const get = (path: string, head = "Host: test\r\n") => `GET ${path} HTTP/1.1\r\n${head}\r\n`

const post = (path: string, head: string, body: string) =>
  `POST ${path} HTTP/1.1\r\n${head}Content-Length: ${body.length}\r\n\r\n${body}`

const chunked = (path: string, head: string, body: string) =>
  `POST ${path} HTTP/1.1\r\n${head}Transfer-Encoding: chunked\r\n\r\n${
    body.length.toString(16)
  }\r\n${body}\r\n0\r\n\r\n`

describe.each(servers)("%s answers", (name, start) => {
  // an app that may speak anything is asked
  const unknown = upgradesToAny && name.startsWith("an Effect app") ? [] : ["foo/2"]
  it.each(["h2c", "H2C", "TLS/1.0", "TLS/1.2, h2c", "h2c, websocket", ...unknown])(
    "a request that offers %s",
    async (offered) => {
      const server = await start()
      const body = "x".repeat(100)
      const { answers, socket } = await ask(
        server,
        3,
        get("/a", offers(offered)),
        post("/b", offers(offered), body),
        chunked("/c", offers(offered), body)
      )
      expect(answers).toEqual(["[GET /a 0]", "[POST /b 100]", "[POST /c 100]"])
      await waitFor("it to be idle", () => server.connections()[0]?.state === "Idle", limit)
      expect(server.connections()).toMatchObject([{ state: "Idle", served: 3, protocol: "http/1.1" }])
      socket.destroy()
    }
  )

  it("a body that comes later, in pieces, and behind an interim response", async () => {
    const server = await start()
    const head = post("/a", offers("h2c"), "").replace("Content-Length: 0", "Content-Length: 200")
    const { answers, socket } = await ask(server, 1, head, "x".repeat(100), "y".repeat(100))
    expect(answers).toEqual(["[POST /a 200]"])
    socket.destroy()
    const expects = `${offers("h2c")}Expect: 100-continue\r\n`
    const later = await ask(
      server,
      1,
      post("/b", expects, "").replace("Content-Length: 0", "Content-Length: 5"),
      "later"
    )
    expect(later.answers).toEqual(["[POST /b 5]"])
    expect(later.statuses).toEqual(["HTTP/1.1 100", "HTTP/1.1 200"])
    later.socket.destroy()
  })

  it("what is pipelined before and behind it, in the same read", async () => {
    const server = await start()
    const { answers, socket } = await ask(
      server,
      6,
      get("/1") + get("/2", offers("h2c")) + post("/3", offers("h2c"), "abc") + chunked("/4", offers("h2c"), "abcd")
        + get("/5", offers("TLS/1.0")) + get("/6")
    )
    expect(answers).toEqual([
      "[GET /1 0]",
      "[GET /2 0]",
      "[POST /3 3]",
      "[POST /4 4]",
      "[GET /5 0]",
      "[GET /6 0]"
    ])
    socket.destroy()
  })

  it.each([9000, 20_000, 100_000])("a body of %i bytes, and another one right behind it", async (length) => {
    const server = await start()
    const body = "x".repeat(length)
    const { answers, socket } = await ask(
      server,
      3,
      post("/a", offers("h2c"), body) + post("/b", offers("h2c"), body) + post("/c", "Host: test\r\n", body)
    )
    expect(answers).toEqual(["a", "b", "c"].map((path) => `[POST /${path} ${length}]`))
    socket.destroy()
  })

  it("more of them in one write than are read at once", async () => {
    const server = await start()
    const { answers, socket } = await ask(server, 1500, get("/a", offers("h2c")).repeat(1500))
    expect(answers).toHaveLength(1500)
    socket.destroy()
  })

  it("them behind so many others that reading has been stopped", async () => {
    const server = await start()
    const body = "x".repeat(100_000)
    const { answers, socket } = await ask(
      server,
      1001,
      get("/a").repeat(400) + get("/b", offers("h2c")).repeat(200) + post("/c", offers("h2c"), body)
        + get("/d").repeat(400)
    )
    expect(answers).toEqual([
      ...Array<string>(400).fill("[GET /a 0]"),
      ...Array<string>(200).fill("[GET /b 0]"),
      "[POST /c 100000]",
      ...Array<string>(400).fill("[GET /d 0]")
    ])
    socket.destroy()
  })

  it.each([9000, 20_000, 100_000])("in a drain what came behind a body of %i bytes", async (length) => {
    const server = await start()
    const second = post("/b", offers("h2c"), "x".repeat(length))
    const { answers, socket } = await ask(
      server,
      1,
      post("/a", offers("h2c"), "x".repeat(length)) + second.slice(0, -5)
    )
    expect(answers).toEqual([`[POST /a ${length}]`])
    await waitFor("the second to be active", () => server.connections()[0]?.state === "Active", limit)
    let text = ""
    socket.on("data", (data) => (text += String(data)))
    const report = server.shutdown()
    socket.write(second.slice(-5))
    expect(await report).toMatchObject({ outcome: "Drained", served: 1 })
    expect(text).toContain(`[POST /b ${length}]`)
  })

  it.each<readonly [what: string, pieces: ReadonlyArray<string>]>([
    ["behind it", [get("/a", offers("h2c")) + "\u0001\r\n\r\n" + get("/b")]],
    ["behind a long one", [post("/a", offers("h2c"), "x".repeat(20_000)) + "\u0001\r\n\r\n" + get("/b")]],
    ["in its body", [chunked("/a", offers("h2c"), "abc").replace("0\r\n\r\n", "zz\r\n"), get("/b")]]
  ])("by closing the connection, what is no HTTP %s", async (_, pieces) => {
    const { answers, socket } = await ask(await start(), Number.POSITIVE_INFINITY, ...pieces)
    expect(socket.destroyed).toBe(true)
    expect(answers.join()).not.toContain("/b")
  })

  it("with an error what is no HTTP and comes later", async () => {
    const { answers, socket } = await ask(await start(), 1, get("/a", offers("h2c")))
    expect(answers).toEqual(["[GET /a 0]"])
    let text = ""
    socket.on("data", (data) => (text += String(data)))
    socket.write("\u0001\r\n\r\n" + get("/b"))
    await waitFor("the connection to close", () => socket.destroyed, limit)
    expect(text).toMatch(/^HTTP\/1\.1 400/)
  })

  it("it in a drain, with its whole response", async () => {
    const server = await start()
    const { answers, socket } = await ask(server, 1, get("/a"))
    expect(answers).toEqual(["[GET /a 0]"])
    socket.write(post("/b", offers("h2c"), "").replace("Content-Length: 0", "Content-Length: 5"))
    await waitFor("it to be active", () => server.connections()[0]?.state === "Active", limit)
    let text = ""
    socket.on("data", (data) => (text += String(data)))
    const report = server.shutdown()
    socket.write("later")
    expect(await report).toMatchObject({ outcome: "Drained", served: 1 })
    expect(text).toContain("[POST /b 5]")
    expect(text.toLowerCase()).toContain("connection: close")
  })

  if (!name.startsWith("ws") || name.includes("path")) return

  it("and still upgrades to WebSockets", async () => {
    const { connections, port, secure = false } = await start()
    const socket = new WebSocket(`${secure ? "wss" : "ws"}://localhost:${port}/`, { ca: certificate.cert })
    await waitFor("the WebSocket to open", once(socket, "open"), limit)
    expect(connections()).toMatchObject([{ state: "Hijacked", protocol: "websocket" }])
    socket.close()
    await waitFor("the WebSocket to close", once(socket, "close"), limit)
  })
})

it.each([Http, Https])("whoever looks at what a connection reads loses nothing behind it", async (protocol) => {
  const node = protocol === Http ? plain() : Https.createServer(certificate, echo)
  const look = (node: Http.Server) =>
    node.on(protocol === Http ? "connection" : "secureConnection", (socket: Net.Socket) => socket.on("data", () => {}))
  const server = await adopted(node, look, protocol === Https)
  const { answers, socket } = await ask(
    server,
    3,
    get("/a", offers("h2c")) + post("/b", offers("h2c"), "x".repeat(20_000)) + get("/c")
  )
  expect(answers).toEqual(["[GET /a 0]", "[POST /b 20000]", "[GET /c 0]"])
  socket.destroy()
})

describe("who listens for upgrades by himself gets", () => {
  const listening = (seen: Array<string>) => (node: Http.Server) =>
    node.on("upgrade", (request, socket) => {
      seen.push(`${request.method} ${String(request.headers.upgrade)}`)
      socket.end("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n[upgraded]")
    })

  it("what he may speak, and no HTTP/2", async () => {
    const seen: Array<string> = []
    const server = await adopted(plain(), listening(seen))
    expect((await ask(server, 1, post("/a", offers("echo"), "abc"))).answers[0]).toBe("[upgraded]")
    expect((await ask(server, 1, get("/a", offers("echo, websocket")))).answers).toEqual(["[upgraded]"])
    expect((await ask(server, 1, post("/a", offers("h2c"), "abc"))).answers).toEqual(["[POST /a 3]"])
    expect(seen).toEqual(["POST echo", "GET echo, websocket"])
  })

  it("nothing of HTTP/1.0, which has no upgrades", async () => {
    const seen: Array<string> = []
    const server = await adopted(plain(), listening(seen))
    const { answers } = await ask(server, 1, post("/a", offers("echo"), "abc").replace("HTTP/1.1", "HTTP/1.0"))
    expect(answers).toEqual(["[POST /a 3]"])
    expect(seen).toEqual([])
  })

  it("what he has told Node to upgrade, where Node asks", async () => {
    const seen: Array<string> = []
    const options: Http.ServerOptions & { readonly shouldUpgradeCallback: () => boolean } = {
      shouldUpgradeCallback: () => true
    }
    const node = Http.createServer(options, echo)
    const server = await adopted(node, listening(seen))
    const asks = "shouldUpgradeCallback" in node
    const { answers } = await ask(server, 1, get("/a", offers("h2c")))
    expect(answers).toEqual([asks ? "[upgraded]" : "[GET /a 0]"])
  })
})
