import { HttpServerRequest, HttpServerResponse, type Socket } from "@effect/platform"
import { assert, it } from "@effect/vitest"
import { Deferred, Duration, Effect, TestClock } from "effect"
import { setTimeout } from "node:timers/promises"
import { WebSocket } from "ws"
import { webSocketHandshake } from "../../support/httpRequests.js"
import { connect, type Target } from "../../support/rawClient.js"
import { limit, serving, until } from "../../support/running.js"
import { openUnread, reasonOf, receive, writerOf } from "../../support/sockets.js"
import { waitFor } from "../../support/wait.js"

// Pins internal/node: neverListens

const open = async (target: Target): Promise<WebSocket> => {
  const socket = new WebSocket(`ws://127.0.0.1:${"port" in target ? target.port : 0}/`)
  await waitFor("the WebSocket to open", new Promise((resolve) => socket.once("open", resolve)), limit)
  return socket
}

const closeOf = (socket: WebSocket) =>
  waitFor(
    "the close frame",
    new Promise<{ readonly code: number; readonly reason: string }>((resolve) =>
      socket.once("close", (code, reason) => resolve({ code, reason: reason.toString() }))
    ),
    limit
  )

const echo = Effect.gen(function*() {
  const socket = yield* Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => request.upgrade)
  const write = yield* writerOf(socket)
  yield* Effect.ignore(receive(socket, (data) => write(data)))
  return HttpServerResponse.empty()
}).pipe(Effect.scoped, Effect.orDie)

it.scoped("a WebSocket is Hijacked, and is sent close code 1001 when draining starts", () =>
  Effect.gen(function*() {
    const app = yield* serving(echo)
    const socket = yield* Effect.promise(() => open(app.target))
    const [connection] = yield* app.server.connections
    assert.strictEqual(connection?.state, "Hijacked")
    assert.strictEqual(connection?.protocol, "websocket")
    const closed = closeOf(socket)
    const report = yield* app.stop
    assert.deepStrictEqual(yield* Effect.promise(() => closed), { code: 1001, reason: "the server is shutting down" })
    assert.strictEqual(report.outcome, "Drained")
    assert.deepStrictEqual(report.forceClosed, [])
  }))

it.scoped("a WebSocket that is opened by a handler while the server drains is told at once", () =>
  Effect.gen(function*() {
    const entered = yield* Deferred.make<void>()
    const release = yield* Deferred.make<void>()
    const app = yield* serving(
      Effect.zipRight(
        Effect.zipRight(Deferred.succeed(entered, undefined), Deferred.await(release)),
        echo
      )
    )
    const socket = new WebSocket(`ws://127.0.0.1:${"port" in app.target ? app.target.port : 0}/`)
    yield* Deferred.await(entered)
    yield* app.drain
    const closed = closeOf(socket)
    yield* Deferred.succeed(release, undefined)
    assert.strictEqual((yield* Effect.promise(() => closed)).code, 1001)
    assert.strictEqual((yield* app.report).outcome, "Drained")
  }))

it.scoped("a WebSocket peer that ignores the close frame is cut at the deadline, which is no failure", () =>
  Effect.gen(function*() {
    const app = yield* serving(echo, { timeout: "30 seconds", killTimeout: "1 second" })
    const peer = yield* Effect.promise(() => connect(app.target, { keepHalfOpen: true }))
    yield* Effect.promise(() => peer.write(webSocketHandshake("/")))
    yield* Effect.promise(() => peer.untilText("101 Switching Protocols", limit))
    yield* app.drain
    // a close frame: opcode 8, code 1001
    yield* until("the close frame", () => peer.received().includes(Buffer.from([0x03, 0xe9])))
    yield* TestClock.adjust("30 seconds")
    yield* TestClock.adjust("1 second")
    const report = yield* app.report
    assert.strictEqual(report.outcome, "Drained")
    assert.deepStrictEqual(report.cut, [])
    assert.strictEqual(Duration.toSeconds(report.draining), 30)
    yield* Effect.promise(() => peer.untilEnded(limit))
  }))

it.scoped("a request to upgrade that the app answers plainly is served, and the connection ends", () =>
  Effect.gen(function*() {
    const app = yield* serving(Effect.succeed(HttpServerResponse.text("no upgrade here")))
    const peer = yield* Effect.promise(() => connect(app.target))
    yield* Effect.promise(() => peer.write(webSocketHandshake("/")))
    const { responses } = yield* Effect.promise(() => peer.untilResponses(1, limit))
    assert.strictEqual(responses[0]?.status, 200)
    assert.strictEqual(yield* Effect.promise(() => peer.untilEnded(limit)), "fin")
    assert.strictEqual((yield* app.stop).outcome, "Drained")
  }))

it.scoped("a peer that resets its connection before the upgrade has been decided harms nobody", () =>
  Effect.gen(function*() {
    const entered = yield* Deferred.make<void>()
    const app = yield* serving(
      Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) =>
        request.headers["upgrade"] === undefined
          ? Effect.succeed(HttpServerResponse.text("well"))
          : Effect.zipRight(Deferred.succeed(entered, undefined), Effect.never))
    )
    const peer = yield* Effect.promise(() => connect(app.target))
    yield* Effect.promise(() => peer.write(webSocketHandshake("/")))
    yield* Deferred.await(entered)
    peer.abort()
    yield* until("the connection to be gone", () => peer.socket.destroyed)
    const other = yield* Effect.promise(() => connect(app.target))
    yield* Effect.promise(() => other.write("GET / HTTP/1.1\r\nHost: test\r\n\r\n"))
    yield* Effect.promise(() => other.untilText("well", limit))
  }))

// an app without a router is uninterruptible
const deaf = Effect.delay(Effect.succeed(HttpServerResponse.text("late")), "1 minute")

it.scoped("a handler of an upgrade that ignores interruption is left behind, and holds nobody up", () =>
  Effect.gen(function*() {
    const app = yield* serving(deaf, { timeout: "30 seconds", killTimeout: "1 second" })
    const peer = yield* Effect.promise(() => connect(app.target))
    yield* Effect.promise(() => peer.write(webSocketHandshake("/")))
    yield* until("the request", () => Effect.runSync(app.server.connections)[0]?.state === "Active")
    yield* app.drain
    yield* TestClock.adjust("30 seconds")
    yield* TestClock.adjust("1 second")
    const report = yield* app.report
    assert.deepStrictEqual(report.handlers, { interrupted: 1, abandoned: 1 })
  }))

it.scoped("a handler that answers an upgrade whose client has left ends", () =>
  Effect.gen(function*() {
    const app = yield* serving(deaf, { timeout: "2 minutes" })
    const peer = yield* Effect.promise(() => connect(app.target))
    yield* Effect.promise(() => peer.write(webSocketHandshake("/")))
    yield* until("the request", () => Effect.runSync(app.server.connections)[0]?.state === "Active")
    peer.abort()
    yield* until("the connection to be gone", () => Effect.runSync(app.server.connections).length === 0)
    yield* app.drain
    yield* TestClock.adjust("1 minute")
    const report = yield* app.report
    assert.strictEqual(report.handlers.abandoned, 0)
  }))

it.scoped("a handler that writes after its WebSocket has closed fails, and holds nobody up", () =>
  Effect.gen(function*() {
    const written = yield* Deferred.make<void, Socket.SocketError>()
    const app = yield* serving(
      Effect.gen(function*() {
        const socket = yield* Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => request.upgrade)
        const write = yield* writerOf(socket)
        yield* Effect.ignore(receive(socket, () => {}))
        yield* Effect.intoDeferred(write("too late"), written)
        return HttpServerResponse.empty()
      }).pipe(Effect.scoped, Effect.orDie)
    )
    const socket = yield* Effect.promise(() => open(app.target))
    socket.close()
    assert.strictEqual(reasonOf(yield* Effect.flip(Deferred.await(written))), "Close")
    const report = yield* app.stop
    assert.strictEqual(report.outcome, "Drained")
    assert.deepStrictEqual(report.handlers, { interrupted: 0, abandoned: 0 })
  }))

it.scoped("so does one that only writes, and never looks at what comes", () =>
  Effect.gen(function*() {
    const failed = yield* Deferred.make<never, Socket.SocketError>()
    const app = yield* serving(
      Effect.gen(function*() {
        const socket = yield* Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => request.upgrade)
        yield* openUnread(socket)
        const write = yield* writerOf(socket)
        const writeNow = Effect.zipRight(write("a tick"), Effect.promise(() => setTimeout(10)))
        yield* Effect.intoDeferred(Effect.forever(writeNow), failed)
        return HttpServerResponse.empty()
      }).pipe(Effect.scoped, Effect.orDie)
    )
    const socket = yield* Effect.promise(() => open(app.target))
    yield* app.interrupt
    socket.close()
    assert.strictEqual(reasonOf(yield* Effect.flip(Deferred.await(failed))), "Close")
    const report = yield* app.report
    assert.strictEqual(report.outcome, "Drained")
    assert.deepStrictEqual(report.handlers, { interrupted: 0, abandoned: 0 })
  }))
