// The README's quickstart. Only the import of NodeHttpServer differs from an app on @effect/platform-node.
//
//   node --import tsx examples/quickstart.ts
//   curl localhost:3000/slow       and Ctrl-C the server meanwhile: the answer still comes
import { HttpRouter, HttpServer, HttpServerResponse } from "@effect/platform"
import { NodeRuntime } from "@effect/platform-node"
import { Effect, Layer } from "effect"
import { createServer } from "node:http"
import { NodeHttpServer } from "quiesce"

const port = Number(process.env["PORT"] ?? 3000)

HttpRouter.empty.pipe(
  HttpRouter.get("/", HttpServerResponse.text("hello\n")),
  HttpRouter.get("/slow", HttpServerResponse.text("hello, two seconds later\n").pipe(Effect.delay("2 seconds"))),
  HttpServer.serve(),
  HttpServer.withLogAddress,
  Layer.provide(NodeHttpServer.layer(() => createServer(), { host: "127.0.0.1", port, timeout: "5 seconds" })),
  Layer.launch,
  NodeRuntime.runMain
)
