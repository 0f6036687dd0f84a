// A resource for each connection: acquired by its first request, shared by all of them, released when it has closed.
//
//   node --import tsx examples/perConnection.ts
//   curl localhost:3000 localhost:3000 localhost:3000       three requests on one connection
import { HttpLayerRouter, HttpServerResponse } from "@effect/platform"
import { NodeRuntime } from "@effect/platform-node"
import { Effect, Layer, Ref } from "effect"
import { createServer } from "node:http"
import { Connection, NodeHttpServer, Signals } from "quiesce"

const port = Number(process.env["PORT"] ?? 3000)

const session = Connection.once(
  Effect.acquireRelease(
    Effect.tap(Ref.make(0), Effect.log("session opened")),
    (requests) => Effect.flatMap(Ref.get(requests), (n) => Effect.log(`session closed after ${n} requests`))
  )
)

const handler = Effect.gen(function*() {
  const { id } = yield* Connection.current
  const requests = yield* session
  const n = yield* Ref.updateAndGet(requests, (n) => n + 1)
  return HttpServerResponse.text(`request ${n} of connection ${id}\n`)
})

HttpLayerRouter.serve(HttpLayerRouter.add("GET", "/", handler), { disableLogger: true }).pipe(
  Layer.provide(NodeHttpServer.layer(() => createServer(), { host: "127.0.0.1", port })),
  Layer.launch,
  NodeRuntime.runMain({ teardown: Signals.teardown })
)
