// HTTPS: the server that Node makes is all that differs. The certificate is made for the example, and signs itself.
//
//   node --import tsx examples/https.ts
//   curl -k https://localhost:3000/slow       and Ctrl-C the server meanwhile: the answer still comes
import { HttpLayerRouter, HttpServerResponse } from "@effect/platform"
import { NodeRuntime } from "@effect/platform-node"
import { Effect, Layer } from "effect"
import { createServer } from "node:https"
import { NodeHttpServer, Signals } from "quiesce"
import { generate } from "selfsigned"

const port = Number(process.env["PORT"] ?? 3000)

const { cert, private: key } = await generate([{ name: "commonName", value: "localhost" }], {
  algorithm: "sha256",
  keyType: "ec"
})

const Routes = Layer.mergeAll(
  HttpLayerRouter.add("GET", "/", HttpServerResponse.text("hello\n")),
  HttpLayerRouter.add(
    "GET",
    "/slow",
    Effect.delay(Effect.succeed(HttpServerResponse.text("hello, one second later\n")), "1 second")
  )
)

HttpLayerRouter.serve(Routes, { disableLogger: true }).pipe(
  Layer.provide(NodeHttpServer.layer(() => createServer({ cert, key }), { host: "127.0.0.1", port })),
  Layer.launch,
  NodeRuntime.runMain({ teardown: Signals.teardown })
)
