// The policy from the environment. A value that cannot be is an error that names it, before anything listens.
//
//   SHUTDOWN_TIMEOUT="20 seconds" SHUTDOWN_LAME_DUCK="2 seconds" node --import tsx examples/configuration.ts
//   SHUTDOWN_TIMEOUT=soon node --import tsx examples/configuration.ts
import { HttpRouter, HttpServer, HttpServerResponse } from "@effect/platform"
import { NodeRuntime } from "@effect/platform-node"
import { Config, Layer } from "effect"
import { createServer } from "node:http"
import { NodeHttpServer } from "quiesce"

const ServerLive = NodeHttpServer.layerConfig(() => createServer(), {
  host: Config.succeed("127.0.0.1"),
  port: Config.integer("PORT").pipe(Config.withDefault(3000)),
  lameDuck: Config.duration("SHUTDOWN_LAME_DUCK").pipe(Config.withDefault(0)),
  timeout: Config.duration("SHUTDOWN_TIMEOUT").pipe(Config.withDefault("8 seconds"))
})

HttpRouter.empty.pipe(
  HttpRouter.get("/", HttpServerResponse.text("hello\n")),
  HttpServer.serve(),
  HttpServer.withLogAddress,
  Layer.provide(ServerLive),
  Layer.launch,
  NodeRuntime.runMain
)
