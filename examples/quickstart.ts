// The README's quickstart. Only the import of NodeHttpServer differs from an app on @effect/platform-node.
//
//   node --import tsx examples/quickstart.ts
//   curl localhost:3000/slow       and Ctrl-C the server meanwhile: the answer still comes
import { HttpLayerRouter, HttpServerResponse } from "@effect/platform"
import { NodeRuntime } from "@effect/platform-node"
import { Effect, Layer } from "effect"
import { createServer } from "node:http"
import { NodeHttpServer, Signals } from "quiesce"

const port = Number(process.env["PORT"] ?? 3000)

const Routes = Layer.mergeAll(
  HttpLayerRouter.add("GET", "/", HttpServerResponse.text("hello\n")),
  HttpLayerRouter.add(
    "GET",
    "/slow",
    Effect.delay(Effect.succeed(HttpServerResponse.text("hello, two seconds later\n")), "2 seconds")
  )
)

HttpLayerRouter.serve(Routes, { disableLogger: true }).pipe(
  Layer.provide(NodeHttpServer.layer(() => createServer(), { host: "127.0.0.1", port, timeout: "5 seconds" })),
  Layer.launch,
  NodeRuntime.runMain({ teardown: Signals.teardown })
)
