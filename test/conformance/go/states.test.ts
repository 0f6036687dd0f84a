// Go's rules A1 to A10: the states of a connection, and who sees them when.
import { expect, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as TestClock from "effect/TestClock"
import type * as Http from "node:http"
import { client, ended, get, real, responses, send, until, untilStates } from "../../support/running.js"
import { connectUnaccepted, hijack, leave, serve, untilRead, untilStopsListening, upgrade } from "./harness.js"

const ok: Http.RequestListener = (_, response) => response.end("ok")

it.scoped("A1: a connection is New, Active, Idle and at last Closed; a hijacked one ends Closed as well", () =>
  Effect.gen(function*() {
    const app = yield* serve(ok, { prepare: hijack })
    const keepAlive = yield* client(app.target)
    yield* send(keepAlive, get("/"))
    yield* app.history.until("New,Active,Idle")
    const upgraded = yield* client(app.target)
    yield* send(upgraded, upgrade)
    yield* untilStates(app.server, "Idle", "Hijacked")
    yield* leave(upgraded)
    yield* leave(keepAlive)
    yield* app.history.until("New,Active,Idle,Closed", 1)
    yield* app.history.until("New,Active,Hijacked,Closed", 2)
  }))

it.scoped("A2: every connection that the kernel had queued is seen New before the report is there", () =>
  Effect.gen(function*() {
    const app = yield* serve(ok, { newConnectionGrace: 0 })
    yield* connectUnaccepted(20, app.target, () => Effect.runFork(app.server.shutdown))
    const { connections } = yield* real("the report", app.server.closed)
    expect(app.history.count("New")).toBe(20)
    expect(connections.open + connections.accepted).toBe(20)
  }))

it.scoped("A3: a connection is listed before New is seen, and no longer when Closed is seen", () =>
  Effect.gen(function*() {
    const app = yield* serve(ok)
    const listed: Array<string> = []
    yield* app.server.observe(({ id, state }) => {
      const found = Effect.runSync(app.server.connections).find((connection) => connection.id === id)
      listed.push(`${state} ${found === undefined ? "unlisted" : found.state}`)
    })
    const peer = yield* client(app.target)
    yield* send(peer, get("/", "Connection: close"))
    yield* app.history.until("New,Active,Closed")
    expect(listed).toEqual(["New New", "Active Active", "Closed unlisted"])
  }))

it.scoped("A4: a connection that was accepted just now is too young to be closed, also when the clock shows 0", () =>
  Effect.gen(function*() {
    const app = yield* serve(ok)
    const peer = yield* client(app.target)
    yield* untilStates(app.server, "New")
    expect(app.history.seen[0]).toMatchObject({ connectedAt: 0, stateSince: 0 })
    yield* app.interrupt
    yield* untilStopsListening(app.node)
    yield* TestClock.adjust("4999 millis")
    expect(peer.ending).toBe("open")
    yield* TestClock.adjust("1 millis")
    expect(yield* ended(peer)).toBe("fin")
    expect((yield* app.report).connections.idleClosed).toBe(1)
  }))

it.scoped("A5: an observer is called inline: New while accepting, Active before the handler, Closed at the end", () =>
  Effect.gen(function*() {
    const order: Array<string> = []
    const app = yield* serve((_, response) => {
      order.push("handler")
      response.end("ok")
    }, { prepare: (node) => node.on("connection", () => order.push("accepted")) })
    yield* app.server.observe(({ state }) => order.push(state))
    const peer = yield* client(app.target)
    yield* send(peer, get("/", "Connection: close"))
    yield* app.history.until("New,Active,Closed")
    expect(order).toEqual(["New", "accepted", "Active", "handler", "Closed"])
  }))

it.scoped("A5: an observer that throws is logged, and takes neither the connection nor another observer with it", () => {
  const logged: Array<string> = []
  return Effect.gen(function*() {
    const app = yield* serve(ok)
    yield* app.server.observe(({ state }) => {
      throw new Error(`no ${state}`)
    })
    const seen: Array<string> = []
    yield* app.server.observe(({ state }) => seen.push(state))
    const peer = yield* client(app.target)
    yield* send(peer, get("/"))
    yield* responses(peer, 1)
    yield* app.history.until("New,Active,Idle")
    expect(seen).toEqual(["New", "Active", "Idle"])
    expect(logged).toEqual(seen.map((state) => `A connection observer threw: no ${state}`))
    expect((yield* app.stop).outcome).toBe("Drained")
    expect(seen).toEqual(["New", "Active", "Idle", "Closed"])
  }).pipe(Effect.provide(Logger.add(Logger.make(({ cause, message }) => {
    if (/observer/.test(String(message))) logged.push(`${String(message)}: ${Cause.prettyErrors(cause)[0]?.message}`)
  }))))
})

it.scoped("A6: a connection is Active when a head has been read whole: with half of its first it is New, of a later Idle", () =>
  Effect.gen(function*() {
    const app = yield* serve(ok)
    const peer = yield* client(app.target)
    const [half, rest] = ["GET / HTTP/1.1\r\nHo", "st: test\r\n\r\n"] as const
    yield* send(peer, half)
    yield* untilRead(app, peer)
    expect(app.history.of()).toBe("New")
    yield* send(peer, rest)
    yield* app.history.until("New,Active,Idle")
    yield* send(peer, half)
    yield* untilRead(app, peer)
    expect(app.history.of()).toBe("New,Active,Idle")
    yield* send(peer, rest)
    yield* app.history.until("New,Active,Idle,Active,Idle")
  }))

it.scoped("A7: a request that cannot be read makes its connection Active, and one that never came does not", () =>
  Effect.gen(function*() {
    const app = yield* serve(ok)
    const bogus = yield* client(app.target)
    yield* send(bogus, "BOGUS REQUEST\r\n\r\n")
    expect((yield* responses(bogus, 1))[0]).toMatchObject({ status: 400, complete: true })
    yield* app.history.until("New,Active,Closed")
    const silent = yield* client(app.target)
    yield* untilStates(app.server, "New")
    yield* leave(silent)
    yield* app.history.until("New,Closed", 2)
  }))

it.scoped("A7: a client that sent what cannot be read, and keeps its side open, does not hold a drain", () =>
  Effect.gen(function*() {
    const app = yield* serve(ok, {
      prepare: (node) =>
        node.on("clientError", (_, socket) => socket.end("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"))
    })
    const bogus = yield* client(app.target, { keepHalfOpen: true })
    yield* send(bogus, "BOGUS REQUEST\r\n\r\n")
    yield* responses(bogus, 1)
    yield* app.interrupt
    yield* untilStopsListening(app.node)
    yield* TestClock.adjust("500 millis")
    expect(yield* app.report).toMatchObject({ outcome: "Drained", forceClosed: [], cut: [] })
    expect(app.history.of()).toBe("New,Active,Closed")
  }))

it.scoped("A8: a connection that can be used again goes from Active to Idle, and one that cannot to Closed", () =>
  Effect.gen(function*() {
    const app = yield* serve(ok)
    const reusable = yield* client(app.target)
    yield* send(reusable, get("/"))
    yield* app.history.until("New,Active,Idle", 1)
    const once = yield* client(app.target)
    yield* send(once, get("/", "Connection: close"))
    yield* app.history.until("New,Active,Closed", 2)
    const old = yield* client(app.target)
    yield* send(old, "GET / HTTP/1.0\r\n\r\n")
    yield* app.history.until("New,Active,Closed", 3)
    yield* send(reusable, get("/", "Connection: close"))
    yield* app.history.until("New,Active,Idle,Active,Closed", 1)
  }))

it.scoped("A8: one whose client has gone before its answer could be written goes to Closed as well", () =>
  Effect.gen(function*() {
    const app = yield* serve(ok)
    for (let id = 1; id <= 50; id++) {
      const peer = yield* client(app.target, { paused: true })
      yield* send(peer, get("/"))
      yield* app.history.until("New,Active,Idle", id)
      peer.socket.write(get("/", "Connection: close"), peer.abort)
      yield* until("its end", () => app.history.of(id).endsWith("Closed"))
      // whether the second request came through before the reset is the kernel's to say
      expect(["New,Active,Idle,Closed", "New,Active,Idle,Active,Closed"]).toContain(app.history.of(id))
    }
    expect(app.history.count("Active")).toBeGreaterThan(50)
  }))

it.scoped("A9: Closed comes when the last byte of the answer has left, in a shutdown as well", () =>
  Effect.gen(function*() {
    const size = 16 * 1024 * 1024
    const app = yield* serve((_, response) => response.end(Buffer.alloc(size)))
    const slow = yield* client(app.target, { paused: true })
    yield* send(slow, get("/", "Connection: close"))
    yield* app.history.until("New,Active")
    const report = yield* Effect.fork(app.stop)
    yield* untilStopsListening(app.node)
    expect(app.history.of()).toBe("New,Active")
    expect(app.sockets[0]?.destroyed).toBe(false)
    slow.resume()
    const [response] = yield* responses(slow, 1)
    expect(response?.body.length).toBe(size)
    yield* app.history.until("New,Active,Closed")
    expect((yield* Fiber.join(report)).cut).toEqual([])
  }))

it.scoped("A10: Closed has been seen of all 500 idle connections when the report is there", () =>
  Effect.gen(function*() {
    const app = yield* serve(ok)
    const peers = yield* Effect.forEach(Array.from({ length: 500 }), () => client(app.target), { concurrency: 50 })
    yield* Effect.forEach(peers, (peer) => send(peer, get("/")), { discard: true })
    yield* Effect.forEach(peers, (peer) => responses(peer, 1), { concurrency: "unbounded", discard: true })
    yield* until("all to be Idle", () => app.history.count("Idle") === 500)
    const seen = yield* Deferred.make<number>()
    yield* Effect.fork(Effect.flatMap(
      app.server.shutdown,
      () => Effect.suspend(() => Deferred.succeed(seen, app.history.count("Closed")))
    ))
    expect(yield* real("the report", Deferred.await(seen))).toBe(500)
  }))

const closing: Http.RequestListener = (request, response) => {
  if (request.url === "/close") response.setHeader("Connection", "close")
  response.end("ok")
}

it.scoped("T20: each of the seven sequences of TestServerConnState is the one that Go prescribes", () =>
  Effect.gen(function*() {
    const app = yield* serve(closing, { prepare: hijack })
    const sequences: ReadonlyArray<readonly [sent: ReadonlyArray<string>, states: string]> = [
      [[get("/"), get("/close")], "New,Active,Idle,Active,Closed"],
      [[get("/"), get("/", "Connection: close")], "New,Active,Idle,Active,Closed"],
      [[upgrade], "New,Active,Hijacked,Closed"],
      // the one that panics after it has hijacked: F9
      [[], "New,Closed"],
      [["BOGUS REQUEST\r\n\r\n"], "New,Active,Closed"],
      [[get("/")], "New,Active,Idle,Closed"]
    ]
    for (const [index, [sent, states]] of sequences.entries()) {
      const id = index + 1
      const peer = yield* client(app.target)
      yield* until("New", () => app.history.of(id) === "New")
      for (const [nth, request] of sent.entries()) {
        yield* send(peer, request)
        if (request !== upgrade) yield* responses(peer, nth + 1)
        yield* until(`the end of ${request}`, () => /(Idle|Hijacked|Closed)$/.test(app.history.of(id)))
      }
      yield* leave(peer)
      yield* app.history.until(states, id)
    }
  }))

it.scoped("T21: every connection that the kernel had queued has been seen New by the time its listener has closed", () =>
  Effect.gen(function*() {
    const app = yield* serve(ok)
    const seen = yield* Deferred.make<number>()
    yield* connectUnaccepted(20, app.target, () => {
      Effect.runFork(Effect.flatMap(
        app.listener.close,
        () => Effect.suspend(() => Deferred.succeed(seen, app.history.count("New")))
      ))
    })
    expect(yield* real("the listener to close", Deferred.await(seen))).toBe(20)
  }))
