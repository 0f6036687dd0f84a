import { expect, it } from "@effect/vitest"
import { Cause, Effect, Exit, Layer, Logger, References, Scope, Tracer } from "effect"
import { HttpEffect, HttpMiddleware, HttpServer, HttpServerResponse } from "effect/http"
import * as Http from "node:http"
import { NodeHttpServer, Server } from "../../../src/index.js"
import { client, get, responses, send, targetOf, until } from "../../support/running.js"

// At the deadline a handler that has sent nothing is interrupted: its client, its log and its span have the same 503.

it.live("what is seen of a handler that the deadline interrupts", () =>
  Effect.gen(function*() {
    const journal: Array<unknown> = []
    const note = (entry: unknown) => void journal.push(entry)
    const app = Effect.gen(function*() {
      yield* Effect.addFinalizer((exit) => Effect.sync(() => note(["finalizer", exit._tag])))
      yield* HttpEffect.appendPreResponseHandler((_, response) =>
        Effect.as(
          Effect.sync(() => note(["handler", response.status])),
          HttpServerResponse.setHeader(response, "x-by", "us")
        )
      )
      note("begun")
      return yield* Effect.interruptible(Effect.never)
    })
    const logger = Logger.make(({ fiber, message }) =>
      note(["log", String(message), fiber.getRef(References.CurrentLogAnnotations)["http.status"]])
    )
    const native = yield* Effect.tracer
    const tracer = Tracer.make({
      ...native,
      span: (options) => {
        const span = native.span(options)
        const { end } = span
        span.end = (endTime, exit) => {
          if (options.kind === "server") {
            const interrupted = Exit.isFailure(exit) && Cause.hasInterrupts(exit.cause)
            note(["span", options.name, span.attributes.get("http.response.status_code"), interrupted])
          }
          end.call(span, endTime, exit)
        }
        return span
      }
    })
    const policy = { host: "127.0.0.1", port: 0, idleGrace: 0, newConnectionGrace: 0, timeout: 200 }
    const layer = HttpServer.serve(app, HttpMiddleware.logger).pipe(
      Layer.provide(Layer.mergeAll(Logger.layer([logger]), Layer.succeed(Tracer.Tracer, tracer))),
      Layer.provideMerge(NodeHttpServer.layer(() => Http.createServer(), policy)),
      Layer.provide(Logger.layer([]))
    )
    const scope = yield* Scope.make()
    const context = yield* Layer.buildWithScope(layer, scope)
    const { address, server } = yield* Effect.all({
      address: Effect.map(HttpServer.HttpServer, ({ address }) => address),
      server: Server.Server
    }).pipe(Effect.provide(context))
    const one = yield* client(targetOf(address))
    yield* send(one, get("/", "X-Two: 2"))
    yield* until("the handler to begin", () => journal.includes("begun"))
    yield* Effect.exit(Scope.close(scope, Exit.void))
    expect(Exit.isFailure(yield* Effect.exit(server.closed))).toBe(true)
    const [answer] = yield* responses(one, 1)
    expect([answer?.status, answer?.headers["x-by"], answer?.headers["connection"]]).toEqual([503, "us", "close"])
    expect(journal).toEqual([
      "begun",
      ["handler", 503],
      ["log", "", 503],
      ["span", "GET", 503, true],
      ["finalizer", "Failure"]
    ])
  }))
