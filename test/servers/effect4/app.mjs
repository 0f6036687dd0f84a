/** The app with Effect 4, on the `NodeHttpServer` of its platform or on ours. */
import { Effect, Layer, Stream } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { address, big, event, eventMillis, hello, slow } from "../node/app.mjs"
import { createServer } from "../node/nodeServer.mjs"

const echo = Effect.gen(function*() {
  const { upgrade } = yield* HttpServerRequest.HttpServerRequest
  const socket = yield* upgrade
  const { pull } = yield* socket.reader
  const { writeAll } = yield* socket.writer
  // a client that leaves ends it with an error
  yield* Effect.ignore(Effect.forever(Effect.flatMap(pull, writeAll)))
  return HttpServerResponse.empty()
})

const events = Stream.tick(eventMillis).pipe(Stream.map(() => event), Stream.encodeText)

const routes = HttpRouter.addAll([
  HttpRouter.route("GET", "/", HttpServerResponse.text(hello)),
  HttpRouter.route("GET", "/slow", Effect.map(Effect.promise(slow), (body) => HttpServerResponse.text(body))),
  HttpRouter.route("GET", "/big", Effect.sync(() => HttpServerResponse.uint8Array(big()))),
  HttpRouter.route("GET", "/stream", HttpServerResponse.stream(events, { contentType: "text/event-stream" })),
  HttpRouter.route(
    "POST",
    "/post",
    (request) => Effect.map(request.arrayBuffer, (body) => HttpServerResponse.text(`${body.byteLength}\n`))
  ),
  HttpRouter.route("GET", "/ws", Effect.scoped(echo))
])

export const serve = (NodeHttpServer) =>
  HttpRouter.serve(routes, { disableLogger: true }).pipe(
    Layer.provide(NodeHttpServer.layer(() => createServer(), address)),
    Layer.launch
  )
