/** The app of the servers on Effect 3: the same Layer, on whichever server. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as HttpServer from "@effect/platform/HttpServer"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { answer, closed, executed, listening } from "./app.mjs"

const response = (body) =>
  typeof body === "string"
    ? HttpServerResponse.text(body)
    : HttpServerResponse.uint8Array(body, { contentType: "text/plain" })

const app = Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => {
  const id = request.headers["x-id"]
  if (request.method === "GET" && request.url === "/") {
    executed(id)
    return HttpServerResponse.text("hello")
  }
  const answered = Effect.map(Effect.promise(() => answer(request.url, id)), response)
  return request.method === "POST" ? Effect.zipRight(Effect.orDie(request.text), answered) : answered
})

/** As the documentation of both says: `Layer.launch`, and `runMain`, which interrupts it when a signal comes. */
export const run = (server) =>
  HttpServer.serve(app).pipe(
    Layer.tap(() => HttpServer.addressWith((address) => Effect.sync(() => listening(address.port)))),
    Layer.provide(server),
    Layer.launch,
    Effect.ensuring(Effect.sync(closed)),
    NodeRuntime.runMain
  )
