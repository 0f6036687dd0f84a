// What signals do: SIGTERM, Ctrl-C and Ctrl-\ stop the app, a further one hurries it, and the exit code says how it
// ended. Finalizers run in every case.
//
//   node --import tsx examples/signals.ts ; echo "exit code $?"
//   curl localhost:3000/slow     and press Ctrl-C meanwhile, once, twice or three times, a second apart
//
//   once:    5 s in which it still accepts, and asks clients to leave; the answer comes; exit code 0
//   twice:   those 5 s are over; the answer comes; exit code 0
//   thrice:  the request is cut, with a 503; the database is closed all the same; exit code 130
import { HttpLayerRouter, HttpServerResponse } from "@effect/platform"
import { NodeRuntime } from "@effect/platform-node"
import { Effect, Layer } from "effect"
import { createServer } from "node:http"
import { NodeHttpServer, Server, Signals } from "quiesce"

const port = Number(process.env["PORT"] ?? 3000)

const Database = Layer.scopedDiscard(Effect.acquireRelease(Effect.void, () => Effect.log("database closed")))

HttpLayerRouter.serve(
  HttpLayerRouter.add(
    "GET",
    "/slow",
    Effect.delay(Effect.succeed(HttpServerResponse.text("ten seconds later\n")), "10 seconds")
  ),
  { disableLogger: true }
).pipe(
  Layer.provideMerge(NodeHttpServer.layer(() => createServer(), {
    host: "127.0.0.1",
    port,
    lameDuck: "5 seconds",
    timeout: "20 seconds"
  })),
  Layer.provide(Database),
  Server.launch,
  Effect.tap(({ cut, outcome }) => Effect.log(`the server is ${outcome}; requests cut: ${cut.length}`)),
  // around the whole program: from its first step to its last finalizer
  Signals.handle(),
  NodeRuntime.runMain({ teardown: Signals.teardown })
)
