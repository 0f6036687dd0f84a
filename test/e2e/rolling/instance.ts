/**
 * One of the instances behind a proxy: an app that takes orders, and says which it has executed, and whether it is ready
 * on a port of its own. Its first argument is its options, as JSON.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as HttpServer from "@effect/platform/HttpServer"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { createServer } from "node:http"
import { Admin, Health, NodeHttpServer, type Shutdown, Signals } from "../../../src/index.js"
import * as HttpRouter from "../../support/effect/httpRouter.js"
import { printEvent } from "../../support/printEvent.js"

export interface Options {
  readonly host: string
  readonly port: number
  readonly admin: number
  readonly policy: Shutdown.Policy
  /** Served by `@effect/platform-node` instead; what the proxy asks then always says that it is ready. */
  readonly stock?: boolean
}

const { admin, host, policy, port, stock } = JSON.parse(process.argv[2] ?? "{}") as Options
const say = (event: string, more: object = {}) => Effect.sync(() => printEvent(event, more))

const app = HttpRouter.empty.pipe(
  HttpRouter.post(
    "/orders",
    Effect.gen(function*() {
      const { text } = yield* HttpServerRequest.HttpServerRequest
      const id = yield* text
      yield* Effect.sleep("5 millis")
      yield* say("executed", { id, at: performance.timeOrigin + performance.now() })
      return HttpServerResponse.text(id)
    })
  ),
  HttpRouter.get("/", Effect.delay(Effect.succeed(HttpServerResponse.text("hello")), "5 millis")),
  HttpServer.serve()
)

const where = { host, port }
const listening = Layer.effectDiscard(say("listening", { port }))

if (stock === true) {
  const { layer } = await import("@effect/platform-node/NodeHttpServer")
  createServer((_, response) => response.end("ok")).listen(admin, host)
  NodeRuntime.runMain(Layer.launch(listening.pipe(
    Layer.provide(app),
    Layer.provide(layer(() => createServer(), where))
  )))
} else {
  NodeRuntime.runMain(
    Layer.launch(listening.pipe(
      Layer.provide(Health.startup("app")(app)),
      Layer.provide(Admin.layer({ host, port: admin })),
      Layer.provide(Health.layer),
      Layer.provide(NodeHttpServer.layer(() => createServer(), { ...where, ...policy }))
    )),
    { teardown: Signals.teardown }
  )
}
