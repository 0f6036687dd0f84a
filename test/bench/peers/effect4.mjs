// Effect 4's server, or ours for Effect 4, with the apps of request.ts: serves one until it is told to stop; on request, says how much CPU time
// it has used.
//   node effect4.mjs <text, json, router or streaming> [port]
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServer from "effect/http/HttpServer"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { createServer } from "node:http"

const NodeHttpServer = await import(process.env.BENCH_NODE_HTTP_SERVER ?? "@effect/platform-node/NodeHttpServer")

const encoded = (text) => new TextEncoder().encode(text)

const apps = {
  text: HttpServer.serve(Effect.succeed(HttpServerResponse.text("hello"))),
  json: HttpServer.serve(Effect.suspend(() => HttpServerResponse.json({ message: "hello", items: [1, 2, 3] }))),
  router: HttpRouter.serve(
    HttpRouter.addAll([
      HttpRouter.route("GET", "/", HttpServerResponse.text("hello")),
      HttpRouter.route(
        "GET",
        "/users/:id",
        Effect.map(HttpRouter.params, ({ id }) => HttpServerResponse.text(`user ${id}`))
      )
    ]),
    { disableLogger: true, disableListenLog: true }
  ),
  streaming: HttpServer.serve(
    Effect.sync(() =>
      HttpServerResponse.stream(Stream.make(encoded("hel"), encoded("lo")), {
        contentType: "text/plain",
        contentLength: 5
      })
    )
  )
}

process.on("message", () => process.send(process.cpuUsage()))
process.on("disconnect", () => process.exit(0))

const listening = Layer.effectDiscard(Effect.map(HttpServer.HttpServer, ({ address }) => process.send?.(address.port)))

listening.pipe(
  Layer.provideMerge(apps[process.argv[2]]),
  Layer.provide(NodeHttpServer.layer(() => createServer({ keepAliveTimeout: 60_000 }), {
    host: "127.0.0.1",
    port: Number(process.argv[3] ?? 0)
  })),
  Layer.launch,
  Effect.runFork
)
