// The app of the demo, as a process that stops on SIGTERM: `stock` or `quiesce`, and nothing else differs.
import { HttpLayerRouter } from "@effect/platform"
import { NodeRuntime } from "@effect/platform-node"
import type * as Platform from "@effect/platform-node/NodeHttpServer"
import { Effect, Layer } from "effect"
import { createServer } from "node:http"
import { Signals } from "quiesce"
import { work } from "../../examples/start/work.js"

const NodeHttpServer: Pick<typeof Platform, "layer"> = process.argv[2] === "stock"
  ? await import("@effect/platform-node/NodeHttpServer")
  : await import("quiesce/NodeHttpServer")

HttpLayerRouter.serve(work({ streamsEnd: Effect.never }), { disableListenLog: true, disableLogger: true }).pipe(
  Layer.provide(NodeHttpServer.layer(() => createServer(), { host: "127.0.0.1", port: Number(process.env["PORT"]) })),
  Layer.launch,
  NodeRuntime.runMain({ teardown: Signals.teardown })
)
