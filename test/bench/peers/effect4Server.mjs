// Effect 4's own server, or ours for Effect 4, as its documentation says: `Layer.launch`, and `runMain`.
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Effect from "effect/Effect"
import * as HttpServer from "effect/http/HttpServer"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import { answer, closed, executed, graceMs, listening, nodeServer, options } from "../servers/app.mjs"

const isOurs = process.env.BENCH_NODE_HTTP_SERVER !== undefined
const NodeHttpServer = await import(process.env.BENCH_NODE_HTTP_SERVER ?? "@effect/platform-node/NodeHttpServer")
const { teardown } = isOurs ? await import("quiesce/Signals") : {}

const response = (body) =>
  typeof body === "string"
    ? HttpServerResponse.text(body)
    : HttpServerResponse.uint8Array(body, { contentType: "text/plain" })

const app = Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => {
  const id = request.headers["x-id"]
  if (request.method === "GET" && request.url === "/") {
    executed(id)
    return Effect.succeed(HttpServerResponse.text("hello"))
  }
  const answered = Effect.map(Effect.promise(() => answer(request.url, id)), response)
  return request.method === "POST" ? Effect.andThen(Effect.orDie(request.text), answered) : answered
})

const said = Layer.effectDiscard(
  Effect.map(HttpServer.HttpServer, ({ address }) => listening(address.port))
)

HttpServer.serve(app).pipe(
  Layer.merge(said),
  Layer.provide(NodeHttpServer.layer(() => nodeServer(), { ...options, gracefulShutdownTimeout: graceMs })),
  Layer.launch,
  Effect.ensuring(Effect.sync(closed)),
  isOurs ? NodeRuntime.runMain({ teardown }) : NodeRuntime.runMain
)
