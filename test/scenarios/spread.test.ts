/** Connections that never end by themselves are told to leave one after the other. Time is the test's. */
import { HttpServerResponse } from "@effect/platform"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Stream } from "effect"
import * as TestClock from "effect/TestClock"
import * as Http from "node:http"
import * as Http2 from "node:http2"
import type * as Net from "node:net"
import { WebSocket, WebSocketServer } from "ws"
import { Server, type Shutdown } from "../../src/index.js"
import { portOf } from "../support/nodeServer.js"
import type { RawClient } from "../support/rawClient.js"
import {
  answer,
  client,
  ended,
  get,
  launch,
  limit,
  reportOf,
  responses,
  type Running,
  send,
  serving,
  until,
  untilPhase,
  untilStates
} from "../support/running.js"
import { waitFor } from "../support/wait.js"

const events = { "content-type": "text/event-stream" }

/** It answers `/events` with an event stream, everything else at once, and takes WebSockets. */
const handler: Http.RequestListener = (request, response) => {
  if (request.url === "/events") {
    response.writeHead(200, events)
    response.write("data: 1\n\n")
  } else response.end("hello")
}

const launched = (node: Net.Server, policy: Shutdown.Policy) => {
  const listening = Layer.scopedDiscard(
    Effect.flatMap(Server.Server, (server) => server.listen(() => node, { host: "127.0.0.1", port: 0 }))
  )
  return launch(
    Layer.provideMerge(listening, Server.layer({ timeout: "60 seconds", idleGrace: 0, ...policy })),
    () => ({ port: portOf(node) }),
    () => node.listening
  )
}

const plain = (policy: Shutdown.Policy) => {
  const node = Http.createServer(handler)
  const sockets = new WebSocketServer({ server: node })
  return Effect.map(launched(node, policy), (running) => ({ running, sockets }))
}

const port = ({ target }: Pick<Running, "target">) => "port" in target ? target.port : 0

/** Peers that have connected in this order, and which of them have been told what, in that order. */
const connect = (running: Pick<Running, "target">, count: number, said: Array<string> = []) =>
  Effect.gen(function*() {
    const told: Array<readonly [nth: number, code: number]> = []
    for (let nth = 0; nth < count; nth++) {
      const socket = yield* Effect.acquireRelease(
        Effect.sync(() => new WebSocket(`ws://127.0.0.1:${port(running)}`)),
        (socket) => Effect.sync(() => socket.terminate())
      )
      socket.on("close", (code) => told.push([nth, code])).on("error", () => {})
      socket.on("message", (message: Buffer) => said.push(`${nth} ${message.toString()}`))
      yield* Effect.promise(() =>
        waitFor("the WebSocket to open", new Promise((resolve) => socket.once("open", resolve)), limit)
      )
    }
    return told
  })

/** Clients of HTTP/1.1 that have had an answer, and which of them have been closed, in that order. */
const connectIdle = (running: Pick<Running, "target">, count: number) =>
  Effect.gen(function*() {
    const closed: Array<number> = []
    const clients: Array<RawClient> = []
    for (let nth = 0; nth < count; nth++) {
      const one = yield* client(running.target)
      one.socket.on("close", () => closed.push(nth))
      yield* send(one, get("/"))
      yield* answer(one)
      clients.push(one)
    }
    return { clients, closed }
  })

/** Its scope is still open, and so its listener goes on in a lame duck. */
const begin = ({ server }: Pick<Running, "server">) => Effect.forkDaemon(Effect.ignore(server.shutdown))

/** That many have been told, and no more. */
const untilTold = (told: ReadonlyArray<unknown>, count: number) =>
  Effect.tap(
    until(() => `${count} to be told, and ${told.length} are`, () => told.length >= count),
    () => Effect.sync(() => assert.lengthOf(told, count))
  )

const oneAfterTheOther = [0, 1, 2, 3].map((nth) => [nth, 1001] as const)

describe("WebSockets", () => {
  it.scoped("are told one after the other while the server drains, the oldest first", () =>
    Effect.gen(function*() {
      const { running } = yield* plain({ spread: "8 seconds" })
      const told = yield* connect(running, 4)
      yield* running.drain
      yield* untilTold(told, 1)
      for (const count of [2, 3, 4]) {
        yield* TestClock.adjust("1999 millis")
        assert.lengthOf(told, count - 1)
        yield* TestClock.adjust("1 millis")
        yield* untilTold(told, count)
      }
      assert.deepStrictEqual(told, oneAfterTheOther)
      assert.deepInclude(yield* reportOf(running.server.closed), { outcome: "Drained", forceClosed: [] })
    }))

  it.scoped("are told in the last part of a lame duck; who comes then is told while the server drains", () =>
    Effect.gen(function*() {
      const { running } = yield* plain({ lameDuck: "20 seconds", spread: "8 seconds" })
      const told = yield* connect(running, 4)
      yield* begin(running)
      yield* untilPhase(running.server, "LameDuck")
      yield* TestClock.adjust("11999 millis")
      assert.lengthOf(told, 0)
      yield* TestClock.adjust("1 millis")
      yield* untilTold(told, 1)
      const late = yield* connect(running, 1)
      for (const count of [2, 3, 4]) {
        yield* TestClock.adjust("2 seconds")
        yield* untilTold(told, count)
      }
      assert.deepStrictEqual(told, oneAfterTheOther)
      assert.lengthOf(late, 0)
      assert.strictEqual(yield* running.server.phase.get, "LameDuck")
      yield* TestClock.adjust("2 seconds")
      yield* untilTold(late, 1)
      assert.deepInclude(yield* reportOf(running.server.closed), { outcome: "Drained", forceClosed: [] })
    }))

  it.scoped("go on at the same pace where the lame duck is over before", () =>
    Effect.gen(function*() {
      const { running } = yield* plain({ lameDuck: "4 seconds", spread: "8 seconds" })
      const told = yield* connect(running, 4)
      yield* begin(running)
      yield* untilTold(told, 1)
      yield* TestClock.adjust("2 seconds")
      yield* untilTold(told, 2)
      yield* TestClock.adjust("2 seconds")
      yield* untilPhase(running.server, "Draining")
      yield* untilTold(told, 3)
      yield* TestClock.adjust("2 seconds")
      yield* untilTold(told, 4)
      assert.deepStrictEqual(told, oneAfterTheOther)
      yield* reportOf(running.server.closed)
    }))

  it.scoped("do not get a turn before its time because the lame duck is over", () =>
    Effect.gen(function*() {
      const { running } = yield* plain({ lameDuck: "5 seconds", spread: "8 seconds" })
      const told = yield* connect(running, 4)
      yield* begin(running)
      for (const count of [1, 2, 3]) {
        yield* untilTold(told, count)
        yield* TestClock.adjust(count === 3 ? "1 seconds" : "2 seconds")
      }
      yield* untilPhase(running.server, "Draining")
      yield* TestClock.adjust("999 millis")
      assert.lengthOf(told, 3)
      yield* TestClock.adjust("1 millis")
      yield* untilTold(told, 4)
      assert.deepStrictEqual(told, oneAfterTheOther)
      yield* reportOf(running.server.closed)
    }))

  it.scoped("have all been told when half of the timeout is over, however many have come meanwhile", () =>
    Effect.gen(function*() {
      const { running } = yield* plain({ lameDuck: "2 seconds", timeout: "4 seconds", spread: "4 seconds" })
      const told = yield* connect(running, 2)
      yield* begin(running)
      yield* untilTold(told, 1)
      const late = yield* connect(running, 6)
      yield* TestClock.adjust("2 seconds")
      yield* untilPhase(running.server, "Draining")
      // the turns of the drain have begun
      yield* untilTold(told, 2)
      yield* TestClock.adjust("2 seconds")
      yield* untilTold(late, 6)
      assert.deepInclude(yield* reportOf(running.server.closed), { outcome: "Drained", forceClosed: [] })
    }))

  it.scoped("are all told at once when `close` is called", () =>
    Effect.gen(function*() {
      const { running } = yield* plain({ spread: "8 seconds" })
      const told = yield* connect(running, 4)
      yield* running.drain
      yield* untilTold(told, 1)
      yield* running.server.close
      yield* untilTold(told, 4)
      assert.deepStrictEqual(told.map(([, code]) => code), [1001, 1001, 1001, 1001])
    }))

  const before = {
    "in a lame duck": (running: Pick<Running, "server">) =>
      Effect.zipRight(begin(running), untilPhase(running.server, "LameDuck")),
    "of a server that serves": () => Effect.void
  }
  for (const [when, reach] of Object.entries(before)) {
    it.scoped(`are told when \`close\` is called ${when}`, () =>
      Effect.gen(function*() {
        const { running } = yield* plain({ lameDuck: "20 seconds" })
        const told = yield* connect(running, 4)
        yield* reach(running)
        yield* running.server.close
        yield* untilTold(told, 4)
        assert.deepStrictEqual(told.map(([, code]) => code), [1001, 1001, 1001, 1001])
      }))
  }
})

describe("what a WebSocket is told", () => {
  const policy = { code: 1012, reason: "restart", message: "bye", grace: "5 seconds" } as const

  it.scoped("is a last message, and after its grace, in which it gets its answers, the close frame", () =>
    Effect.gen(function*() {
      const { running, sockets } = yield* plain({ webSocket: policy })
      sockets.on(
        "connection",
        (socket) => socket.on("message", (text: Buffer) => socket.send(`answer to ${text.toString()}`))
      )
      const told = yield* connect(running, 1)
      const [own] = sockets.clients
      const heard: Array<string> = []
      const peer = new WebSocket(`ws://127.0.0.1:${port(running)}`)
      peer.on("message", (message: Buffer) => heard.push(message.toString()))
      const closed = new Promise<string>((resolve) =>
        peer.on("close", (code, reason) => resolve(`${code} ${reason.toString()}`))
      )
      yield* Effect.promise(() => waitFor("the peer", new Promise((resolve) => peer.once("open", resolve)), limit))
      yield* running.drain
      yield* until("the last message", () => heard.length === 1)
      peer.send("a question")
      yield* until("the answer", () => heard.length === 2)
      yield* TestClock.adjust("4999 millis")
      assert.strictEqual(own?.readyState, WebSocket.OPEN)
      assert.lengthOf(told, 0)
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(yield* Effect.promise(() => waitFor("the close frame", closed, limit)), "1012 restart")
      assert.deepStrictEqual(heard, ["bye", "answer to a question"])
      yield* reportOf(running.server.closed)
    }))

  it.scoped("comes from each in its turn, and its close frame a grace later", () =>
    Effect.gen(function*() {
      const { running } = yield* plain({ spread: "8 seconds", webSocket: { ...policy, grace: "3 seconds" } })
      const said: Array<string> = []
      const told = yield* connect(running, 4, said)
      yield* running.drain
      yield* untilTold(said, 1)
      yield* TestClock.adjust("2 seconds")
      yield* untilTold(said, 2)
      assert.lengthOf(told, 0)
      yield* TestClock.adjust("1 seconds")
      yield* untilTold(told, 1)
      yield* TestClock.adjust("6 seconds")
      yield* untilTold(told, 4)
      assert.deepStrictEqual([told.map(([nth]) => nth), said], [[0, 1, 2, 3], ["0 bye", "1 bye", "2 bye", "3 bye"]])
      yield* reportOf(running.server.closed)
    }))

  const lasting = { lameDuck: "4 seconds", spread: "4 seconds" } as const

  it.scoped("comes once, and no grace begins anew where the lame duck is over before its end", () =>
    Effect.gen(function*() {
      const { running } = yield* plain({ ...lasting, webSocket: { ...policy, grace: "3 seconds" } })
      const said: Array<string> = []
      const told = yield* connect(running, 2, said)
      yield* begin(running)
      yield* untilTold(said, 1)
      yield* TestClock.adjust("2 seconds")
      yield* untilTold(said, 2)
      const late = yield* connect(running, 1, said)
      yield* TestClock.adjust("1 seconds")
      yield* untilTold(told, 1)
      yield* TestClock.adjust("1 seconds")
      yield* untilPhase(running.server, "Draining")
      // who has come meanwhile is told in the next turn, and has a grace of its own
      yield* untilTold(said, 3)
      yield* TestClock.adjust("999 millis")
      assert.lengthOf(told, 1)
      yield* TestClock.adjust("1 millis")
      yield* untilTold(told, 2)
      yield* TestClock.adjust("1999 millis")
      assert.lengthOf(late, 0)
      yield* TestClock.adjust("1 millis")
      yield* untilTold(late, 1)
      assert.deepStrictEqual(said, ["0 bye", "1 bye", "0 bye"])
      assert.strictEqual((yield* reportOf(running.server.closed)).outcome, "Drained")
    }))

  it.scoped("may be nothing, and its grace begins with its turn in the lame duck all the same", () =>
    Effect.gen(function*() {
      const { running } = yield* plain({ ...lasting, webSocket: { grace: "3 seconds" } })
      const told = yield* connect(running, 2)
      yield* begin(running)
      yield* untilPhase(running.server, "LameDuck")
      yield* TestClock.adjust("3 seconds")
      yield* untilTold(told, 1)
      yield* TestClock.adjust("1 seconds")
      yield* untilPhase(running.server, "Draining")
      yield* TestClock.adjust("1 seconds")
      yield* untilTold(told, 2)
      assert.strictEqual((yield* reportOf(running.server.closed)).outcome, "Drained")
    }))
})

describe("idle connections", () => {
  it.scoped("of HTTP/1.1 are closed one after the other, and those without a turn still served", () =>
    Effect.gen(function*() {
      const { running } = yield* plain({ spread: "6 seconds" })
      const { clients, closed } = yield* connectIdle(running, 3)
      yield* running.drain
      yield* untilTold(closed, 1)
      yield* TestClock.adjust("2 seconds")
      yield* untilTold(closed, 2)
      yield* send(clients[2]!, get("/"))
      yield* Effect.promise(() => clients[2]!.untilResponses(2, limit))
      yield* untilTold(closed, 3)
      assert.deepStrictEqual(closed, [0, 1, 2])
      const report = yield* reportOf(running.server.closed)
      assert.deepStrictEqual([report.outcome, report.served, report.connections.idleClosed], ["Drained", 1, 2])
    }))

  it.scoped("of HTTP/1.1 are closed during a lame duck", () =>
    Effect.gen(function*() {
      const { running } = yield* plain({ lameDuck: "6 seconds", spread: "6 seconds" })
      const { closed } = yield* connectIdle(running, 3)
      yield* begin(running)
      for (const count of [1, 2, 3]) {
        yield* untilTold(closed, count)
        yield* TestClock.adjust("2 seconds")
      }
      assert.deepStrictEqual(closed, [0, 1, 2])
      yield* reportOf(running.server.closed)
    }))

  it.scoped("of HTTP/2 are sent GOAWAY one after the other", () =>
    Effect.gen(function*() {
      const node = Http2.createServer((_, response) => void response.end("hello"))
      const running = yield* launched(node, { spread: "4 seconds" })
      const told: Array<number> = []
      for (const nth of [0, 1]) {
        const session = yield* Effect.acquireRelease(
          Effect.sync(() => Http2.connect(`http://127.0.0.1:${port(running)}`)),
          (session) => Effect.sync(() => session.destroy())
        )
        session.once("goaway", () => told.push(nth)).on("error", () => {})
        const stream = session.request().resume()
        stream.end()
        yield* Effect.promise(() =>
          waitFor("the answer", new Promise((resolve) => stream.once("close", resolve)), limit)
        )
      }
      yield* running.drain
      yield* untilTold(told, 1)
      yield* TestClock.adjust("1999 millis")
      assert.lengthOf(told, 1)
      yield* TestClock.adjust("1 millis")
      yield* untilTold(told, 2)
      assert.deepStrictEqual(told, [0, 1])
      assert.strictEqual((yield* reportOf(running.server.closed)).outcome, "Drained")
    }))
})

describe("event streams", () => {
  const streaming = Effect.sync(() =>
    HttpServerResponse.stream(Stream.encodeText(Stream.concat(Stream.make("data: 1\n\n"), Stream.never)), {
      contentType: "text/event-stream"
    })
  )

  const apps = {
    "of a plain handler": (policy: Shutdown.Policy) => Effect.map(plain(policy), ({ running }) => running),
    "of an Effect app": (policy: Shutdown.Policy) =>
      serving(streaming, { timeout: "60 seconds", idleGrace: 0, ...policy })
  }

  for (const [which, start] of Object.entries(apps)) {
    it.scoped(`${which} end one after the other, with when to come back`, () =>
      Effect.gen(function*() {
        const running = yield* start({ spread: "4 seconds", eventStreamRetry: "3 seconds" })
        const readers = yield* Effect.forEach([0, 1], () => client(running.target))
        for (const reader of readers) {
          yield* send(reader, get("/events"))
          yield* Effect.promise(() => reader.untilText("data: 1", limit))
        }
        yield* running.drain
        const first = yield* answer(readers[0]!)
        assert.strictEqual(first.body, "data: 1\n\nretry: 3000\n")
        yield* TestClock.adjust("1999 millis")
        assert.notInclude(readers[1]!.text(), "retry")
        yield* TestClock.adjust("1 millis")
        assert.strictEqual((yield* answer(readers[1]!)).body, "data: 1\n\nretry: 3000\n")
        const { endedStreams, outcome } = yield* reportOf(running.server.closed)
        assert.deepStrictEqual([outcome, endedStreams.length], ["Drained", 2])
      }))

    const reading = (running: Pick<Running, "target">) =>
      Effect.forEach([0, 1], () =>
        Effect.gen(function*() {
          const reader = yield* client(running.target)
          yield* send(reader, get("/events"))
          yield* Effect.promise(() => reader.untilText("data: 1", limit))
          return reader
        }))

    it.scoped(`${which}, read again over a connection that has had its turn, end in a turn of their own`, () =>
      Effect.gen(function*() {
        const running = yield* start({ lameDuck: "8 seconds", spread: "8 seconds", idleGrace: "20 seconds" })
        const readers = yield* reading(running)
        yield* begin(running)
        for (const reader of readers) {
          yield* answer(reader)
          yield* send(reader, get("/events"))
          yield* Effect.promise(() => reader.untilText(/data: 1[^]*connection: close[^]*data: 1/i, limit))
          assert.strictEqual(yield* running.server.phase.get, "LameDuck")
          yield* TestClock.adjust("4 seconds")
        }
        yield* untilPhase(running.server, "Draining")
        yield* responses(readers[0]!, 2)
        yield* TestClock.adjust("3999 millis")
        assert.lengthOf(readers[1]!.parsed().responses.filter(({ complete }) => complete), 1)
        yield* TestClock.adjust("1 millis")
        yield* responses(readers[1]!, 2)
        const { endedStreams, outcome } = yield* reportOf(running.server.closed)
        assert.deepStrictEqual([outcome, endedStreams.length], ["Drained", 4])
      }))

    it.scoped(`${which} that end in a lame duck have their connections closed behind them`, () =>
      Effect.gen(function*() {
        const running = yield* start({ lameDuck: "8 seconds", spread: "8 seconds", idleGrace: "1 second" })
        const [first, second] = yield* reading(running)
        yield* begin(running)
        yield* answer(first!)
        yield* untilStates(running.server, "Idle", "Active")
        yield* TestClock.adjust("999 millis")
        yield* untilStates(running.server, "Idle", "Active")
        yield* TestClock.adjust("1 millis")
        yield* ended(first!)
        assert.strictEqual(yield* running.server.phase.get, "LameDuck")
        yield* TestClock.adjust("7 seconds")
        yield* ended(second!)
        // and not by the timeout of Node
        const { connections, outcome } = yield* reportOf(running.server.closed)
        assert.deepStrictEqual([outcome, connections.idleClosed], ["Drained", 2])
      }))

    it.scoped(`${which}, read again while the server drains, end at once, and their connections with them`, () =>
      Effect.gen(function*() {
        const running = yield* start({ spread: "4 seconds", idleGrace: "20 seconds" })
        const [first, second] = yield* reading(running)
        yield* running.drain
        yield* answer(first!)
        yield* send(first!, get("/events"))
        const [, again] = yield* responses(first!, 2)
        assert.deepStrictEqual([again?.body.toString(), again?.headers["connection"]], ["data: 1\n\n", "close"])
        assert.lengthOf(second!.parsed().responses.filter(({ complete }) => complete), 0)
        yield* TestClock.adjust("2 seconds")
        yield* responses(second!, 1)
        yield* TestClock.adjust("20 seconds")
        assert.strictEqual((yield* reportOf(running.server.closed)).outcome, "Drained")
      }))
  }
})
