import { SocketServer } from "@effect/platform"
import { describe, expect, it } from "@effect/vitest"
import { Context, Effect, Layer, Option } from "effect"
import * as Http from "node:http"
import { WebSocket } from "ws"
import { NodeSocketServer } from "../../../src/index.js"
import { answer, client, get, launch, send, silent, targetOf, until } from "../../support/running.js"
import { reasonOf, receive, writerOf } from "../../support/sockets.js"
import { type Deferred, deferred, waitFor } from "../../support/wait.js"

// Pins internal/node: neverListens

const echoing = (options: NodeSocketServer.WebSocketOptions, urls: Array<string> = []) =>
  launch(
    Layer.scopedDiscard(
      Effect.flatMap(SocketServer.SocketServer, (sockets) =>
        Effect.forkScoped(sockets.run((socket) =>
          Effect.gen(function*() {
            const request = yield* Effect.serviceOption(NodeSocketServer.IncomingMessage)
            urls.push(Option.getOrThrow(request).url ?? "")
            const write = yield* writerOf(socket)
            yield* receive(socket, (message) =>
              write(message))
          }).pipe(Effect.scoped)
        )))
    ).pipe(Layer.provideMerge(NodeSocketServer.layerWebSocket(options))),
    (context) =>
      targetOf(Context.get(context, SocketServer.SocketServer).address)
  )

const portOf = (target: object): number => "port" in target ? Number(target.port) : 0

interface Peer {
  readonly closed: Deferred<number>
  readonly messages: Array<string>
  readonly socket: WebSocket
}

const connected = (port: number, path = "/") =>
  Effect.acquireRelease(
    Effect.promise(async (): Promise<Peer> => {
      const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`)
      const opened = deferred()
      const closed = deferred<number>()
      const messages: Array<string> = []
      socket.on("message", (data: Buffer) => messages.push(data.toString()))
      socket.once("open", () => opened.resolve())
      socket.once("error", (error) => opened.reject(error))
      socket.once("close", (code) => closed.resolve(code))
      await waitFor("the WebSocket to open", opened.promise, 15_000)
      return { closed, messages, socket }
    }),
    ({ socket }) => Effect.sync(() => socket.terminate())
  )

describe("WebSockets of ws", () => {
  it.scopedLive("is closed with 1001 at the start of a drain, and its handler is awaited", () =>
    Effect.gen(function*() {
      const urls: Array<string> = []
      const running = yield* echoing({ host: "127.0.0.1", port: 0, timeout: "30 seconds" }, urls)
      const peer = yield* connected(portOf(running.target), "/somewhere")
      peer.socket.send("hello")
      yield* until("the echo", () => peer.messages.length === 1)
      expect(urls).toEqual(["/somewhere"])
      expect((yield* running.server.connections)[0]).toMatchObject({ state: "Hijacked", protocol: "websocket" })
      const report = yield* running.stop
      expect(yield* Effect.promise(() => waitFor("the close", peer.closed.promise, 15_000))).toBe(1001)
      expect(report).toMatchObject({ outcome: "Drained", connections: { cut: 0 }, forceClosed: [] })
    }).pipe(Effect.provide(silent)))

  it.scopedLive("a server that somebody else has made listen is adopted", () =>
    Effect.gen(function*() {
      const own = Http.createServer((_, response) => response.end("not a WebSocket"))
      yield* Effect.async<void>((resume) => {
        own.listen(0, "127.0.0.1", () => resume(Effect.void))
      })
      const running = yield* echoing({ server: own, path: "/socket", timeout: "30 seconds" })
      const request = yield* client(running.target)
      yield* send(request, get("/"))
      expect(yield* answer(request)).toMatchObject({ status: 200, body: "not a WebSocket" })
      const peer = yield* connected(portOf(running.target), "/socket")
      const report = yield* running.stop
      expect(yield* Effect.promise(() => waitFor("the close", peer.closed.promise, 15_000))).toBe(1001)
      expect(report).toMatchObject({ outcome: "Drained" })
      expect(own.listening).toBe(false)
    }).pipe(Effect.provide(silent)))

  it.scopedLive("a plain request is told to upgrade", () =>
    Effect.gen(function*() {
      const running = yield* echoing({ host: "127.0.0.1", port: 0 })
      const request = yield* client(running.target)
      yield* send(request, get("/"))
      expect(yield* answer(request)).toMatchObject({ status: 426, body: "Upgrade Required" })
    }).pipe(Effect.provide(silent)))

  it.scopedLive("what is wrong with the options is said in the message", () =>
    Effect.gen(function*() {
      const first = yield* NodeSocketServer.makeWebSocket({ host: "127.0.0.1", port: 0 })
      const port = portOf(targetOf(first.address))
      const taken = yield* Effect.flip(Effect.scoped(NodeSocketServer.makeWebSocket({ host: "127.0.0.1", port })))
      expect(reasonOf(taken)).toBe("Open")
      expect(taken.cause).toMatchObject({ _tag: "ListenError" })
      expect(taken.message).toContain(`Cannot listen with port ${port}`)
      const never = yield* Effect.flip(Effect.scoped(NodeSocketServer.makeWebSocket({ noServer: true })))
      expect(never.message).toContain("Cannot listen with noServer true")
    }).pipe(Effect.provide(silent)))
})
