// The policy from the environment. A value that cannot be is an error that names it, before anything listens.
//
//   SHUTDOWN_TIMEOUT="20 seconds" SHUTDOWN_LAME_DUCK="2 seconds" node --import tsx examples/configuration.ts
//   SHUTDOWN_TIMEOUT=soon node --import tsx examples/configuration.ts
import { HttpLayerRouter, HttpServerResponse } from "@effect/platform"
import { NodeRuntime } from "@effect/platform-node"
import { Config, Layer } from "effect"
import { createServer } from "node:http"
import { NodeHttpServer, Shutdown, Signals } from "quiesce"

const ServerLive = NodeHttpServer.layerConfig(
  () => createServer(),
  Config.all({
    port: Config.integer("PORT").pipe(Config.withDefault(3000)),
    // what is not set is as under `docker stop`
    policy: Shutdown.config(Shutdown.docker())
  }).pipe(Config.map(({ policy, port }) => ({ host: "127.0.0.1", port, ...policy })))
)

HttpLayerRouter.serve(HttpLayerRouter.add("GET", "/", HttpServerResponse.text("hello\n")), { disableLogger: true })
  .pipe(
    Layer.provide(ServerLive),
    Layer.launch,
    NodeRuntime.runMain({ teardown: Signals.teardown })
  )
