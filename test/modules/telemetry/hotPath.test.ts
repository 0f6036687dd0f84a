import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import type * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import { vi } from "vitest"
import { Metrics, Server, Status } from "../../../src/index.js"
import { Sampler } from "../../../src/internal/telemetry/sampler.js"
import { viewOf } from "../../../src/internal/telemetry/telemetry.js"
import { FiberCount } from "../../support/effect/fibers.js"
import { tracerThat } from "../../support/effect/tracers.js"
import { makeApp } from "../../support/handlers.js"
import { client, get, responses, send, serving } from "../../support/running.js"
import { makeScreen } from "./fakeTerminal.js"

// Rule 11 with everything turned on: what is seen of a server costs its requests and connections nothing. Counted, with
// a server that nobody watches as the measure.

const requests = 50

/** Fibers, spans and log lines of that many requests on one connection, and of as many connections. */
const costs = (watch: (server: Server.ServerService) => Effect.Effect<() => number, unknown, Scope.Scope>) =>
  Effect.gen(function*() {
    const native = yield* Effect.tracer
    const fibers = new FiberCount()
    const count = { spans: 0, logs: 0 }
    const tracer = tracerThat(native, (_name, make) => {
      count.spans++
      return make()
    })
    const counting = Layer.mergeAll(
      Layer.setTracer(tracer),
      Logger.replace(Logger.defaultLogger, Logger.make(() => void count.logs++)),
      Logger.minimumLogLevel(LogLevel.All)
    )
    return yield* Effect.gen(function*() {
      const { server, stop, target } = yield* serving(makeApp().app, { idleGrace: 0, newConnectionGrace: 0 })
      const looks = yield* watch(server)
      const kept = yield* client(target)
      yield* send(kept, get("/"))
      yield* responses(kept, 1)
      const before = { fibers: fibers.started, looks: looks(), served: viewOf(server)!.registry.served, ...count }
      for (let n = 2; n <= requests + 1; n++) {
        yield* send(kept, get("/"))
        yield* responses(kept, n)
      }
      for (let n = 0; n < requests; n++) {
        const raw = yield* client(target)
        yield* send(raw, get("/"))
        yield* responses(raw, 1)
        raw.leave()
      }
      const cost = {
        requests: viewOf(server)!.registry.served - before.served,
        looks: looks() - before.looks,
        fibers: fibers.started - before.fibers,
        spans: count.spans - before.spans,
        logs: count.logs - before.logs
      }
      kept.leave()
      yield* stop
      return cost
    }).pipe(Effect.scoped, Effect.provide(counting), fibers.under)
  })

describe("the hot path", () => {
  it.scoped("has no fiber, span, log line or metric more for a server that is watched in every way", () =>
    Effect.gen(function*() {
      const unwatched = yield* costs(() => Effect.succeed(() => 0))
      const screen = makeScreen()
      const sample = vi.spyOn(Sampler.prototype, "sample")
      const looks = () => sample.mock.calls.length + screen.writes()
      const watched = yield* costs((server) =>
        Layer.build(Layer.provide(
          Layer.merge(
            Metrics.layer({ server: "hot", interval: "1 second" }),
            Status.layer({ out: screen.out, serving: true })
          ),
          Layer.succeed(Server.Server, server)
        )).pipe(
          Effect.zipRight(TestClock.adjust("1 second")),
          // nothing of ours is called when a connection changes
          Effect.tap(() => Effect.sync(() => expect(viewOf(server)?.registry.observers.size).toBe(0))),
          Effect.as(looks)
        )
      )
      expect(unwatched.requests).toBe(2 * requests)
      expect(watched).toEqual(unwatched)
      expect(looks()).toBeGreaterThan(3)
    }))
})
