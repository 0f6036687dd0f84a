// Work that outlives its request: orders are answered with 202, wait in memory, and are fulfilled four at a time. A
// shutdown waits for all that were accepted. Beside them a job runs again and again, until a shutdown begins.
//
//   node --import tsx examples/background.ts
//   for i in $(seq 40); do curl -d "order $i" localhost:3000/orders; done       and Ctrl-C the server
import { HttpLayerRouter, HttpServerRequest, HttpServerResponse } from "@effect/platform"
import { NodeRuntime } from "@effect/platform-node"
import { Context, Effect, Layer } from "effect"
import { createServer } from "node:http"
import { NodeHttpServer, Server, Signals } from "quiesce"

const port = Number(process.env["PORT"] ?? 3000)

class Orders extends Context.Tag("Orders")<Orders, { readonly fulfil: (order: string) => Effect.Effect<void> }>() {}

/** Built before the app, and so released after the last order. */
const OrdersLive = Layer.scoped(
  Orders,
  Effect.gen(function*() {
    let fulfilled = 0
    const fourAtOnce = yield* Effect.makeSemaphore(4)
    const fulfil = (order: string) =>
      Effect.sleep("250 millis").pipe(
        Effect.tap(() => Effect.sync(() => fulfilled++)),
        Effect.zipRight(Effect.log(`fulfilled ${order}`)),
        fourAtOnce.withPermits(1)
      )
    yield* Effect.addFinalizer(() => Effect.log(`${fulfilled} orders fulfilled; warehouse closed`))
    return { fulfil }
  })
)

const accept = Effect.gen(function*() {
  const orders = yield* Orders
  const server = yield* Server.Server
  const order = yield* Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => request.text)
  yield* server.background("orders", orders.fulfil(order))
  return HttpServerResponse.text(`accepted ${order}\n`, { status: 202 })
}).pipe(
  Effect.catchTag("ServerClosed", () => Effect.succeed(HttpServerResponse.text("come back later\n", { status: 503 })))
)

// interrupted only while it rests: what it has begun is finished
const stocktaking = Effect.flatMap(
  Server.Server,
  ({ shuttingDown }) =>
    Effect.zipRight(Effect.sleep("2 seconds"), Effect.uninterruptible(Effect.log("counted the stock"))).pipe(
      Effect.forever,
      Effect.raceFirst(shuttingDown)
    )
)

HttpLayerRouter.serve(HttpLayerRouter.add("POST", "/orders", accept), { disableLogger: true }).pipe(
  Layer.provide(Server.layerBackground("stocktaking", stocktaking)),
  Layer.provide(OrdersLive),
  Layer.provide(NodeHttpServer.layer(() => createServer(), { host: "127.0.0.1", port })),
  Layer.launch,
  NodeRuntime.runMain({ teardown: Signals.teardown })
)
