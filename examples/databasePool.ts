// A pool of database connections, which outlives the requests that use it: SIGTERM comes while an order is being
// written, the order is finished and answered, and the pool is released after that.
//
//   node --import tsx examples/databasePool.ts
//   curl -d "two coffees" localhost:3000/orders       and Ctrl-C the server meanwhile
//   curl localhost:3000/orders
import { FileSystem, HttpLayerRouter, HttpServerRequest, HttpServerResponse, Path } from "@effect/platform"
import { NodeContext, NodeRuntime } from "@effect/platform-node"
import { Context, Effect, Layer, Pool } from "effect"
import Sqlite from "node-sqlite3-wasm"
import { createServer } from "node:http"
import { NodeHttpServer, Signals } from "quiesce"

const port = Number(process.env["PORT"] ?? 3000)

class Orders extends Context.Tag("Orders")<Orders, Pool.Pool<Sqlite.Database>>() {}

const OrdersLive = Layer.scoped(
  Orders,
  Effect.gen(function*() {
    const directory = yield* Effect.flatMap(FileSystem.FileSystem, (fs) => fs.makeTempDirectoryScoped())
    const file = (yield* Path.Path).join(directory, "orders.db")
    const pool = yield* Pool.make({
      acquire: Effect.acquireRelease(
        Effect.sync(() => new Sqlite.Database(file)),
        (database) => Effect.zipRight(Effect.sync(() => database.close()), Effect.log("database connection closed"))
      ),
      size: 2
    })
    yield* Effect.scoped(Effect.map(Pool.get(pool), (database) => database.exec("CREATE TABLE orders (what TEXT)")))
    return pool
  })
).pipe(Layer.provide(NodeContext.layer))

const place = Effect.gen(function*() {
  const what = yield* Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => request.text)
  const database = yield* Effect.flatMap(Orders, (pool) => Pool.get(pool))
  yield* Effect.log("order received")
  yield* Effect.sleep("1 second")
  database.run("INSERT INTO orders VALUES (?)", what)
  yield* Effect.log("order written")
  return HttpServerResponse.text(`ordered ${what}\n`, { status: 201 })
}).pipe(Effect.scoped)

const list = Effect.gen(function*() {
  const database = yield* Effect.flatMap(Orders, (pool) => Pool.get(pool))
  return yield* HttpServerResponse.json(database.all("SELECT what FROM orders"))
}).pipe(Effect.scoped)

const Routes = Layer.mergeAll(
  HttpLayerRouter.add("POST", "/orders", place),
  HttpLayerRouter.add("GET", "/orders", list)
)

HttpLayerRouter.serve(Routes, { disableLogger: true }).pipe(
  Layer.provide(OrdersLive),
  Layer.provide(NodeHttpServer.layer(() => createServer(), { host: "127.0.0.1", port })),
  Layer.launch,
  NodeRuntime.runMain({ teardown: Signals.teardown })
)
