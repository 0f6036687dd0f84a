// The app of the demo, as a process that stops on SIGTERM: `stock` or `quiesce`, and nothing else differs.
import { HttpLayerRouter, HttpServer } from "@effect/platform"
import { NodeRuntime } from "@effect/platform-node"
import type * as Platform from "@effect/platform-node/NodeHttpServer"
import { Effect, Layer, Option, Stream } from "effect"
import { createServer } from "node:http"
import { Server, Signals } from "quiesce"
import { work } from "../../examples/start/work.js"

const say = (event: string, fields: Readonly<Record<string, unknown>> = {}) =>
  console.log(JSON.stringify({ event, at: performance.timeOrigin + performance.now(), ...fields }))

const NodeHttpServer: Pick<typeof Platform, "layer"> = process.argv[2] === "stock"
  ? await import("@effect/platform-node/NodeHttpServer")
  : await import("quiesce/NodeHttpServer")

/** Only quiesce has phases to tell. */
const Phases = Layer.scopedDiscard(Effect.gen(function*() {
  const server = yield* Effect.serviceOption(Server.Server)
  if (Option.isNone(server)) return
  yield* Stream.runForEach(server.value.phase.changes, (phase) => Effect.sync(() => say("phase", { phase }))).pipe(
    Effect.interruptible,
    Effect.forkDaemon
  )
}))

HttpLayerRouter.serve(work({ streamsEnd: Effect.never, executed: (id) => say("executed", { id }) }), {
  disableListenLog: true,
  disableLogger: true
}).pipe(
  Layer.tap(() =>
    Effect.flatMap(HttpServer.HttpServer, ({ address }) => Effect.sync(() => say("listening", { ...address }))).pipe(
      Effect.asVoid
    )
  ),
  Layer.provide(Phases),
  Layer.provide(NodeHttpServer.layer(() => createServer(), { host: "127.0.0.1", port: 0 })),
  Layer.launch,
  NodeRuntime.runMain({ teardown: Signals.teardown })
)
