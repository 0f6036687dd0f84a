// Go's rules F7 to F9: connections that a handler takes over. F8 deliberately differs: they are tracked to their end.
import * as HttpMiddleware from "@effect/platform/HttpMiddleware"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import type * as Socket from "@effect/platform/Socket"
import { expect, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import type * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import type * as Http from "node:http"
import { WebSocket } from "ws"
import { type Server, Shutdown } from "../../../src/index.js"
import { upgraded } from "../../support/effect/apps.js"
import * as HttpRouter from "../../support/effect/httpRouter.js"
import { webSocketHandshake } from "../../support/httpRequests.js"
import type { Target } from "../../support/rawClient.js"
import {
  client,
  ended,
  limit,
  real,
  type RunOptions,
  send,
  serving,
  until,
  untilStates
} from "../../support/running.js"
import { codeOfDefect, receive, writerOf } from "../../support/sockets.js"
import { hijack, historyOf, leave, serve, untilStopsListening, upgrade } from "./harness.js"

const ok: Http.RequestListener = (_, response) => response.end("ok")

/** What a handler does with a WebSocket that it has taken over. */
const takenOver = (
  use: (socket: Socket.Socket) => Effect.Effect<unknown, unknown, HttpServerRequest.HttpServerRequest | Scope.Scope>,
  options: RunOptions = {}
) =>
  serving(
    HttpMiddleware.logger(
      HttpRouter.empty.pipe(HttpRouter.get(
        "/",
        upgraded.pipe(
          Effect.flatMap(use),
          Effect.orDie,
          Effect.scoped,
          Effect.as(HttpServerResponse.empty())
        )
      ))
    ),
    { ...Shutdown.goPolicy, ...options }
  )

const echo = (socket: Socket.Socket) =>
  Effect.flatMap(writerOf(socket), (write) => Effect.ignore(receive(socket, write)))

const echoing = (options: RunOptions = {}) => takenOver(echo, options)

/** A WebSocket client, open. */
const webSocket = (target: Target) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const socket = new WebSocket(`ws://127.0.0.1:${"port" in target ? target.port : ""}`)
      const seen = { socket, messages: new Array<string>(), closed: undefined as number | undefined }
      socket.on("error", () => {})
      socket.on("message", (data: Buffer) => seen.messages.push(data.toString()))
      socket.on("close", (code) => {
        seen.closed = code
      })
      return seen
    }),
    ({ socket }) => Effect.sync(() => socket.terminate())
  )

/** A masked text frame, as clients send it: RFC 6455, section 5.2. */
const frame = (text: string): Buffer => {
  const length = text.length < 126 ? [0x80 | text.length] : [0x80 | 127, 0, 0, 0, 0, ...uint32(text.length)]
  return Buffer.concat([Buffer.from([0x81, ...length, 0, 0, 0, 0]), Buffer.from(text)])
}

const uint32 = (n: number) => [n >>> 24, (n >>> 16) & 255, (n >>> 8) & 255, n & 255]

const onlyConnection = (server: Server.ServerService) => Effect.map(server.connections, ([connection]) => connection)

it.scoped("F7: a connection that was taken over is Hijacked, known by its new protocol, and free of Node's timeouts", () =>
  Effect.gen(function*() {
    const app = yield* serve(ok, { prepare: hijack })
    const peer = yield* client(app.target)
    yield* send(peer, upgrade)
    yield* app.history.until("New,Active,Hijacked")
    expect(yield* onlyConnection(app.server)).toMatchObject({ protocol: "echo", inFlight: [] })
    expect(app.sockets[0]?.timeout).toBeUndefined()
    yield* send(peer, "hello")
    yield* Effect.promise(() => peer.untilText("hello", limit))

    const running = yield* echoing()
    const history = yield* historyOf(running.server)
    const { messages, socket } = yield* webSocket(running.target)
    yield* until("the upgrade", () => socket.readyState === WebSocket.OPEN)
    yield* history.until("New,Active,Hijacked")
    expect(yield* onlyConnection(running.server)).toMatchObject({ protocol: "websocket", inFlight: [] })
    socket.send("hello")
    yield* until("the echo", () => messages.join() === "hello")
  }))

it.scoped("F7: a connection cannot be taken over twice, and who has it keeps it", () =>
  Effect.gen(function*() {
    const second: Array<string> = []
    const running = yield* takenOver((socket) =>
      Effect.gen(function*() {
        const write = yield* writerOf(socket)
        const takeAgain = upgraded.pipe(
          Effect.flatMap((again) => receive(again, () => {})),
          Effect.catchAllCause((cause) => Effect.sync(() => second.push(Cause.pretty(cause))))
        )
        yield* receive(socket, (data) => Effect.zipRight(takeAgain, write(data)))
      })
    )
    const { messages, socket } = yield* webSocket(running.target)
    yield* until("the upgrade", () => socket.readyState === WebSocket.OPEN)
    socket.send("hello")
    yield* until("the echo", () => messages.join() === "hello")
    expect(second).toHaveLength(1)
    expect(second[0]).toContain("handleUpgrade() was called more than once")
    yield* untilStates(running.server, "Hijacked")
  }))

it.scoped("F8: a peer that was taken over is told to leave when draining starts, and awaited", () =>
  Effect.gen(function*() {
    const running = yield* echoing()
    const history = yield* historyOf(running.server)
    const seen = yield* webSocket(running.target)
    yield* until("the upgrade", () => seen.socket.readyState === WebSocket.OPEN)
    const report = yield* running.stop
    yield* until("its close", () => seen.closed !== undefined)
    expect(seen.closed).toBe(1001)
    expect(report).toMatchObject({
      outcome: "Drained",
      forceClosed: [],
      cut: [],
      connections: { open: 1, completed: 1 }
    })
    yield* history.until("New,Active,Hijacked,Closed")
  }))

it.scoped("F8: one that does not leave is awaited until the deadline, and then cut, which is no failure", () =>
  Effect.gen(function*() {
    const app = yield* serve(ok, { prepare: hijack, timeout: "30 seconds", killTimeout: "1 second" })
    const peer = yield* client(app.target)
    yield* send(peer, upgrade)
    yield* app.history.until("New,Active,Hijacked")
    yield* app.interrupt
    yield* untilStopsListening(app.node)
    yield* TestClock.adjust("29999 millis")
    yield* send(peer, "still here")
    yield* Effect.promise(() => peer.untilText("still here", limit))
    const report = yield* Effect.fork(app.report)
    yield* TestClock.adjust("1 millis")
    yield* TestClock.adjust("1 second")
    yield* ended(peer)
    expect(yield* Fiber.join(report)).toMatchObject({
      outcome: "Drained",
      cut: [],
      forceClosed: [{ state: "Hijacked", protocol: "echo" }],
      connections: { open: 1, cut: 1 }
    })
    expect(app.history.of()).toBe("New,Active,Hijacked,Closed")
  }))

it.scoped("F8: close tells it why, and cuts it at once", () =>
  Effect.gen(function*() {
    const running = yield* echoing()
    const seen = yield* webSocket(running.target)
    yield* until("the upgrade", () => seen.socket.readyState === WebSocket.OPEN)
    // it does not answer
    seen.socket.pause()
    expect(yield* real("close", running.server.close)).toMatchObject({
      outcome: "Closed",
      cut: [],
      forceClosed: [{ state: "Hijacked" }]
    })
    seen.socket.resume()
    yield* until("its close", () => seen.closed !== undefined)
    expect(seen.closed).toBe(1001)
  }))

it.scoped("F9: a defect after the takeover is logged, the peer is closed in good order, and a shutdown need not wait", () => {
  const logged: Array<string> = []
  return Effect.gen(function*() {
    const running = yield* takenOver((socket) => receive(socket, () => Effect.dieMessage("after the takeover")))
    const history = yield* historyOf(running.server)
    const seen = yield* webSocket(running.target)
    yield* until("the upgrade", () => seen.socket.readyState === WebSocket.OPEN)
    seen.socket.send("die")
    yield* until("its close", () => seen.closed !== undefined)
    expect(seen.closed).toBe(codeOfDefect)
    yield* history.until("New,Active,Hijacked,Closed")
    yield* until("the log", () => logged.some((cause) => cause.includes("after the takeover")))
    expect((yield* running.stop).outcome).toBe("Drained")
  }).pipe(Effect.provide(Logger.add(Logger.make(({ cause }) => logged.push(String(cause))))))
})

it.scoped("T34: with keep-alives off a connection can be taken over, and is not closed for it", () =>
  Effect.gen(function*() {
    const running = yield* echoing()
    const history = yield* historyOf(running.server)
    yield* running.server.setKeepAlives(false)
    const { messages, socket } = yield* webSocket(running.target)
    yield* until("the upgrade", () => socket.readyState === WebSocket.OPEN)
    yield* TestClock.adjust("1 minute")
    socket.send("hello")
    yield* until("the echo", () => messages.join() === "hello")
    expect(history.of()).toBe("New,Active,Hijacked")
  }))

it.scoped("T76: what the client sent together with its request, or right behind, reaches who took the connection over", () =>
  Effect.gen(function*() {
    const app = yield* serve(ok, { prepare: hijack })
    const peer = yield* client(app.target)
    yield* send(peer, upgrade, "behind the head")
    yield* Effect.promise(() => peer.untilText("behind the head", limit))
    const large = "x".repeat(300 * 1024)
    const other = yield* client(app.target)
    yield* send(other, upgrade, large, "the end")
    yield* Effect.promise(() => other.untilText("the end", limit))
    expect(other.text().split("\r\n\r\n")[1]).toBe(`${large}the end`)

    for (const text of ["first frame", large]) {
      const running = yield* echoing()
      const early = yield* client(running.target)
      yield* Effect.promise(() =>
        early.write(Buffer.concat([Buffer.from(webSocketHandshake("/")), frame(text), frame("the end")]))
      )
      yield* Effect.promise(() => early.untilText("the end", limit))
      expect(early.text()).toContain(text)
      yield* untilStates(running.server, "Hijacked")
      yield* leave(early)
    }
  }))
