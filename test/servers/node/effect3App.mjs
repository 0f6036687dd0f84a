/** The app with Effect 3, on the `NodeHttpServer` of its platform or on ours. */
import { HttpLayerRouter, HttpServerRequest, HttpServerResponse } from "@effect/platform"
import { Effect, Layer, Schedule, Stream } from "effect"
import { address, big, event, eventMillis, hello, slow } from "./app.mjs"
import { createServer } from "./nodeServer.mjs"

const echo = Effect.gen(function*() {
  const socket = yield* HttpServerRequest.upgrade
  const write = yield* socket.writer
  yield* socket.runRaw(write)
  return HttpServerResponse.empty()
})

const events = Stream.repeatValue(event).pipe(Stream.schedule(Schedule.spaced(eventMillis)), Stream.encodeText)

const routes = HttpLayerRouter.addAll([
  HttpLayerRouter.route("GET", "/", HttpServerResponse.text(hello)),
  HttpLayerRouter.route("GET", "/slow", Effect.map(Effect.promise(slow), HttpServerResponse.text)),
  HttpLayerRouter.route("GET", "/big", Effect.sync(() => HttpServerResponse.uint8Array(big()))),
  HttpLayerRouter.route("GET", "/stream", HttpServerResponse.stream(events, { contentType: "text/event-stream" })),
  HttpLayerRouter.route(
    "POST",
    "/post",
    (request) => Effect.map(request.arrayBuffer, (body) => HttpServerResponse.text(`${body.byteLength}\n`))
  ),
  HttpLayerRouter.route("GET", "/ws", Effect.scoped(echo))
])

export const serve = (NodeHttpServer) =>
  HttpLayerRouter.serve(routes, { disableLogger: true }).pipe(
    Layer.provide(NodeHttpServer.layer(() => createServer(), address)),
    Layer.launch
  )
