// What an operator sees of a shutdown: logs with annotations, a span for each step, metrics, and a live status where
// there is a terminal. All of it leaves through Effect's Logger, Tracer and Metric, here to an OpenTelemetry collector.
//
//   OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318 node --import tsx examples/telemetry.ts
//   curl localhost:3000/slow       and Ctrl-C the server meanwhile
import { Otlp } from "@effect/opentelemetry"
import { FetchHttpClient, HttpClient, HttpLayerRouter, HttpServerResponse } from "@effect/platform"
import { NodeRuntime } from "@effect/platform-node"
import { Config, Effect, Layer, Logger, Option } from "effect"
import { createServer } from "node:http"
import { Metrics, NodeHttpServer, Server, Signals, Status } from "quiesce"

const port = Number(process.env["PORT"] ?? 3000)

// an export that is under way at the end is interrupted with what it carries, unless its request is uninterruptible
const FinishesExports = Layer.provide(
  Layer.effect(HttpClient.HttpClient, Effect.map(HttpClient.HttpClient, HttpClient.transform(Effect.uninterruptible))),
  FetchHttpClient.layer
)

// without a collector, the log alone: JSON lines where a machine reads them, and a live status for a person
const Exporter = Layer.unwrapEffect(Effect.map(
  Config.option(Config.string("OTEL_EXPORTER_OTLP_ENDPOINT")),
  Option.match({
    onNone: () => Layer.empty,
    onSome: (baseUrl) =>
      Layer.provide(Otlp.layerJson({ baseUrl, resource: { serviceName: "example" } }), FinishesExports)
  })
))

const Hooks = Layer.scopedDiscard(Effect.flatMap(
  Server.Server,
  (server) => server.onShutdown("flush cache", Effect.withSpan(Effect.sleep("300 millis"), "write cache"))
))

const Routes = Layer.mergeAll(
  HttpLayerRouter.add("GET", "/", HttpServerResponse.text("hello\n")),
  HttpLayerRouter.add(
    "GET",
    "/slow",
    Effect.delay(Effect.succeed(HttpServerResponse.text("hello, three seconds later\n")), "3 seconds")
  ),
  HttpLayerRouter.add("GET", "/hangs", Effect.never)
)

HttpLayerRouter.serve(Routes, { disableLogger: true }).pipe(
  Layer.provide([Hooks, Metrics.layer({ server: "example" }), Status.layer()]),
  Layer.provide(NodeHttpServer.layer(() => createServer(), { host: "127.0.0.1", port, timeout: "5 seconds" })),
  // last, and so released last: what the server says at its very end is exported, too
  Layer.provide(Exporter),
  Layer.provide(process.stdout.isTTY ? Logger.pretty : Logger.json),
  Layer.launch,
  NodeRuntime.runMain({ disablePrettyLogger: true, teardown: Signals.teardown })
)
