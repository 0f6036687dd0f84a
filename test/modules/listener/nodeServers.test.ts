import { HttpServerResponse } from "@effect/platform"
import { assert, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Logger, Schedule, TestClock } from "effect"
import { once } from "node:events"
import * as Http from "node:http"
import type { AddressInfo } from "node:net"
import { Server, type Shutdown } from "../../../src/index.js"
import { connect } from "../../support/rawClient.js"
import { limit, plain, serving, targetOf, until } from "../../support/running.js"

const onLoopback = { host: "127.0.0.1", port: 0 }

const post = "POST /order HTTP/1.1\r\nHost: test\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"

it.scoped("a listener for checkContinue that hands the request on has it answered once", () =>
  Effect.gen(function*() {
    let ran = 0
    const app = yield* plain((_, response) => {
      ran++
      response.end("done")
    })
    const node = Http.createServer((_, response) => {
      ran++
      response.end("done")
    })
    node.on("checkContinue", (request, response) => {
      response.writeContinue()
      node.emit("request", request, response)
    })
    const { address } = yield* app.server.listen(() => node, onLoopback)
    const client = yield* Effect.promise(() => connect(targetOf(address)))
    yield* Effect.promise(() => client.write(post))
    yield* Effect.promise(() => client.untilText("100 Continue", limit))
    yield* Effect.promise(() => client.write("ok"))
    yield* Effect.promise(() => client.untilText("done", limit))
    assert.strictEqual(ran, 1)
  }))

it.scoped("what a listener for checkContinue refuses reaches no app", () =>
  Effect.gen(function*() {
    let ran = 0
    const app = yield* serving(Effect.sync(() => {
      ran++
      return HttpServerResponse.text("done")
    }))
    const node = Http.createServer()
    node.on("checkContinue", (_, response) => response.writeHead(417, { "content-length": "0" }).end())
    const { address } = yield* app.server.listen(() => node, onLoopback)
    const client = yield* Effect.promise(() => connect(targetOf(address)))
    yield* Effect.promise(() => client.write(post))
    yield* Effect.promise(() => client.untilText("417", limit))
    assert.strictEqual(ran, 0)
  }))

const refusals: ReadonlyArray<readonly [string, () => Http.Server, { readonly signal?: AbortSignal }, string]> = [
  ["an aborted signal, with which Node never listens", () => Http.createServer(), {
    signal: AbortSignal.abort()
  }, "it is aborted already"]
]
for (const [what, evaluate, options, why] of refusals) {
  it.scoped(`refuses ${what}`, () =>
    Effect.gen(function*() {
      const server = yield* Server.make()
      const error = yield* Effect.flip(server.listen(evaluate, { ...onLoopback, ...options }))
      assert.strictEqual(error._tag, "ListenError")
      assert.include(error.message, why)
    }))
}

it.scoped("refuses to listen twice with one Node server, which would see each request twice", () =>
  Effect.gen(function*() {
    const server = yield* Server.make()
    const node = Http.createServer()
    yield* server.listen(() => node, onLoopback)
    assert.include((yield* Effect.flip(server.listen(() => node, onLoopback))).message, "it has been listened with")
  }))

it.scoped("a listener in the scope of its server goes on accepting for all of the lame duck", () =>
  Effect.gen(function*() {
    let target = { port: 0 }
    const program = Effect.gen(function*() {
      const server = yield* Server.make({ lameDuck: "10 seconds" })
      const { address } = yield* server.listen(() => Http.createServer((_, response) => response.end("ok")), onLoopback)
      target = { port: "port" in address ? address.port : 0 }
      return yield* Effect.never
    })
    const fiber = yield* Effect.forkDaemon(Effect.scoped(program))
    yield* until("the server to listen", () => target.port > 0)
    fiber.unsafeInterruptAsFork(fiber.id())
    yield* TestClock.adjust("5 seconds")
    const client = yield* Effect.promise(() => connect(target))
    yield* Effect.promise(() => client.write("GET / HTTP/1.1\r\nHost: test\r\n\r\n"))
    const { responses } = yield* Effect.promise(() => client.untilResponses(1, limit))
    assert.strictEqual(responses[0]?.headers["connection"], "close")
    yield* TestClock.adjust("5 seconds")
    yield* Fiber.await(fiber)
  }))

const broken: Record<string, Shutdown.Policy> = {
  "dies": { pollSchedule: Schedule.forever.pipe(Schedule.tapOutput(() => Effect.die("broken"))) },
  "never waits": { pollSchedule: Schedule.forever },
  "has ended": { pollSchedule: Schedule.stop }
}
for (const [what, policy] of Object.entries(broken)) {
  it.live(`a poll schedule that ${what} neither stops a drain nor the event loop`, () =>
    Effect.gen(function*() {
      const app = yield* serving(Effect.delay(Effect.succeed(HttpServerResponse.text("slow")), "300 millis"), policy)
      const client = yield* Effect.promise(() => connect(app.target))
      yield* Effect.promise(() => client.write("GET / HTTP/1.1\r\nHost: test\r\n\r\n"))
      yield* until("the request", () => Effect.runSync(app.server.connections)[0]?.state === "Active")
      assert.strictEqual((yield* app.stop).outcome, "Drained")
      yield* Effect.promise(() => client.untilText("slow", limit))
    }).pipe(Effect.scoped))
}

it.live("a logger that throws does not keep a server from shutting down", () =>
  Effect.gen(function*() {
    const server = yield* Server.Server
    yield* server.listen(() => Http.createServer(), onLoopback)
    assert.strictEqual((yield* server.shutdown).outcome, "Drained")
  }).pipe(
    Effect.scoped,
    Effect.provide(
      Layer.provide(
        Server.layer(),
        Logger.replace(
          Logger.defaultLogger,
          Logger.make(() => {
            throw new Error("broken")
          })
        )
      )
    )
  ))

it.scoped("a server that is adopted before it listens has its address once it does", () =>
  Effect.gen(function*() {
    const node = Http.createServer()
    const server = yield* Server.make()
    const listener = yield* server.adopt(node.listen(onLoopback))
    yield* Effect.promise(() => once(node, "listening"))
    const { port } = node.address() as AddressInfo
    assert.deepStrictEqual(listener.address, { _tag: "TcpAddress", hostname: "127.0.0.1", port })
  }))
