/**
 * The servers of one cycle, in one process: an Effect app, an adopted express with WebSockets of `ws`, and HTTP/2; each
 * started and stopped as its users do.
 */
import * as HttpServer from "@effect/platform/HttpServer"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Scope from "effect/Scope"
import express from "express"
import * as Http from "node:http"
import * as Http2 from "node:http2"
import type * as Net from "node:net"
import { Connection, NodeHttpServer, Server, type Shutdown } from "quiesce"
import { quiesce } from "quiesce/promise"
import { WebSocketServer } from "ws"
import { makeSite } from "../adversarial/support/site.js"
import { upgraded } from "../support/effect/apps.js"
import { portOf } from "../support/nodeServer.js"
import { receive, writerOf } from "../support/sockets.js"

export interface Running {
  readonly name: string
  readonly port: number
  /** Shuts down, and says what became of it. */
  readonly stop: () => Promise<Shutdown.Report>
}

const policy = { timeout: 8000, killTimeout: 1000, idleGrace: 300, newConnectionGrace: 500 } satisfies Shutdown.Policy
const silent = Logger.remove(Logger.defaultLogger)
// a heap snapshot may hold up the process for longer than Node's own 5 seconds, after which it closes what is idle
const nodeOptions: Http.ServerOptions = { keepAliveTimeout: 60_000 }
const onLoopback = { host: "127.0.0.1", port: 0 }

const closed = (server: Server.ServerService): Promise<Shutdown.Report> =>
  Effect.runPromise(Effect.catchAll(server.closed, ({ report }) => Effect.succeed(report)))

/** Builds a layer with a server in it; stopping closes its scope. */
const launched = async <E>(name: string, node: Net.Server, layer: Layer.Layer<Server.Server, E>): Promise<Running> => {
  const scope = Effect.runSync(Scope.make())
  const context = await Effect.runPromise(Effect.provide(Layer.buildWithScope(layer, scope), silent))
  const server = Context.get(context, Server.Server)
  return {
    name,
    port: portOf(node),
    stop: async () => {
      await Effect.runPromiseExit(Effect.provide(Scope.close(scope, Exit.void), silent))
      return closed(server)
    }
  }
}

const effectApp = (): Promise<Running> => {
  const site = makeSite()
  const node = Http.createServer(nodeOptions)
  const socket = Effect.gen(function*() {
    const socket = yield* upgraded
    const write = yield* writerOf(socket)
    yield* receive(socket, (message) => write(message))
    return HttpServerResponse.empty()
  }).pipe(Effect.scoped, Effect.catchTag("SocketError", () => Effect.succeed(HttpServerResponse.empty())))
  const app = Effect.gen(function*() {
    const { url } = yield* HttpServerRequest.HttpServerRequest
    yield* Connection.once(Effect.acquireRelease(Effect.succeed({}), () => Effect.void))
    return yield* url === "/socket" ? socket : site.app
  })
  return launched(
    "an Effect app",
    node,
    HttpServer.serve(app).pipe(
      Layer.merge(Layer.scopedDiscard(Effect.flatMap(Server.Server, (server) =>
        Effect.zipRight(
          server.onShutdown("hook", Effect.void, { timeout: "1 second" }),
          server.observe(() => {})
        )))),
      Layer.provideMerge(NodeHttpServer.layer(() => node, { ...onLoopback, ...policy }))
    )
  )
}

const adoptedExpress = async (): Promise<Running> => {
  const site = makeSite()
  const app = express().get("/express", (_, response) => void response.send("express")).use(site.listener)
  const node = Http.createServer(nodeOptions, app)
  const webSockets = new WebSocketServer({ server: node, path: "/socket" })
  webSockets.on("connection", (socket) => {
    socket.on("message", (message, isBinary) => socket.send(message, { binary: isBinary }))
    socket.on("error", () => {})
  })
  await new Promise<void>((resolve) => node.listen(onLoopback, resolve))
  const server = quiesce(node, { ...policy, logger: false, onShutdown: () => {} })
  return {
    name: "an adopted express",
    port: portOf(node),
    stop: async () => {
      const report = await server.shutdown()
      webSockets.close()
      return report
    }
  }
}

const http2 = (): Promise<Running> => {
  const node = Http2.createServer((request, response) => {
    if (request.url === "/big") return void response.end(Buffer.alloc(1024 * 1024, "x"))
    request.pipe(response)
  })
  return launched(
    "HTTP/2",
    node,
    Layer.scopedDiscard(Effect.flatMap(Server.Server, (server) => server.listen(() => node, onLoopback))).pipe(
      Layer.provideMerge(Server.layer(policy))
    )
  )
}

export interface Servers {
  readonly effect: Running
  readonly adopted: Running
  readonly http2: Running
}

export const startServers = async (): Promise<Servers> => ({
  effect: await effectApp(),
  adopted: await adoptedExpress(),
  http2: await http2()
})
