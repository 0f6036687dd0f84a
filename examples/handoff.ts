// A restart that no client notices: on SIGUSR2 a new process of this program gets the listening socket, and this one
// answers what it has begun and ends. Change GREETING in this file meanwhile, and see it arrive.
//
//   node --import tsx examples/handoff.ts
//   while curl -s localhost:3000; do sleep 0.1; done       and: kill -USR2 <the process that answers>
//   curl -X POST localhost:3000/upgrade                    does the same from inside
import { HttpLayerRouter, HttpServerResponse } from "@effect/platform"
import { NodeRuntime } from "@effect/platform-node"
import { Effect, Layer } from "effect"
import { createServer } from "node:http"
import { Handoff, NodeHttpServer, Signals } from "quiesce"

const GREETING = "hello"
const port = Number(process.env["PORT"] ?? 3000)

const deploy = Handoff.upgrade.pipe(
  Effect.map(({ pid }) => HttpServerResponse.text(`process ${pid} accepts now\n`)),
  Effect.catchTag(
    "HandoffFailed",
    (error) => Effect.succeed(HttpServerResponse.text(`${error.message}\n`, { status: 503 }))
  )
)

const Routes = Layer.mergeAll(
  HttpLayerRouter.add("GET", "/", HttpServerResponse.text(`${GREETING} from process ${process.pid}\n`)),
  HttpLayerRouter.add(
    "GET",
    "/slow",
    Effect.delay(Effect.succeed(HttpServerResponse.text(`slowly, from process ${process.pid}\n`)), "2 seconds")
  ),
  HttpLayerRouter.add("POST", "/upgrade", deploy)
)

HttpLayerRouter.serve(Routes, { disableLogger: true }).pipe(
  Layer.provide(NodeHttpServer.layer(() => createServer(), { host: "127.0.0.1", port })),
  Handoff.launch({ timeout: "30 seconds" }),
  Signals.handle(),
  NodeRuntime.runMain({ teardown: Signals.teardown })
)
