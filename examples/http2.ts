// HTTP/2 over TLS, and HTTP/1.1 for the clients that do not speak it. At SIGTERM each session is told to go away, its
// streams in flight are answered, and a later one is refused before any handler runs.
//
//   node --import tsx examples/http2.ts
//   curl -k --http2 https://localhost:3000/slow       and Ctrl-C the server meanwhile: the answer still comes
import { HttpLayerRouter, HttpServerResponse } from "@effect/platform"
import { NodeRuntime } from "@effect/platform-node"
import { Effect, Layer } from "effect"
import { createSecureServer } from "node:http2"
import { NodeHttpServer, Signals } from "quiesce"
import { generate } from "selfsigned"

const port = Number(process.env["PORT"] ?? 3000)

const { cert, private: key } = await generate([{ name: "commonName", value: "localhost" }], {
  algorithm: "sha256",
  keyType: "ec"
})
const createServer = () => createSecureServer({ cert, key, allowHTTP1: true })

const Routes = Layer.mergeAll(
  HttpLayerRouter.add("GET", "/", HttpServerResponse.text("hello\n")),
  HttpLayerRouter.add(
    "GET",
    "/slow",
    Effect.delay(Effect.succeed(HttpServerResponse.text("hello, one second later\n")), "1 second")
  )
)

HttpLayerRouter.serve(Routes, { disableLogger: true }).pipe(
  Layer.provide(NodeHttpServer.layer(createServer, { host: "127.0.0.1", port })),
  Layer.launch,
  NodeRuntime.runMain({ teardown: Signals.teardown })
)
