/**
 * One Effect app for both servers. What differs between stock and quiesce is which `NodeHttpServer` is handed in: the
 * import that a user changes, and nothing else.
 */
import type * as StockNodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as HttpServer from "@effect/platform/HttpServer"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { createServer } from "node:http"
import type * as Net from "node:net"
import { Readable } from "node:stream"
import { upgraded } from "../../support/effect/apps.js"
import * as HttpRouter from "../../support/effect/httpRouter.js"
import { printEvent } from "../../support/printEvent.js"
import { receive } from "../../support/sockets.js"

export type Which = "stock" | "quiesce"

/** The part of the module that both servers have, with the stock signature: a drop-in must fit it. */
export type NodeHttpServerModule = Pick<typeof StockNodeHttpServer, "layer">

/** JSON, because it travels on a command line. */
export interface AppOptions {
  /** How long the pool takes to open: until then `serve` is not attached. */
  readonly poolOpensAfterMs?: number
  readonly keepAliveTimeoutMs?: number
  /** `Net.ListenOptions`, and for quiesce its policy beside it; stock ignores what it does not know. */
  readonly listen?: Net.ListenOptions & Readonly<Record<string, unknown>>
}

/** Something a test may wait for. */
export type Say = (event: string, fields?: Readonly<Record<string, unknown>>) => void

/** A pool that answers with a defect once it is closed, as a real one does. */
class Pool extends Context.Tag("test/Pool")<Pool, { readonly query: Effect.Effect<string> }>() {}

const poolLayer = (opensAfterMs: number, say: Say) =>
  Layer.scoped(
    Pool,
    Effect.gen(function*() {
      yield* Effect.sleep(opensAfterMs)
      let open = true
      yield* Effect.addFinalizer(() =>
        Effect.sync(() => {
          open = false
          say("pool closed")
        })
      )
      return Pool.of({ query: Effect.suspend(() => open ? Effect.succeed("rows") : Effect.dieMessage("pool closed")) })
    })
  )

/** Something each request holds for as long as its scope is open. */
const makeHeld = () => {
  let open = 0
  return {
    acquire: Effect.acquireRelease(Effect.sync(() => void open++), () => Effect.sync(() => void open--)),
    open: Effect.sync(() => open)
  }
}

const number = (name: string) => Effect.map(HttpRouter.params, (params) => Number(params[name]))

const chunk = new Uint8Array(64 * 1024).fill("x".charCodeAt(0))

const bigBody = new Map<number, Uint8Array>()
const big = (megabytes: number): Uint8Array => {
  const known = bigBody.get(megabytes)
  if (known !== undefined) return known
  const body = new Uint8Array(megabytes * 1024 * 1024).fill("x".charCodeAt(0))
  bigBody.set(megabytes, body)
  return body
}

const makeRouter = (say: Say) => {
  const held = makeHeld()
  return HttpRouter.empty.pipe(
    HttpRouter.get("/", HttpServerResponse.text("ok")),
    HttpRouter.get(
      "/slow/:ms",
      Effect.gen(function*() {
        say("started")
        yield* Effect.sleep(yield* number("ms"))
        return HttpServerResponse.text("slow")
      })
    ),
    HttpRouter.get(
      "/query/:ms",
      Effect.gen(function*() {
        const pool = yield* Pool
        say("started")
        yield* Effect.sleep(yield* number("ms"))
        return HttpServerResponse.text(yield* pool.query)
      })
    ),
    HttpRouter.get("/big/:mb", Effect.map(number("mb"), (mb) => HttpServerResponse.uint8Array(big(mb)))),
    HttpRouter.get(
      "/stream/:mb",
      Effect.map(
        number("mb"),
        (mb) => HttpServerResponse.stream(Stream.take(Stream.repeat(Stream.make(chunk), Schedule.forever), mb * 16))
      )
    ),
    HttpRouter.get(
      "/pipe/:mb",
      Effect.map(number("mb"), (mb) => HttpServerResponse.raw(Readable.from(Array(mb * 16).fill(chunk))))
    ),
    // Nothing else happens in this process meanwhile: connections queue up in the kernel, and signals wait.
    HttpRouter.get(
      "/block/:ms",
      Effect.map(number("ms"), (ms) => {
        say("started")
        const until = performance.now() + ms
        while (performance.now() < until);
        return HttpServerResponse.text("blocked")
      })
    ),
    HttpRouter.get(
      "/ticks",
      HttpServerResponse.stream(
        Stream.encodeText(Stream.as(Stream.fromSchedule(Schedule.spaced("20 millis")), "tick\n"))
      )
    ),
    // An order is executed when this says so, and its client must then hear of it.
    HttpRouter.post(
      "/orders",
      Effect.gen(function*() {
        const id = yield* Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => request.text)
        say("executed", { id })
        return HttpServerResponse.text(id)
      })
    ),
    HttpRouter.get(
      "/held/:ms",
      Effect.gen(function*() {
        yield* held.acquire
        say("started")
        yield* Effect.sleep(yield* number("ms"))
        say("handler done")
        return HttpServerResponse.text("held")
      }),
      { uninterruptible: true }
    ),
    HttpRouter.get("/held", Effect.map(held.open, (open) => HttpServerResponse.text(String(open)))),
    HttpRouter.get(
      "/socket",
      Effect.gen(function*() {
        const socket = yield* upgraded
        yield* receive(socket, () => {})
        return HttpServerResponse.empty()
      }).pipe(Effect.scoped, Effect.catchTag("SocketError", () => Effect.succeed(HttpServerResponse.empty())))
    )
  )
}

/** `listening` is said when the server is there, `ready` when the app is attached to it. */
export const app = (server: NodeHttpServerModule, options: AppOptions = {}, say: Say = printEvent) =>
  HttpServer.serve(makeRouter(say)).pipe(
    Layer.tap(() => Effect.sync(() => say("ready"))),
    Layer.provide(poolLayer(options.poolOpensAfterMs ?? 0, say)),
    Layer.provide(
      server.layer(
        () => createServer({ keepAliveTimeout: options.keepAliveTimeoutMs ?? 5000 }),
        // Node prefers a port to a path.
        options.listen?.path === undefined ? { host: "127.0.0.1", port: 0, ...options.listen } : options.listen
      ).pipe(
        Layer.tap((context) =>
          Effect.sync(() => say("listening", { ...Context.get(context, HttpServer.HttpServer).address }))
        )
      )
    )
  )
