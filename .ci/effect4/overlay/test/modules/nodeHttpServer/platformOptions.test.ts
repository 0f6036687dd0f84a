import * as Stock from "@effect/platform-node/NodeHttpServer"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Layer, Logger, Scope } from "effect"
import { HttpServer, HttpServerRequest, HttpServerResponse } from "effect/http"
import * as NetAddress from "effect/net/NetAddress"
import { createServer, type Server as NodeServer } from "node:http"
import { WebSocket } from "ws"
import { NodeHttpServer, Server, Shutdown } from "../../../src/index.js"
import { get, post, webSocketHandshake } from "../../support/httpRequests.js"
import { client, deadlineExceededIn, limit, send, serving, until } from "../../support/running.js"
import { receive, writerOf } from "../../support/sockets.js"
import { waitFor } from "../../support/wait.js"

// What `NodeHttpServer` of @effect/platform-node takes on Effect 4 alone.

const onLoopback = { host: "127.0.0.1", port: 0 }

const request = HttpServerRequest.HttpServerRequest

const echo = Effect.gen(function*() {
  const asked = yield* request
  const socket = yield* asked.headers["upgrade"] === "echo"
    ? asked.upgradeWith({ headers: { "x-echo": "yes" } })
    : asked.upgrade
  const write = yield* writerOf(socket)
  yield* Effect.ignore(receive(socket, (data) => write(data)))
  return HttpServerResponse.empty()
}).pipe(Effect.scoped, Effect.orDie)

const portOf = Effect.map(
  HttpServer.HttpServer,
  ({ address }) => NetAddress.isInetAddress(address) ? address.port : 0
)

const servers = [["stock", Stock.layer], ["quiesce", NodeHttpServer.layer]] as const

const lines = (text: string): string => text.replace(/^Date: .*$/m, "Date: now")

const upgradeToEcho = get("/", "Connection: Upgrade", "Upgrade: echo")

describe("checkContinue", () => {
  const app = Effect.flatMap(
    request,
    ({ text, url }) =>
      url === "/read" ? Effect.map(text, HttpServerResponse.text) : Effect.succeed(HttpServerResponse.text("unread"))
  )

  const seen = (layer: typeof servers[number][1], path: string) =>
    Effect.gen(function*() {
      const peer = yield* client({ port: yield* portOf })
      yield* send(peer, `POST ${path} HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n`)
      if (path === "/read") {
        yield* Effect.promise(() => peer.untilText("100 Continue", limit))
        yield* send(peer, "hello")
      }
      yield* Effect.promise(() => peer.untilText(/hello|unread/, limit))
      return lines(peer.text())
    }).pipe(
      Effect.provide(Layer.provideMerge(HttpServer.serve(app), layer(() => createServer(), onLoopback))),
      Effect.scoped
    )

  for (const path of ["/read", "/unread"]) {
    it.live(`${path}: the client is told to go on when the app reads what it sends, as by stock`, () =>
      Effect.gen(function*() {
        const [stock, ours] = yield* Effect.forEach(servers, ([, layer]) => seen(layer, path))
        assert.strictEqual(ours, stock)
        assert.strictEqual(ours?.includes("100 Continue"), path === "/read")
        assert.strictEqual(/^connection: close$/im.test(ours ?? ""), path === "/unread")
      }))
  }

  it.live("is left to a listener that the Node server has", () =>
    Effect.gen(function*() {
      const node = createServer()
      node.on("checkContinue", (_, response) => response.writeHead(417).end())
      yield* Layer.build(
        Layer.provide(HttpServer.serve(app), NodeHttpServer.layer(() => node, onLoopback))
      )
      const peer = yield* client({ port: (node.address() as { port: number }).port })
      yield* send(peer, post("/read", "", "Expect: 100-continue"))
      const { responses } = yield* Effect.promise(() => peer.untilResponses(1, limit))
      assert.strictEqual(responses[0]?.status, 417)
    }).pipe(Effect.scoped))
})

describe("websocket", () => {
  for (const [name, layer] of servers) {
    it.live(`its options are those of ws (${name})`, () =>
      Effect.gen(function*() {
        const port = yield* portOf
        const socket = new WebSocket(`ws://127.0.0.1:${port}/`)
        yield* Effect.promise(() =>
          waitFor("it to open", new Promise((resolve) => socket.once("open", resolve)), limit)
        )
        assert.strictEqual(socket.extensions, "permessage-deflate")
        socket.terminate()
      }).pipe(
        Effect.provide(Layer.provideMerge(
          HttpServer.serve(echo),
          layer(() => createServer(), { ...onLoopback, websocket: { perMessageDeflate: true } })
        )),
        Effect.scoped
      ))
  }
})

describe("upgradeWith", () => {
  it.effect("a connection of another protocol is Hijacked by its name, and is served until the deadline", () =>
    Effect.gen(function*() {
      const app = yield* serving(echo)
      const peer = yield* client(app.target)
      yield* send(peer, upgradeToEcho)
      yield* Effect.promise(() => peer.untilText("x-echo: yes", limit))
      const [connection] = yield* app.server.connections
      assert.strictEqual(connection?.state, "Hijacked")
      assert.strictEqual(connection?.protocol, "echo")
      yield* app.drain
      yield* send(peer, "still here")
      yield* Effect.promise(() => peer.untilText("still here", limit))
      peer.leave()
      assert.strictEqual((yield* app.report).outcome, "Drained")
    }))

  it.effect("its request may have a body", () =>
    Effect.gen(function*() {
      const app = yield* serving(echo)
      const peer = yield* client(app.target)
      yield* send(peer, post("/", "body", "Connection: Upgrade", "Upgrade: echo"), "more")
      yield* Effect.promise(() => peer.untilText(/101 Switching Protocols[^]*\r\n\r\nmore$/, limit))
      peer.leave()
      assert.strictEqual((yield* app.stop).outcome, "Drained")
    }))

  it.effect("an upgrade that the app declines is a request like any other", () =>
    Effect.gen(function*() {
      const app = yield* serving(
        Effect.flatMap(request, ({ text }) => Effect.map(text, HttpServerResponse.text)).pipe(
          Effect.orDie
        )
      )
      const peer = yield* client(app.target)
      yield* send(peer, post("/", "body", "Connection: Upgrade", "Upgrade: echo"))
      const { responses } = yield* Effect.promise(() => peer.untilResponses(1, limit))
      assert.strictEqual(responses[0]?.status, 200)
      assert.strictEqual((yield* app.stop).outcome, "Drained")
    }))

  it.effect("a WebSocket beside it is told to leave", () =>
    Effect.gen(function*() {
      const app = yield* serving(echo)
      const peer = yield* client(app.target, { keepHalfOpen: true })
      yield* send(peer, webSocketHandshake("/"))
      yield* Effect.promise(() => peer.untilText("101 Switching Protocols", limit))
      yield* app.drain
      // a close frame: opcode 8, code 1001
      yield* until("the close frame", () => peer.received().includes(Buffer.from([0x03, 0xe9])))
    }))
})

describe("makeHandler and makeUpgradeHandler", () => {
  it.live("are listeners for a Node server of one's own", () =>
    Effect.gen(function*() {
      const scope = yield* Effect.scope
      const { WebSocketServer } = yield* Effect.promise(() => import("ws"))
      const webSockets = Effect.succeed(new WebSocketServer({ noServer: true }))
      const server: NodeServer = createServer(
        yield* NodeHttpServer.makeHandler(Effect.succeed(HttpServerResponse.text("own")), { scope })
      )
      server.on("upgrade", yield* NodeHttpServer.makeUpgradeHandler(webSockets, echo, { scope }))
      yield* Effect.acquireRelease(
        Effect.promise(() => new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))),
        () => Effect.sync(() => server.close())
      )
      const target = { port: (server.address() as { port: number }).port }
      const plain = yield* client(target)
      yield* send(plain, get("/"))
      yield* Effect.promise(() => plain.untilText("own", limit))
      const peer = yield* client(target)
      yield* send(peer, upgradeToEcho)
      yield* Effect.promise(() => peer.untilText("x-echo: yes", limit))
      plain.leave()
      peer.leave()
    }).pipe(Effect.scoped))
})

describe("gracefulShutdownTimeout", () => {
  const messageOf = (options: NodeHttpServer.Options) =>
    Effect.map(Effect.flip(Layer.build(NodeHttpServer.layer(() => createServer(), options))), ({ message }) => message)

  it.live("is another name of timeout", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const layer = NodeHttpServer.layer(() => createServer(), {
        ...onLoopback,
        gracefulShutdownTimeout: "100 millis",
        killTimeout: 0
      })
      const context = yield* Layer.buildWithScope(Layer.provideMerge(HttpServer.serve(Effect.never), layer), scope)
      const server = Context.get(context, Server.Server)
      const peer = yield* client({ port: yield* Effect.provide(portOf, context) })
      yield* send(peer, get("/"))
      yield* until("the request", () => Effect.runSync(server.connections)[0]?.state === "Active")
      const exit = yield* Effect.exit(Scope.close(scope, Exit.void))
      assert.instanceOf(deadlineExceededIn(exit), Shutdown.DeadlineExceeded)
      yield* Effect.promise(() => peer.untilText("503", limit))
    }).pipe(Effect.scoped))

  it.effect("is refused beside timeout, and where it is no duration", () =>
    Effect.gen(function*() {
      assert.strictEqual(
        yield* messageOf({ ...onLoopback, timeout: 1000, gracefulShutdownTimeout: 2000 }),
        "gracefulShutdownTimeout is 2000, and must be left out, as timeout is given, which it is a name of"
      )
      assert.match(
        yield* messageOf({ ...onLoopback, gracefulShutdownTimeout: -1 }),
        /^gracefulShutdownTimeout is -1, and must be a duration/
      )
    }).pipe(Effect.scoped))
})

it.effect("disablePreemptiveShutdown changes nothing, and the log says so", () =>
  Effect.gen(function*() {
    const logged: Array<unknown> = []
    const logger = Logger.make(({ message }) => void logged.push(message))
    yield* Layer.build(
      NodeHttpServer.layer(() => createServer(), { ...onLoopback, disablePreemptiveShutdown: true })
    ).pipe(Effect.provide(Logger.layer([logger])))
    assert.match(String(logged[0]), /^disablePreemptiveShutdown has no effect/)
  }).pipe(Effect.scoped))
