import { HttpServer, HttpServerResponse } from "@effect/platform"
import { assert, it } from "@effect/vitest"
import { Cause, Context, Effect, Exit, Fiber, Layer, Scope, TestClock } from "effect"
import * as FileSystem from "node:fs"
import * as Http from "node:http"
import * as Os from "node:os"
import * as Path from "node:path"
import { NodeHttpServer, Server, Shutdown } from "../../../src/index.js"
import { connect } from "../../support/rawClient.js"
import { deadlineExceededIn, limit, targetOf, until } from "../../support/running.js"

const text = (body: string) => Effect.succeed(HttpServerResponse.text(body))

const onLoopback = { host: "127.0.0.1", port: 0 }

const request = "GET /early HTTP/1.1\r\nHost: test\r\n\r\n"

/** A server with no app yet. */
const unserved = (options: NodeHttpServer.Options = onLoopback) =>
  Effect.gen(function*() {
    const scope = yield* Scope.make()
    yield* Effect.addFinalizer((exit) => Scope.close(scope, exit))
    const context = yield* Layer.buildWithScope(NodeHttpServer.layerServer(() => Http.createServer(), options), scope)
    const httpServer = Context.get(context, HttpServer.HttpServer)
    const server = Context.get(context, Server.Server)
    const close = Scope.close(scope, Exit.void)
    return { httpServer, server, scope, close, target: targetOf(httpServer.address) }
  })

it.scoped("a request that arrives before the app is attached waits for it", () =>
  Effect.gen(function*() {
    const { close, httpServer, scope, server, target } = yield* unserved()
    const client = yield* Effect.promise(() => connect(target))
    yield* Effect.promise(() => client.write(request))
    yield* until("the request to have arrived", () => Effect.runSync(server.connections)[0]?.state === "Active")
    yield* Scope.extend(httpServer.serve(text("served")), scope)
    yield* Effect.promise(() => client.untilText("served", limit))
    client.leave()
    yield* close
  }))

it.scoped("requests that wait for an app are answered with 503 when the server stops instead", () =>
  Effect.gen(function*() {
    const { close, server, target } = yield* unserved()
    const client = yield* Effect.promise(() => connect(target))
    yield* Effect.promise(() => client.write(request))
    yield* until("the request to have arrived", () => Effect.runSync(server.connections)[0]?.state === "Active")
    const error = deadlineExceededIn(yield* Effect.exit(close))
    const { responses } = yield* Effect.promise(() => client.untilResponses(1, limit))
    assert.strictEqual(responses[0]?.status, 503)
    assert.strictEqual(responses[0]?.headers["connection"], "close")
    assert.deepInclude(error?.report, { outcome: "Cut", served: 0 })
    assert.match(
      String(error),
      /1 request was answered with 503, since no handler was there for it: GET \/early \(\S+, its client received 503\)/
    )
  }))

it.scoped("a second serve on one server says what is wrong", () =>
  Effect.gen(function*() {
    const { httpServer } = yield* unserved()
    yield* httpServer.serve(text("first"))
    const exit = yield* Effect.exit(httpServer.serve(text("second")))
    assert.isTrue(Exit.isFailure(exit))
    const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
    assert.instanceOf(error, NodeHttpServer.AlreadyServing)
    assert.include(String(error), "has an app already")
  }))

it.scoped("a serve after the shutdown says what is wrong", () =>
  Effect.gen(function*() {
    const { httpServer, server } = yield* unserved()
    yield* server.shutdown
    const exit = yield* Effect.exit(httpServer.serve(text("late")))
    assert.instanceOf(Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined, NodeHttpServer.AlreadyServing)
  }))

it.scoped("over a Unix socket a request in flight is answered, and the socket file is gone afterwards", () =>
  Effect.gen(function*() {
    const directory = FileSystem.mkdtempSync(Path.join(Os.tmpdir(), "quiesce-"))
    yield* Effect.addFinalizer(() => Effect.sync(() => FileSystem.rmSync(directory, { recursive: true })))
    const path = Path.join(directory, "app.sock")
    const { close, httpServer, scope, server } = yield* unserved({ path })
    yield* Scope.extend(httpServer.serve(Effect.delay(text("over a file"), "7 seconds")), scope)
    const client = yield* Effect.promise(() => connect({ path }))
    yield* Effect.promise(() => client.write(request))
    yield* until("the request to have arrived", () => Effect.runSync(server.connections)[0]?.state === "Active")
    const closing = yield* Effect.fork(close)
    yield* until("the drain", () => Effect.runSync(server.phase.get) === "Draining")
    yield* TestClock.adjust("7 seconds")
    yield* Effect.promise(() => client.untilText("over a file", limit))
    yield* Fiber.join(closing)
    assert.isFalse(FileSystem.existsSync(path))
  }))

it.scoped("a handler that is interrupted at the deadline answers 503, and the scope dies with what was cut", () =>
  Effect.gen(function*() {
    const { close, httpServer, scope, server, target } = yield* unserved({ ...onLoopback, timeout: "30 seconds" })
    yield* Scope.extend(httpServer.serve(Effect.interruptible(Effect.never)), scope)
    const client = yield* Effect.promise(() => connect(target))
    yield* Effect.promise(() => client.write(request))
    yield* until("the request to have arrived", () => Effect.runSync(server.connections)[0]?.state === "Active")
    const closing = yield* Effect.fork(Effect.exit(close))
    yield* until("the drain", () => Effect.runSync(server.phase.get) === "Draining")
    yield* TestClock.adjust("30 seconds")
    const exit = yield* Fiber.join(closing)
    const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
    assert.instanceOf(error, Shutdown.DeadlineExceeded)
    assert.include(String(error), "GET /early (30s, its client received 503)")
    const { responses } = yield* Effect.promise(() => client.untilResponses(1, limit))
    assert.strictEqual(responses[0]?.status, 503)
  }))
