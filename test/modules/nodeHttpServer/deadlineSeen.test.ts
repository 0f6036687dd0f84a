import { HttpApp, HttpMiddleware, HttpServer, HttpServerResponse } from "@effect/platform"
import { expect, it } from "@effect/vitest"
import { Effect, Exit, Layer, Logger, Scope } from "effect"
import * as Http from "node:http"
import { NodeHttpServer, Server } from "../../../src/index.js"
import { exitText, logging, recording } from "../../conformance/stock/same/observe.js"
import { client, get, responses, send, targetOf, until } from "../../support/running.js"

// At the deadline a handler that has sent nothing is interrupted: its client, its log and its span have the same 503.

it.scopedLive("what is seen of a handler that the deadline interrupts", () =>
  Effect.gen(function*() {
    const journal: Array<unknown> = []
    const note = (entry: unknown) => void journal.push(entry)
    const noteExit = (what: string) => (exit: Exit.Exit<unknown, unknown>) =>
      Effect.sync(() => note([what, exitText(exit)]))
    const app = Effect.gen(function*() {
      yield* Effect.addFinalizer(noteExit("finalizer"))
      yield* HttpApp.appendPreResponseHandler((_, response) =>
        Effect.as(
          Effect.sync(() => note(["handler", response.status])),
          HttpServerResponse.setHeader(response, "x-by", "us")
        )
      )
      note("begun")
      return yield* Effect.interruptible(Effect.never)
    })
    const policy = { host: "127.0.0.1", port: 0, idleGrace: 0, newConnectionGrace: 0, timeout: 200 }
    const layer = HttpServer.serve(app, HttpMiddleware.logger).pipe(
      Layer.provide(Layer.mergeAll(
        Logger.replace(Logger.defaultLogger, logging(note)),
        Layer.setTracer(recording(note))
      )),
      Layer.provideMerge(NodeHttpServer.layer(() => Http.createServer(), policy)),
      Layer.provide(Logger.remove(Logger.defaultLogger))
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
      [
        "log",
        "INFO",
        "",
        ["http.method=GET", "http.status=503", "http.url=/"],
        ["http.span.1"],
        "interrupt(a fiber)"
      ],
      [
        "span",
        "http.server GET",
        "server",
        "none",
        expect.arrayContaining([["client.address", "127.0.0.1"], ["http.response.status_code", 503]]),
        expect.anything(),
        "interrupt(a fiber) then die(response 503)"
      ],
      // a middleware has handled what went wrong
      ["finalizer", "success(undefined)"]
    ])
  }))
