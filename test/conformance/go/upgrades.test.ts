// Go's tests 29, 72 and 77 to 84: what becomes of a connection that a handler takes over, or tries to.
import * as HttpMiddleware from "@effect/platform/HttpMiddleware"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import type * as Http from "node:http"
import type * as Net from "node:net"
import { WebSocketServer } from "ws"
import { Shutdown } from "../../../src/index.js"
import { upgraded } from "../../support/effect/apps.js"
import * as HttpRouter from "../../support/effect/httpRouter.js"
import * as Frames from "../../support/http2Frames.js"
import { webSocketHandshake } from "../../support/httpRequests.js"
import {
  answer,
  client,
  ended,
  get,
  limit,
  post,
  responses,
  send,
  serving,
  until,
  untilStates
} from "../../support/running.js"
import { receive } from "../../support/sockets.js"
import { hijack, leave, serve, upgrade } from "./harness.js"
import { http2Client, response2, serveApp, write } from "./http2Harness.js"

const ok: Http.RequestListener = (_, response) => response.end("ok")

const preface = Frames.preface.toString()

it.scoped("T29: TestHTTP2UpgradeClosesConnection: who speaks HTTP/2 to a server of HTTP/1.1 is answered with 400 and closed", () =>
  Effect.gen(function*() {
    let ran = 0
    const app = yield* serve(() => ran++)
    const peer = yield* client(app.target)
    yield* send(peer, preface)
    expect(yield* answer(peer)).toMatchObject({ status: 400, connection: "close" })
    expect(yield* ended(peer)).toBe("fin")
    yield* app.history.until("New,Active,Closed")
    expect(ran).toBe(0)
  }))

it.scoped("T72: TestHandlerPanicWithHijack: a defect of a handler that asked for the connection is logged, and its client told", () => {
  const logged: Array<string> = []
  return Effect.gen(function*() {
    const running = yield* serving(
      HttpMiddleware.logger(
        HttpRouter.empty.pipe(
          HttpRouter.get("/", Effect.zipRight(upgraded, Effect.dieMessage("with the connection")))
        )
      ),
      Shutdown.goPolicy
    )
    const peer = yield* client(running.target)
    yield* send(peer, webSocketHandshake("/"))
    expect(yield* answer(peer)).toMatchObject({ status: 500 })
    yield* ended(peer)
    yield* until("the log", () => logged.some((cause) => cause.includes("with the connection")))
    yield* untilStates(running.server)
    expect((yield* running.stop).outcome).toBe("Drained")
  }).pipe(Effect.provide(Logger.add(Logger.make(({ cause }) => logged.push(String(cause))))))
})

it.scoped("T77: TestHijackAfterCloseNotifier: a second request takes over a connection whose end the first one asked to hear of", () =>
  Effect.gen(function*() {
    let heard = 0
    const app = yield* serve((request, response) => {
      request.socket.on("close", () => heard++)
      response.end("ok")
    }, { prepare: hijack })
    const peer = yield* client(app.target)
    yield* send(peer, get("/"))
    yield* responses(peer, 1)
    yield* send(peer, upgrade, "hello")
    yield* Effect.promise(() => peer.untilText("hello", limit))
    expect(heard).toBe(0)
    yield* leave(peer)
    yield* app.history.until("New,Active,Idle,Active,Hijacked,Closed")
    expect(heard).toBe(1)
  }))

it.scoped("T78: TestHijackBeforeRequestBodyRead: the body of a request that is taken over can be read to its end", () =>
  Effect.gen(function*() {
    let body = ""
    const read = (chunk: Buffer) => {
      body += chunk.toString()
    }
    const app = yield* serve(ok, {
      prepare: (node) =>
        node.on("upgrade", (request, socket: Net.Socket, head) => {
          // from Node 26 on it is the request's, before that the socket's
          request.on("data", read)
          read(head)
          socket.on("data", read)
          socket.on("end", () => socket.end())
          socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
        })
    })
    const peer = yield* client(app.target)
    yield* send(peer, post("/", "half a ", "Connection: Upgrade", "Upgrade: echo").replace("Length: 7", "Length: 11"))
    yield* app.history.until("New,Active,Hijacked")
    yield* send(peer, "body")
    yield* until(() => `the body, not ${body}`, () => body === "half a body")
    yield* leave(peer)
    yield* app.history.until("New,Active,Hijacked,Closed")
  }))

it.scoped("T79: TestWriteAfterHijack: what a handler answers after it has taken the connection over reaches nobody", () =>
  Effect.gen(function*() {
    const running = yield* serving(
      HttpRouter.empty.pipe(HttpRouter.get(
        "/",
        upgraded.pipe(
          // until its client leaves
          Effect.flatMap((socket) => Effect.ignore(receive(socket, () => {}))),
          Effect.as(HttpServerResponse.text("too late"))
        )
      )),
      Shutdown.goPolicy
    )
    const peer = yield* client(running.target, { keepHalfOpen: true })
    yield* send(peer, webSocketHandshake("/"))
    yield* untilStates(running.server, "Hijacked")
    // a masked close frame
    yield* Effect.promise(() => peer.write(Buffer.from([0x88, 0x80, 0, 0, 0, 0])))
    yield* ended(peer)
    peer.halfClose()
    yield* untilStates(running.server)
    expect(peer.text()).toMatch(/^HTTP\/1.1 101 /)
    expect(peer.text()).not.toContain("too late")
    expect(peer.text().match(/HTTP\/1/g)).toHaveLength(1)
  }))

it.scoped("T80: TestDoubleHijack: a connection that has been taken over cannot be taken over again", () =>
  Effect.gen(function*() {
    const webSockets = new WebSocketServer({ noServer: true })
    let second: unknown
    const app = yield* serve(ok, {
      prepare: (node) =>
        node.on("upgrade", (request, socket, head) => {
          webSockets.handleUpgrade(request, socket, head, (webSocket) => {
            try {
              webSockets.handleUpgrade(request, socket, head, () => {})
            } catch (error) {
              second = error
            }
            webSocket.send("the first")
          })
        })
    })
    const peer = yield* client(app.target)
    yield* send(peer, webSocketHandshake("/"))
    yield* Effect.promise(() => peer.untilText("the first", limit))
    expect(String(second)).toContain("handleUpgrade() was called more than once")
    yield* app.history.until("New,Active,Hijacked")
  }))

it.scoped("T82: TestWriteHeaderSwitchingProtocols: behind a 101 no body is sent, and the connection can still be used", () =>
  Effect.gen(function*() {
    const app = yield* serve((request, response) => {
      if (request.headers.upgrade === undefined) return void response.end("ok")
      response.writeHead(101, { Connection: "Upgrade", Upgrade: "echo" })
      response.write("a body")
      response.end("more of it")
    })
    const peer = yield* client(app.target)
    yield* send(peer, upgrade)
    yield* Effect.promise(() => peer.untilText(/^HTTP\/1.1 101 [^]*\r\n\r\n/, limit))
    expect(peer.text()).toContain("Upgrade: echo")
    yield* app.history.until("New,Active,Idle")
    yield* send(peer, get("/"))
    yield* Effect.promise(() => peer.untilText(/200 OK[^]*ok/, limit))
    expect(peer.text()).not.toContain("body")
  }))

it.scoped("T83: TestServerHandlersCanHandleH2PRI: a listener for clientError gets the preface, and may answer it", () =>
  Effect.gen(function*() {
    let packet = ""
    const app = yield* serve(ok, {
      prepare: (node) =>
        node.on("clientError", (error: Error & { readonly rawPacket?: Buffer }, socket) => {
          packet = String(error.rawPacket)
          socket.end("an answer of its own")
        })
    })
    const peer = yield* client(app.target)
    yield* send(peer, preface)
    yield* ended(peer)
    expect(packet).toBe(preface)
    expect(peer.text()).toBe("an answer of its own")
    yield* app.history.until("New,Active,Closed")
  }))

it.scoped("T84: TestResponseControllerHijack: a connection of HTTP/1.1 can be taken over, one of HTTP/2 cannot", () =>
  Effect.gen(function*() {
    const app = HttpRouter.empty.pipe(HttpRouter.get(
      "/",
      upgraded.pipe(
        Effect.flatMap((socket) => Effect.ignore(receive(socket, () => {}))),
        Effect.as(HttpServerResponse.empty()),
        Effect.catchAll(() => Effect.succeed(HttpServerResponse.text("not this one", { status: 400 })))
      )
    ))
    const one = yield* serving(app, Shutdown.goPolicy)
    const peer = yield* client(one.target)
    yield* send(peer, webSocketHandshake("/"))
    yield* untilStates(one.server, "Hijacked")

    const two = yield* serveApp(app)
    const other = yield* http2Client(two)
    yield* write(other, Frames.request(1), Frames.request(3))
    for (const stream of [1, 3]) {
      expect(yield* response2(other, stream)).toEqual({ status: 400, body: "not this one" })
    }
    yield* untilStates(two.server, "Idle")
    expect((yield* two.stop).outcome).toBe("Drained")
  }))
