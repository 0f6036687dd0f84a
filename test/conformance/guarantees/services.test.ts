import * as HttpServer from "@effect/platform/HttpServer"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { describe, expect, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/TestClock"
import { createServer } from "node:http"
import { NodeHttpServer } from "../../../src/index.js"
import * as HttpRouter from "../../support/effect/httpRouter.js"
import { type Gate, makeGate } from "../../support/handlers.js"
import { answer, client, get, launch, send, targetOf } from "../../support/running.js"

// Rule 5: the services that a handler uses outlive the handler, however the layers were put together.

class Pool extends Context.Tag("test/Pool")<Pool, { readonly query: Effect.Effect<string> }>() {}

const poolOf = (log: Array<string>) =>
  Layer.scoped(
    Pool,
    Effect.acquireRelease(
      Effect.sync(() => {
        let open = true
        const query = Effect.suspend(() => open ? Effect.succeed("rows") : Effect.dieMessage("the pool is closed"))
        const close = () => {
          open = false
          log.push("pool closed")
        }
        return { query, close }
      }),
      ({ close }) => Effect.sync(close)
    )
  )

const appOf = (gate: Gate, log: Array<string>) =>
  HttpRouter.empty.pipe(
    HttpRouter.get(
      "/",
      Effect.gen(function*() {
        const pool = yield* Pool
        yield* gate.pass
        const rows = yield* pool.query
        log.push("answered")
        return HttpServerResponse.text(rows)
      }).pipe(Effect.ensuring(Effect.flatMap(Pool, ({ query }) => Effect.map(query, () => log.push("handler ended")))))
    ),
    HttpServer.serve()
  )

const ServerLive = NodeHttpServer.layer(() => createServer(), { host: "127.0.0.1", port: 0, timeout: "10 seconds" })

const orders = {
  "the pool first": (gate: Gate, log: Array<string>) =>
    appOf(gate, log).pipe(Layer.provide(poolOf(log)), Layer.provideMerge(ServerLive)),
  "the server first": (gate: Gate, log: Array<string>) =>
    appOf(gate, log).pipe(Layer.provideMerge(ServerLive), Layer.provide(poolOf(log))),
  "both at once": (gate: Gate, log: Array<string>) =>
    appOf(gate, log).pipe(Layer.provideMerge(Layer.merge(ServerLive, poolOf(log))))
}

describe("rule 5", () => {
  for (const [order, make] of Object.entries(orders)) {
    it.scoped(`rule 5: a request that uses the pool ends before the pool is closed, with ${order}`, () =>
      Effect.gen(function*() {
        const gate = makeGate()
        const log: Array<string> = []
        const running = yield* launch(
          make(gate, log),
          (context) => targetOf(Context.get(context, HttpServer.HttpServer).address)
        )
        const busy = yield* client(running.target)
        yield* send(busy, get("/"))
        yield* gate.untilStarted(1)
        yield* running.drain
        yield* TestClock.adjust("9 seconds")
        expect(log).toEqual([])
        yield* gate.open
        expect(yield* answer(busy)).toEqual({ status: 200, body: "rows", connection: "close" })
        yield* running.report
        expect(log).toEqual(["answered", "handler ended", "pool closed"])
      }))
  }

  it.scoped("rule 5: a finalizer of a handler that the deadline interrupts still has the pool", () =>
    Effect.gen(function*() {
      const gate = makeGate()
      const log: Array<string> = []
      const running = yield* launch(
        orders["the pool first"](gate, log),
        (context) => targetOf(Context.get(context, HttpServer.HttpServer).address)
      )
      const busy = yield* client(running.target)
      yield* send(busy, get("/"))
      yield* gate.untilStarted(1)
      yield* running.drain
      yield* TestClock.adjust("10 seconds")
      const report = yield* running.report
      expect(report.handlers).toEqual({ interrupted: 1, abandoned: 0 })
      expect(log).toEqual(["handler ended", "pool closed"])
    }))
})
