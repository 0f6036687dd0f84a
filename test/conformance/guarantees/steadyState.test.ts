import * as StockNodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as HttpServer from "@effect/platform/HttpServer"
import { describe, expect, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { createServer } from "node:http"
import { registrySnapshot } from "../../../src/internal/effect/metrics.js"
import { FiberCount } from "../../support/effect/fibers.js"
import { tracerThat } from "../../support/effect/tracers.js"
import { makeApp } from "../../support/handlers.js"
import { client, get, responses, send, serving, silent, targetOf } from "../../support/running.js"

// Rule 11: nothing in steady state costs a user anything: no fiber, scope, span or metric update per request on our
// account; per connection no fiber. What stock platform-node does for a request is the measure. Time is measured by
// the benchmark.

const address = { host: "127.0.0.1", port: 0 }

/** The same app on both servers. */
const servers = {
  stock: Effect.gen(function*() {
    const { app } = makeApp()
    const context = yield* Layer.build(Layer.provideMerge(
      HttpServer.serve(app),
      StockNodeHttpServer.layer(() => createServer(), address)
    ))
    return { target: targetOf(Context.get(context, HttpServer.HttpServer).address) }
  }),
  quiesce: Effect.suspend(() => serving(makeApp().app, { idleGrace: 0, newConnectionGrace: 0 }))
}

const requests = 20

/** What `count` has grown by over that many requests, on one connection and on one each. */
const growth = (server: typeof servers[keyof typeof servers], count: Effect.Effect<number>) =>
  Effect.gen(function*() {
    const { target } = yield* server
    const kept = yield* client(target)
    yield* send(kept, get("/"))
    yield* responses(kept, 1)
    const before = yield* count
    for (let n = 2; n <= requests + 1; n++) {
      yield* send(kept, get("/"))
      yield* responses(kept, n)
    }
    const perRequest = (yield* count) - before
    for (let n = 0; n < requests; n++) {
      const raw = yield* client(target)
      yield* send(raw, get("/"))
      yield* responses(raw, 1)
      raw.leave()
    }
    const perConnection = (yield* count) - before - perRequest
    kept.leave()
    return { perRequest, perConnection }
  })

describe("rule 11", () => {
  it.scopedLive("rule 11: a request starts as many fibers as with platform-node, and a connection none", () =>
    Effect.gen(function*() {
      const measure = (server: typeof servers[keyof typeof servers]) => {
        const counting = new FiberCount()
        return counting.under(Effect.scoped(growth(server, Effect.sync(() => counting.started))))
      }
      const stock = yield* measure(servers.stock)
      const own = yield* measure(servers.quiesce)
      expect(own).toEqual(stock)
      expect(own.perConnection).toBe(own.perRequest)
    }).pipe(Effect.provide(silent)))

  it.scopedLive("rule 11: a request opens as many spans as with platform-node", () =>
    Effect.gen(function*() {
      const tracer = yield* Effect.tracer
      const measure = (server: typeof servers[keyof typeof servers]) => {
        let spans = 0
        const counting = tracerThat(tracer, (_name, make) => {
          spans++
          return make()
        })
        return Effect.withTracer(Effect.scoped(growth(server, Effect.sync(() => spans))), counting)
      }
      const stock = yield* measure(servers.stock)
      expect(stock.perRequest).toBeGreaterThan(0)
      expect(yield* measure(servers.quiesce)).toEqual(stock)
    }).pipe(Effect.provide(silent)))

  it.scopedLive("rule 11: no metric of ours is kept", () =>
    Effect.gen(function*() {
      const names = Effect.map(registrySnapshot, (metrics) => new Set(metrics.map(({ name }) => name)))
      const before = yield* names
      yield* Effect.scoped(growth(servers.quiesce, Effect.succeed(0)))
      expect([...(yield* names)].filter((name) => !before.has(name))).toEqual([])
    }).pipe(Effect.provide(silent)))

  it.scoped("rule 11: a connection without a request starts no fiber", () =>
    Effect.gen(function*() {
      const counting = new FiberCount()
      yield* counting.under(
        Effect.scoped(Effect.gen(function*() {
          const running = yield* serving(makeApp().app, { newConnectionGrace: 0 })
          const before = counting.started
          for (let n = 0; n < requests; n++) yield* client(running.target)
          const started = counting.started - before
          yield* running.stop
          return started
        }))
      ).pipe(Effect.map((started) => expect(started).toBe(0)))
    }))
})
