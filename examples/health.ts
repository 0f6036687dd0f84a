// What Kubernetes, a load balancer and whoever is on call ask: probes and metrics on a listener of their own, which goes
// on answering until the traffic has drained. For five seconds after SIGTERM the app is not ready and serves on, so that
// whoever balances the load can leave it.
//
//   node --import tsx examples/health.ts
//   curl localhost:9000/readyz?verbose; curl localhost:9000/connections; curl localhost:9000/metrics
//   curl localhost:3000/slow     and Ctrl-C the server meanwhile: curl localhost:9000/requests says what it waits for
import { HttpLayerRouter, HttpServer, HttpServerResponse } from "@effect/platform"
import { NodeRuntime } from "@effect/platform-node"
import { Effect, Layer } from "effect"
import { createServer } from "node:http"
import { Admin, Health, Metrics, NodeHttpServer, Shutdown, Signals } from "quiesce"

const port = Number(process.env["PORT"] ?? 3000)
const adminPort = Number(process.env["ADMIN_PORT"] ?? 9000)

/** A pool and its check, which is taken back before the pool is released. */
const Database = Layer.scopedDiscard(Effect.gen(function*() {
  yield* Effect.acquireRelease(Effect.void, () => Effect.log("database closed"))
  const ping = Effect.sleep("20 millis")
  yield* Health.check("database", ping, { timeout: "500 millis", cache: "2 seconds" })
}))

const Watched = Layer.mergeAll(
  Metrics.layer({ interval: "1 second" }),
  Layer.effectDiscard(Effect.flatMap(
    Admin.Admin,
    ({ address }) => Effect.log(`Admin on ${HttpServer.formatAddress(address)}`)
  )).pipe(Layer.provide(Admin.layer({ port: adminPort })))
)

const Routes = Layer.mergeAll(
  HttpLayerRouter.add("GET", "/", HttpServerResponse.text("hello\n")),
  HttpLayerRouter.add(
    "GET",
    "/slow",
    Effect.delay(Effect.succeed(HttpServerResponse.text("eight seconds later\n")), "8 seconds")
  )
)

HttpLayerRouter.serve(Routes, { disableLogger: true }).pipe(
  Layer.provide(Database),
  // not ready before all of that has been built
  Health.startup("app"),
  Layer.provide(Watched),
  Layer.provide(Health.layer),
  Layer.provide(NodeHttpServer.layer(() => createServer(), {
    host: "127.0.0.1",
    port,
    ...Shutdown.kubernetes({ terminationGracePeriod: "30 seconds" })
  })),
  Layer.launch,
  NodeRuntime.runMain({ teardown: Signals.teardown })
)
