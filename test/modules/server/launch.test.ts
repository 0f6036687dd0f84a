import * as HttpServer from "@effect/platform/HttpServer"
import { describe, expect, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/TestClock"
import { createServer } from "node:http"
import { NodeHttpServer, Server, Shutdown } from "../../../src/index.js"
import { defects } from "../../../src/internal/effect/causes.js"
import { failures } from "../../support/effect/causes.js"
import { makeApp } from "../../support/handlers.js"
import { answer, client, deadlineExceededIn, get, real, send, targetOf, untilPhase } from "../../support/running.js"

/** Launched in a fiber of its own, as an application does; with the order in which things were released. */
const launched = (policy: Shutdown.Policy = {}) =>
  Effect.gen(function*() {
    const { app, gate } = makeApp()
    const released: Array<string> = []
    const ready = yield* Deferred.make<Context.Context<HttpServer.HttpServer | Server.Server>>()
    const resource = Layer.scopedDiscard(Effect.addFinalizer(() => Effect.sync(() => released.push("resource"))))
    const fiber = yield* Effect.fork(Server.launch(
      HttpServer.serve(app).pipe(
        Layer.provideMerge(NodeHttpServer.layer(() => createServer(), { host: "127.0.0.1", port: 0, ...policy })),
        Layer.provide(resource),
        Layer.tap((context) => Deferred.succeed(ready, context))
      )
    ))
    const context = yield* Deferred.await(ready)
    const target = targetOf(Context.get(context, HttpServer.HttpServer).address)
    return { server: Context.get(context, Server.Server), target, fiber, gate, released }
  })

describe("launch", () => {
  it.scoped("runs until something shuts the server down, releases the layer, and returns the report", () =>
    Effect.gen(function*() {
      const { fiber, released, server } = yield* launched()
      yield* TestClock.adjust("1 day")
      expect(fiber.unsafePoll()).toBe(null)
      const report = yield* real("the shutdown", server.shutdown)
      expect(yield* real("the launch", Fiber.join(fiber))).toBe(report)
      expect(report.outcome).toBe("Drained")
      expect(released).toEqual(["resource"])
    }))

  it.scoped("fails with DeadlineExceeded, and with that alone, if requests were cut", () =>
    Effect.gen(function*() {
      const { fiber, gate, released, server, target } = yield* launched({ timeout: "1 second" })
      yield* send(yield* client(target), get("/hold"))
      yield* gate.untilStarted(1)
      yield* Effect.fork(server.shutdown)
      yield* untilPhase(server, "Draining")
      yield* TestClock.adjust("1 second")
      const exit = yield* real("the launch", Fiber.await(fiber))
      if (Exit.isSuccess(exit)) throw new Error("it succeeded")
      expect(failures(exit.cause)).toHaveLength(1)
      expect(defects(exit.cause)).toHaveLength(0)
      expect(Cause.squash(exit.cause)).toMatchObject({ _tag: "DeadlineExceeded", report: { cut: [{ path: "/hold" }] } })
      expect(released).toEqual(["resource"])
    }))

  it.scoped("returns the report of a close", () =>
    Effect.gen(function*() {
      const { fiber, server } = yield* launched()
      const report = yield* real("the close", server.close)
      expect(yield* real("the launch", Fiber.join(fiber))).toBe(report)
      expect(report.outcome).toBe("Closed")
    }))

  it.scoped("drains when it is interrupted", () =>
    Effect.gen(function*() {
      const { fiber, gate, released, server, target } = yield* launched()
      const held = yield* client(target)
      yield* send(held, get("/hold"))
      yield* gate.untilStarted(1)
      yield* Effect.sync(() => fiber.unsafeInterruptAsFork(fiber.id()))
      yield* untilPhase(server, "Draining")
      expect(released).toEqual([])
      yield* gate.open
      expect((yield* answer(held)).body).toBe("held")
      const exit = yield* real("the launch", Fiber.await(fiber))
      expect(Exit.isInterrupted(exit)).toBe(true)
      expect((yield* server.closed).outcome).toBe("Drained")
    }))

  it.scoped("dies of what was cut when it is interrupted, so that runMain exits 1", () =>
    Effect.gen(function*() {
      const { fiber, gate, server, target } = yield* launched({ timeout: "1 second" })
      yield* send(yield* client(target), get("/hold"))
      yield* gate.untilStarted(1)
      yield* Effect.sync(() => fiber.unsafeInterruptAsFork(fiber.id()))
      yield* untilPhase(server, "Draining")
      yield* TestClock.adjust("1 second")
      const exit = yield* real("the launch", Fiber.await(fiber))
      expect(deadlineExceededIn(exit) ?? (Exit.isFailure(exit) && Cause.squash(exit.cause)))
        .toBeInstanceOf(Shutdown.DeadlineExceeded)
      expect(Exit.isFailure(exit) && Cause.isInterruptedOnly(exit.cause)).toBe(false)
    }))

  it.scoped("fails with what its layer fails with", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(Server.launch(
        NodeHttpServer.layer(() => createServer(), { host: "127.0.0.1", port: -1 })
      ))
      expect(error).toMatchObject({ _tag: "ServeError", cause: { _tag: "ListenError", field: "port" } })
    }))
})
