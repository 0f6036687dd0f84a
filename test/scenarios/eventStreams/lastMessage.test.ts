/** A last message before a drain ends what never ends by itself: hooks send it, and whoever has heard of the shutdown. */
import { HttpServerRequest, HttpServerResponse } from "@effect/platform"
import { assert, describe, it } from "@effect/vitest"
import { Effect, PubSub, Stream } from "effect"
import * as Http from "node:http"
import { Server as SocketIo } from "socket.io"
import { io } from "socket.io-client"
import { WebSocket, WebSocketServer } from "ws"
import { answer, client, get, send, serving as servingApp } from "../../support/running.js"
import { receive, writerOf } from "../../support/sockets.js"
import { pace, waitFor } from "../../support/wait.js"
import { adopt, limit, protocols, read, serving } from "./eventStreamServer.js"

const events = { "content-type": "text/event-stream" }

/** A WebSocket, what it was sent, and with what it was closed. */
const webSocket = async (port: number, path = "/") => {
  const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`)
  const got: Array<string> = []
  socket.on("message", (message: Buffer) => got.push(message.toString())).on("error", () => {})
  const closed = new Promise<number>((resolve) => socket.on("close", resolve))
  await waitFor("the WebSocket to open", new Promise((resolve) => socket.on("open", resolve)), limit)
  return { got, closed: () => waitFor("the close frame", closed, limit), socket }
}

const withWebSockets = () => {
  const node = Http.createServer()
  const sockets = new WebSocketServer({ server: node })
  return { node, say: (text: string) => sockets.clients.forEach((socket) => socket.send(text)) }
}

const ways: ReadonlyArray<readonly [string, (say: () => void) => unknown]> = [
  ["at once", (say) => say()],
  ["after a microtask", (say) => Promise.resolve().then(say)],
  ["after some milliseconds", async (say) => {
    await pace(100)
    say()
  }]
]

describe("a hook", () => {
  it.each(ways)("that sends a last message to WebSockets %s is heard", async (_, hook) => {
    const { node, say } = withWebSockets()
    const { port, server, stop } = await adopt(node)
    server.onShutdown("says goodbye", () => hook(() => say("goodbye")))
    const peer = await webSocket(port)
    await stop()
    assert.deepStrictEqual([await peer.closed(), peer.got], [1001, ["goodbye"]])
  })

  it("is heard after a lame duck, too", async () => {
    const { node, say } = withWebSockets()
    const { port, server, stop } = await adopt(node, { lameDuck: 100 })
    server.onShutdown("says goodbye", () => say("goodbye"))
    const peer = await webSocket(port)
    await stop()
    assert.deepStrictEqual([await peer.closed(), peer.got], [1001, ["goodbye"]])
  })

  it("that takes its time delays a close frame by half a second at the most", async () => {
    const { node, say } = withWebSockets()
    const { port, server, stop } = await adopt(node)
    let over = false
    server.onShutdown("slow", async () => {
      await pace(1500)
      over = true
      say("too late")
    })
    const peer = await webSocket(port)
    const stopped = stop()
    assert.strictEqual(await peer.closed(), 1001)
    assert.isFalse(over)
    await stopped
    assert.deepStrictEqual(peer.got, [])
  })

  it("that hangs delays it by half of a short timeout, so that peers have time to leave", async () => {
    const { node } = withWebSockets()
    const { port, server, stop } = await adopt(node, { timeout: 300, killTimeout: 100 })
    server.onShutdown("hangs", () => new Promise(() => {}))
    const peer = await webSocket(port)
    const { connections, forceClosed } = await stop()
    assert.deepStrictEqual([await peer.closed(), connections.cut, forceClosed], [1001, 0, []])
  })

  it("is heard by the clients of socket.io", async () => {
    const node = Http.createServer()
    const sockets = new SocketIo(node)
    const { port, server, stop } = await adopt(node)
    server.onShutdown("says goodbye", () => void sockets.emit("goodbye", "come back"))
    const peer = io(`http://127.0.0.1:${port}`, { transports: ["websocket"], reconnection: false })
    const heard = new Promise((resolve) => peer.on("goodbye", resolve))
    await waitFor("the connection", new Promise((resolve) => peer.on("connect", () => resolve(true))), limit)
    const stopped = stop()
    assert.strictEqual(await waitFor("the last message", heard, limit), "come back")
    await stopped
    peer.disconnect()
  })

  it.scoped("is heard by the WebSockets of an Effect app", () =>
    Effect.gen(function*() {
      const goodbyes = yield* PubSub.unbounded<string>()
      const app = Effect.gen(function*() {
        const request = yield* HttpServerRequest.HttpServerRequest
        const socket = yield* Effect.orDie(request.upgrade)
        const write = yield* writerOf(socket)
        yield* Effect.forkScoped(
          Effect.interruptible(Stream.runForEach(Stream.fromPubSub(goodbyes), (text) => Effect.ignore(write(text))))
        )
        yield* Effect.ignore(receive(socket, () => {}))
        return HttpServerResponse.empty()
      })
      const running = yield* servingApp(Effect.scoped(app), { idleGrace: 0 })
      yield* running.server.onShutdown("says goodbye", PubSub.publish(goodbyes, "goodbye"))
      const { target } = running
      const peer = yield* Effect.promise(() => webSocket("port" in target ? target.port : 0))
      yield* running.stop
      assert.deepStrictEqual(
        [yield* Effect.promise(() => peer.closed()), peer.got],
        [1001, ["goodbye"]]
      )
    }))

  it.scoped("is heard by the event streams of an Effect app", () =>
    Effect.gen(function*() {
      const goodbyes = yield* PubSub.unbounded<string>()
      const app = Effect.sync(() =>
        HttpServerResponse.stream(
          Stream.encodeText(Stream.concat(Stream.make("data: 1\n\n"), Stream.fromPubSub(goodbyes))),
          { contentType: "text/event-stream" }
        )
      )
      const running = yield* servingApp(app, { idleGrace: 0 })
      yield* running.server.onShutdown("says goodbye", PubSub.publish(goodbyes, "data: goodbye\n\n"))
      const reader = yield* client(running.target)
      yield* send(reader, get("/"))
      yield* Effect.promise(() => reader.untilText("data: 1", limit))
      const { endedStreams } = yield* running.stop
      assert.strictEqual((yield* answer(reader)).body, "data: 1\n\ndata: goodbye\n\n")
      assert.strictEqual(endedStreams.length, 1)
    }))

  it.each(protocols.flatMap((protocol) => ways.map(([when, hook]) => [protocol, when, hook] as const)))(
    "is heard by the event streams of plain handlers over %s, %s",
    async (protocol, _, hook) => {
      const writers: Array<Http.ServerResponse> = []
      const { port, server, stop } = await serving(protocol, (_, response) => {
        response.writeHead(200, events)
        response.write("data: 1\n\n")
        writers.push(response)
      })
      server.onShutdown(
        "says goodbye",
        () => hook(() => writers.forEach((response) => response.write("data: goodbye\n\n")))
      )
      const reader = read(protocol, port, { accept: "text/event-stream" })
      await reader.untilText("data: 1")
      await stop()
      assert.strictEqual(await reader.untilEnded(), "whole")
      assert.strictEqual(reader.text(), "data: 1\n\ndata: goodbye\n\n")
    }
  )
})

describe("whoever has heard of the shutdown", () => {
  it.each([["at once", 0], ["twenty milliseconds later", 20]] as const)(
    "is heard by WebSockets %s",
    async (_, millis) => {
      const { node, say } = withWebSockets()
      const { port, server, stop } = await adopt(node, { idleGrace: 500 })
      server.signal.addEventListener("abort", () => {
        if (millis === 0) say("goodbye")
        else setTimeout(() => say("goodbye"), millis)
      })
      const peer = await webSocket(port)
      await stop()
      assert.deepStrictEqual([await peer.closed(), peer.got], [1001, ["goodbye"]])
    }
  )

  it("closes WebSockets with a code of its own", async () => {
    const node = Http.createServer()
    const sockets = new WebSocketServer({ server: node })
    const { port, server, stop } = await adopt(node)
    server.onShutdown("restarts", () => sockets.clients.forEach((socket) => socket.close(1012, "restart")))
    const peer = await webSocket(port)
    await stop()
    assert.strictEqual(await peer.closed(), 1012)
  })
})
