/** `ws` clients through a shutdown, of the two ways to serve them: `ws` itself, and an Effect app that upgrades. */
import { HttpServerRequest, HttpServerResponse } from "@effect/platform"
import { assert, it } from "@effect/vitest"
import { Duration, Effect } from "effect"
import type { IncomingMessage } from "node:http"
import type * as Net from "node:net"
import type { Duplex } from "node:stream"
import { WebSocket, WebSocketServer } from "ws"
import type { Shutdown } from "../../../src/index.js"
import { certificate } from "../../support/certificate.js"
import type { Wire } from "../../support/nodeServer.js"
import { limit, silent, until } from "../../support/running.js"
import { receive, writerOf } from "../../support/sockets.js"
import { timerGrain, waitFor } from "../../support/wait.js"
import { adopted, served } from "./serverOnWire.js"

// Pins internal/node: webSocketOf

/** Asks for an answer that is longer than what is sent at once; every other message is answered with itself. */
const ask = "tell me more"
const more = "there is so much to say ".repeat(400_000)

const answerTo = (message: string): string => message === ask ? more : message

const ofWs = (wire: Wire, received: Array<string>, policy?: Shutdown.Policy) =>
  adopted(wire, (_, response) => void response.end(), policy, (node: Net.Server) => {
    const sockets = new WebSocketServer({ noServer: true })
    node.on(
      "upgrade",
      (request: IncomingMessage, socket: Duplex, head: Buffer) =>
        sockets.handleUpgrade(request, socket, head, (socket) =>
          socket.on("message", (message: Buffer) => {
            received.push(message.toString())
            socket.send(answerTo(message.toString()))
          }))
    )
  })

const ofEffect = (wire: Wire, received: Array<string>, policy?: Shutdown.Policy) =>
  served(
    wire,
    Effect.gen(function*() {
      const { upgrade } = yield* HttpServerRequest.HttpServerRequest
      const socket = yield* upgrade
      const write = yield* writerOf(socket)
      yield* Effect.ignore(receive(socket, (message) => {
        const text = typeof message === "string" ? message : new TextDecoder().decode(message)
        received.push(text)
        return write(answerTo(text))
      }))
      return HttpServerResponse.empty()
    }).pipe(Effect.scoped),
    policy
  )

/** A client that has said hello, and has been answered. */
const connect = (origin: string) =>
  Effect.gen(function*() {
    const socket = yield* Effect.acquireRelease(
      Effect.sync(() => new WebSocket(`ws${origin.slice("http".length)}/`, { ca: certificate.cert })),
      (socket) => Effect.sync(() => socket.terminate())
    )
    const heard: Array<string> = []
    const opened = new Promise<void>((resolve, reject) => {
      socket.once("open", resolve).once("error", reject)
    })
    const closed = new Promise<readonly [code: number, reason: string]>((resolve) => {
      socket.once("close", (code, reason) => resolve([code, reason.toString()]))
    })
    socket.on("message", (message: Buffer) => heard.push(message.toString()))
    yield* Effect.promise(() => waitFor("the WebSocket to open", opened, limit))
    socket.send("hello")
    yield* until("the first answer", () => heard.length === 1)
    return { socket, heard, closed: Effect.promise(() => waitFor("the WebSocket to close", closed, limit)) }
  })

const goingAway = [1001, "the server is shutting down"] as const

const wires: Readonly<Record<string, Wire>> = {
  "ws": "http",
  "wss": "https",
  "wss to a server that speaks HTTP/2 too": "h2"
}

for (const [what, serve] of Object.entries({ "a ws server": ofWs, "an Effect app": ofEffect })) {
  for (const [scheme, wire] of Object.entries(wires)) {
    const where = `${scheme}, ${what}`

    it.scopedLive(`${where}: close code 1001 at the start of draining; what a peer still sends is received`, () =>
      Effect.gen(function*() {
        const received: Array<string> = []
        const { drain, origin, report, server } = yield* serve(wire, received)
        const quick = yield* connect(origin)
        const slow = yield* connect(origin)
        slow.socket.pause()
        yield* drain
        assert.deepStrictEqual(yield* quick.closed, goingAway)
        assert.strictEqual(yield* server.phase.get, "Draining")
        const late = Array.from({ length: 100 }, (_, n) => `late ${n}`)
        for (const message of late) slow.socket.send(message)
        yield* until("all that was sent late", () => received.length === 102)
        assert.deepStrictEqual(received.slice(2), late)
        slow.socket.resume()
        assert.deepStrictEqual(yield* slow.closed, goingAway)
        const { connections, forceClosed, outcome } = yield* report
        assert.deepStrictEqual([outcome, connections.completed, connections.cut, forceClosed], ["Drained", 2, 0, []])
      }).pipe(Effect.provide(silent)))

    it.scopedLive(`${where}: a client that never stops sending is heard until it is told`, () =>
      Effect.gen(function*() {
        const received: Array<string> = []
        const { origin, stop } = yield* serve(wire, received)
        const { closed, socket } = yield* connect(origin)
        const sent = ["hello"]
        const timer = setInterval(() => {
          if (socket.readyState !== WebSocket.OPEN) return clearInterval(timer)
          const message = `message ${sent.length}`
          sent.push(message)
          socket.send(message)
        })
        yield* until("the server to be busy", () => received.length > 50)
        const report = yield* stop
        assert.deepStrictEqual(yield* closed, goingAway)
        assert.deepStrictEqual(received, sent)
        assert.strictEqual(report.outcome, "Drained")
        assert.isBelow(Duration.toMillis(report.duration), 5000)
      }).pipe(Effect.provide(silent)))

    it.scopedLive(`${where}: what the server is saying is finished`, () =>
      Effect.gen(function*() {
        const received: Array<string> = []
        const { drain, origin, report } = yield* serve(wire, received)
        const { closed, heard, socket } = yield* connect(origin)
        socket.pause()
        socket.send(ask)
        yield* until("the server to have begun", () => received.includes(ask))
        yield* drain
        assert.strictEqual(heard.length, 1)
        socket.resume()
        assert.deepStrictEqual(yield* closed, goingAway)
        assert.isTrue(heard[1] === more)
        assert.strictEqual((yield* report).outcome, "Drained")
      }).pipe(Effect.provide(silent)))

    it.scopedLive(`${where}: a peer that ignores the close frame is cut at the deadline, which is no failure`, () =>
      Effect.gen(function*() {
        const { origin, stop } = yield* serve(wire, [], { timeout: "500 millis", killTimeout: "200 millis" })
        const { socket } = yield* connect(origin)
        socket.pause()
        const { connections, draining, duration, forceClosed, outcome } = yield* stop
        assert.deepStrictEqual([outcome, connections.cut], ["Drained", 1])
        assert.deepStrictEqual(forceClosed.map(({ protocol, state }) => [protocol, state]), [["websocket", "Hijacked"]])
        assert.isAtLeast(Duration.toMillis(draining), 500 - timerGrain)
        assert.isBelow(Duration.toMillis(duration), 5000)
      }).pipe(Effect.provide(silent)))
  }
}
