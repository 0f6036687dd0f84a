// HTTP/2 over TLS, and HTTP/1.1 for the clients that do not speak it. At SIGTERM each session is told to go away, its
// streams in flight are answered, and a later one is refused before any handler runs.
//
//   node --import tsx examples/http2.ts
//   curl -k --http2 https://localhost:3000/slow       and Ctrl-C the server meanwhile: the answer still comes
import { HttpRouter, HttpServer, HttpServerResponse } from "@effect/platform"
import { NodeRuntime } from "@effect/platform-node"
import { Effect, Layer } from "effect"
import { createSecureServer } from "node:http2"
import { NodeHttpServer } from "quiesce"
import { generate } from "selfsigned"

const port = Number(process.env["PORT"] ?? 3000)

const { cert, private: key } = await generate([{ name: "commonName", value: "localhost" }], {
  algorithm: "sha256",
  keyType: "ec"
})
const createServer = () => createSecureServer({ cert, key, allowHTTP1: true })

HttpRouter.empty.pipe(
  HttpRouter.get("/", HttpServerResponse.text("hello\n")),
  HttpRouter.get("/slow", HttpServerResponse.text("hello, one second later\n").pipe(Effect.delay("1 second"))),
  HttpServer.serve(),
  HttpServer.withLogAddress,
  Layer.provide(NodeHttpServer.layer(createServer, { host: "127.0.0.1", port })),
  Layer.launch,
  NodeRuntime.runMain
)
