// A stream that never ends by itself would be cut at the deadline. This one ends when a shutdown begins, with a last
// word to its client.
//
//   node --import tsx examples/stream.ts
//   curl -N localhost:3000/clock       and Ctrl-C the server meanwhile
import { HttpLayerRouter, HttpServerResponse } from "@effect/platform"
import { NodeRuntime } from "@effect/platform-node"
import { DateTime, Effect, Layer, Schedule, Stream } from "effect"
import { createServer } from "node:http"
import { NodeHttpServer, Server, Signals } from "quiesce"

const port = Number(process.env["PORT"] ?? 3000)

const clock = Effect.gen(function*() {
  const server = yield* Server.Server
  const times = Stream.repeatEffectWithSchedule(DateTime.now, Schedule.spaced("200 millis")).pipe(
    Stream.map((time) => `${DateTime.formatIso(time)}\n`),
    Stream.interruptWhen(server.shuttingDown),
    Stream.concat(Stream.make("the server is shutting down: come back later\n"))
  )
  return HttpServerResponse.stream(Stream.encodeText(times), { contentType: "text/plain" })
})

HttpLayerRouter.serve(HttpLayerRouter.add("GET", "/clock", clock), { disableLogger: true }).pipe(
  Layer.provide(NodeHttpServer.layer(() => createServer(), { host: "127.0.0.1", port })),
  Layer.launch,
  NodeRuntime.runMain({ teardown: Signals.teardown })
)
