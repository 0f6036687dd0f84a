// What else has to be done when the server stops: hooks run once, all together, when draining starts. Each is awaited
// and bounded, and its outcome is in the report. A hook that fails stops nothing.
//
//   node --import tsx examples/hooks.ts       and Ctrl-C
import { HttpLayerRouter, HttpServerResponse } from "@effect/platform"
import { NodeRuntime } from "@effect/platform-node"
import { Duration, Effect, Layer } from "effect"
import { createServer } from "node:http"
import { NodeHttpServer, Server, Signals } from "quiesce"

const port = Number(process.env["PORT"] ?? 3000)

const leaveRegistry = Effect.log("left the service registry")
const flushMetrics = Effect.delay(Effect.log("metrics flushed"), "300 millis")
const notifyOldSystem = Effect.fail("the old system does not answer")
const syncCaches = Effect.never

const Hooks = Layer.scopedDiscard(Effect.gen(function*() {
  const server = yield* Server.Server
  yield* server.onShutdown("leave registry", leaveRegistry)
  yield* server.onShutdown("flush metrics", flushMetrics, { timeout: "2 seconds" })
  yield* server.onShutdown("notify the old system", notifyOldSystem)
  yield* server.onShutdown("sync caches", syncCaches, { timeout: "1 second" })
}))

/** Built before the app, and so released after it: by then there is a report. */
const LogReport = Layer.scopedDiscard(
  Effect.flatMap(Server.Server, (server) =>
    Effect.addFinalizer(() =>
      server.closed.pipe(
        Effect.flatMap(({ hooks }) =>
          Effect.forEach(
            hooks,
            ({ duration, name, outcome }) =>
              Effect.log(`${name}: ${outcome} after ${Duration.toMillis(duration).toFixed()} ms`)
          )
        ),
        Effect.ignore
      )
    ))
)

HttpLayerRouter.serve(HttpLayerRouter.add("GET", "/", HttpServerResponse.text("hello\n")), { disableLogger: true })
  .pipe(
    Layer.provide(Hooks),
    Layer.provide(LogReport),
    Layer.provide(NodeHttpServer.layer(() => createServer(), { host: "127.0.0.1", port })),
    Layer.launch,
    NodeRuntime.runMain({ teardown: Signals.teardown })
  )
