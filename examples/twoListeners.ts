// One server, two listeners: the same app on a TCP port and on a Unix socket, drained together. The socket's file is
// gone afterwards.
//
//   node --import tsx examples/twoListeners.ts
//   curl localhost:3000; curl --unix-socket /tmp/quiesce-example.sock http://localhost/
import { HttpLayerRouter, HttpServerResponse } from "@effect/platform"
import { NodeRuntime } from "@effect/platform-node"
import { Effect, Layer } from "effect"
import { createServer } from "node:http"
import { NodeHttpServer, Server, Signals } from "quiesce"

const port = Number(process.env["PORT"] ?? 3000)
const path = process.env["SOCKET"] ?? "/tmp/quiesce-example.sock"

const UnixSocket = Layer.scopedDiscard(Effect.gen(function*() {
  const server = yield* Server.Server
  yield* server.listen(() => createServer(), { path })
  yield* Effect.log(`Listening on unix://${path}`)
}))

const handler = Effect.log("request received").pipe(
  Effect.zipRight(Effect.sleep("1 second")),
  Effect.as(HttpServerResponse.text("hello\n"))
)

HttpLayerRouter.serve(HttpLayerRouter.add("GET", "/", handler), { disableLogger: true }).pipe(
  Layer.provide(UnixSocket),
  Layer.provide(NodeHttpServer.layer(() => createServer(), { host: "127.0.0.1", port })),
  Layer.launch,
  NodeRuntime.runMain({ teardown: Signals.teardown })
)
