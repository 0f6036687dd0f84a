/** Responses that never end by themselves: how a shutdown ends them. */
import { HttpServer, HttpServerResponse } from "@effect/platform"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Stream } from "effect"
import { createServer } from "node:http"
import { NodeHttpServer, Server } from "../../../src/index.js"
import { answer, client, ended, get, launch, limit, send, serving, targetOf } from "../../support/running.js"

const neverEnding = Stream.concat(Stream.make("data: 1\n\n"), Stream.never).pipe(Stream.encodeText)

const endless = (contentType: string) => HttpServerResponse.stream(neverEnding, { contentType })

const reading = (running: Parameters<typeof client>[0]) =>
  Effect.gen(function*() {
    const reader = yield* client(running)
    yield* send(reader, get("/"))
    yield* Effect.promise(() => reader.untilText("data: 1", limit))
    return reader
  })

describe("event streams of an Effect app", () => {
  for (const type of ["text/event-stream", "text/event-stream; charset=utf-8", "Text/Event-Stream"]) {
    it.scoped(`of type ${type} end whole when draining starts`, () =>
      Effect.gen(function*() {
        const running = yield* serving(Effect.succeed(endless(type)), { idleGrace: 0 })
        const reader = yield* reading(running.target)
        const report = yield* running.stop
        assert.deepStrictEqual(yield* answer(reader), { status: 200, body: "data: 1\n\n", connection: "keep-alive" })
        assert.strictEqual(yield* ended(reader), "fin")
        assert.deepStrictEqual(report.cut, [])
        assert.strictEqual(report.outcome, "Drained")
      }))
  }

  it.scoped("keep their status, headers and cookies", () =>
    Effect.gen(function*() {
      const app = endless("text/event-stream").pipe(
        HttpServerResponse.setStatus(203),
        HttpServerResponse.setHeader("x-accel-buffering", "no"),
        HttpServerResponse.unsafeSetCookie("seen", "1")
      )
      const running = yield* serving(Effect.succeed(app), { idleGrace: 0 })
      const reader = yield* reading(running.target)
      const head = reader.text()
      assert.match(head, /^HTTP\/1\.1 203/)
      assert.match(head, /^content-type: text\/event-stream\r$/im)
      assert.match(head, /^x-accel-buffering: no\r$/im)
      assert.match(head, /^set-cookie: seen=1\r$/im)
      yield* running.stop
    }))

  it.scoped("go on while a lame duck serves", () =>
    Effect.gen(function*() {
      const running = yield* serving(Effect.succeed(endless("text/event-stream")), {
        lameDuck: "10 seconds",
        timeout: "1 hour"
      })
      const reader = yield* reading(running.target)
      yield* running.interrupt
      yield* running.server.shuttingDown
      const second = yield* client(running.target)
      yield* send(second, get("/"))
      yield* Effect.promise(() => second.untilText("data: 1", limit))
      assert.strictEqual(reader.ending, "open")
      assert.notInclude(reader.text(), "\r\n0\r\n")
    }))

  it.scoped("are left to the deadline where the policy says so, and are named in the report", () =>
    Effect.gen(function*() {
      const running = yield* serving(Effect.succeed(endless("text/event-stream")), {
        endEventStreams: false,
        timeout: 0
      })
      const reader = yield* reading(running.target)
      const { cut } = yield* running.stop
      assert.deepStrictEqual(cut.map(({ clientReceived, path }) => [path, clientReceived]), [["/", "truncated"]])
      assert.notInclude(reader.text(), "\r\n0\r\n")
    }))
})

describe("other streams", () => {
  it.scoped("are left to the deadline", () =>
    Effect.gen(function*() {
      const running = yield* serving(Effect.succeed(endless("text/plain")), { timeout: 0 })
      yield* reading(running.target)
      const { cut } = yield* running.stop
      assert.deepStrictEqual(cut.map(({ clientReceived, path }) => [path, clientReceived]), [["/", "truncated"]])
    }))

  it.scoped("end themselves with untilShutdown", () =>
    Effect.gen(function*() {
      const app = Effect.map(
        Effect.context<Server.Server>(),
        (context) => HttpServerResponse.stream(Stream.provideContext(Server.untilShutdown(neverEnding), context))
      )
      const running = yield* launch(
        HttpServer.serve(app).pipe(
          Layer.provideMerge(NodeHttpServer.layer(() => createServer(), { host: "127.0.0.1", port: 0, idleGrace: 0 }))
        ),
        (context) => targetOf(Context.get(context, HttpServer.HttpServer).address)
      )
      const reader = yield* reading(running.target)
      const { outcome } = yield* running.stop
      assert.strictEqual((yield* answer(reader)).body, "data: 1\n\n")
      assert.strictEqual(outcome, "Drained")
    }))
})
