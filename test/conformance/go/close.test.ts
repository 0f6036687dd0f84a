// Go's rules E1 to E6: Close, which cuts everything now.
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { expect, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"
import * as Http from "node:http"
import { Server, Shutdown } from "../../../src/index.js"
import { makeApp, servingHeld } from "../../support/handlers.js"
import { answer, client, ended, get, real, send, serving, until, untilStates } from "../../support/running.js"
import { hijack, holding, leave, loopback, serve, untilStopsListening, upgrade } from "./harness.js"

const ok: Http.RequestListener = (_, response) => response.end("ok")

it.scoped("E1: close stops accepting and cuts every connection, in whatever state it is", () =>
  Effect.gen(function*() {
    const app = yield* serve((request, response) => {
      if (request.url === "/") response.end("ok")
      else if (request.url === "/begun") response.write("begun")
    }, { prepare: hijack })
    const requests = [undefined, get("/"), get("/silent"), get("/begun"), upgrade, "GET / HT"] as const
    const peers = yield* Effect.forEach(requests, () => client(app.target))
    for (const [index, request] of requests.entries()) if (request !== undefined) yield* send(peers[index]!, request)
    yield* untilStates(app.server, "New", "Idle", "Active", "Active", "Hijacked", "New")
    yield* Effect.promise(() => peers[3]!.untilText("begun", 15_000))
    const report = yield* real("the report", app.server.close)
    expect(app.node.listening).toBe(false)
    expect(app.history.count("Closed")).toBe(6)
    for (const peer of peers) yield* ended(peer)
    expect(report.outcome).toBe("Closed")
    expect(report.connections).toMatchObject({ open: 6, cut: 6, completed: 0 })
    expect(report.cut.map(({ clientReceived, path }) => `${path} ${clientReceived}`).sort()).toEqual([
      "/begun truncated",
      "/silent 503"
    ])
    expect(report.forceClosed.map(({ state }) => state).sort()).toEqual(["Hijacked", "Idle", "New", "New"])
    expect(yield* answer(peers[2]!)).toMatchObject({ status: 503, connection: "close" })
  }))

it.scoped("E2: close runs no hook, and is not held up by one that was registered", () =>
  Effect.gen(function*() {
    const app = yield* serve(ok, { killTimeout: "1 second" })
    let ran = 0
    yield* app.server.onShutdown("never", Effect.sync(() => ran++))
    const peer = yield* client(app.target)
    yield* send(peer, get("/"))
    yield* untilStates(app.server, "Idle")
    // the clock stands still
    const report = yield* real("the report", app.server.close)
    expect(ran).toBe(0)
    expect(report.hooks).toEqual([])
    expect(Duration.toMillis(report.duration)).toBe(0)
  }))

it.scoped("E2: close waits for handlers no longer than killTimeout", () =>
  Effect.gen(function*() {
    const { app, gate } = makeApp()
    const running = yield* serving(app, { killTimeout: "3 seconds" })
    const peer = yield* client(running.target)
    yield* send(peer, get("/stubborn"))
    yield* gate.untilStarted(1)
    const closing = yield* Effect.fork(running.server.close)
    yield* ended(peer)
    yield* TestClock.adjust("2999 millis")
    expect(yield* Fiber.poll(closing)).toMatchObject({ _tag: "None" })
    yield* TestClock.adjust("1 millis")
    const report = yield* real("the report", Fiber.join(closing))
    expect(report.handlers).toEqual({ interrupted: 1, abandoned: 1 })
    yield* gate.open
  }))

it.scoped("E3: close during a shutdown ends it, and all who wait get the same report", () =>
  Effect.gen(function*() {
    const { handler, held } = holding()
    const app = yield* serve(handler)
    const peer = yield* client(app.target)
    yield* send(peer, get("/"))
    yield* until("the request", () => held.length === 1)
    const shutdown = yield* Effect.fork(app.server.shutdown)
    yield* untilStopsListening(app.node)
    expect(yield* Fiber.poll(shutdown)).toMatchObject({ _tag: "None" })
    const report = yield* real("close", app.server.close)
    expect(report).toMatchObject({ outcome: "Closed", cut: [{ path: "/", clientReceived: "503" }] })
    expect(yield* real("the shutdown", Fiber.join(shutdown))).toBe(report)
    expect(yield* app.server.closed).toBe(report)
  }))

it.scoped("E3: close during a lame duck ends that as well", () =>
  Effect.gen(function*() {
    const app = yield* serve(ok, { lameDuck: "1 minute" })
    const shutdown = yield* Effect.fork(app.server.shutdown)
    yield* app.server.shuttingDown
    const report = yield* real("close", app.server.close)
    expect(report.outcome).toBe("Closed")
    expect(app.node.listening).toBe(false)
    expect(yield* real("the shutdown", Fiber.join(shutdown))).toBe(report)
  }))

it.scoped("E4: a handler that close cuts off is interrupted, and its finalizers run before the report", () =>
  Effect.gen(function*() {
    const { gate, running } = yield* servingHeld(Shutdown.goPolicy)
    const report = yield* real("the report", running.server.close)
    expect(gate).toMatchObject({ interrupted: 1, passed: 0 })
    expect(report).toMatchObject({ outcome: "Closed", handlers: { interrupted: 1, abandoned: 0 } })
  }))

it.scoped("E5: close may be called twice, at once, and on a server that never listened", () =>
  Effect.gen(function*() {
    const server = yield* Server.make()
    const [one, two] = yield* real("both", Effect.all([server.close, server.close], { concurrency: 2 }))
    expect(one).toBe(two)
    expect(one).toMatchObject({ outcome: "Closed", connections: { open: 0, cut: 0 } })
    expect(yield* real("a third", server.close)).toBe(one)
  }))

it.scoped("E6: after a close, shutdown returns its report and runs no hook, and listen fails", () =>
  Effect.gen(function*() {
    const app = yield* serve(ok)
    let ran = 0
    yield* app.server.onShutdown("early", Effect.sync(() => ran++))
    const report = yield* real("close", app.server.close)
    yield* app.server.onShutdown("late", Effect.sync(() => ran++))
    expect(yield* real("shutdown", app.server.shutdown)).toBe(report)
    expect(yield* Effect.flip(app.server.listen(() => Http.createServer(ok), loopback))).toMatchObject({
      _tag: "ServerClosed"
    })
    expect(yield* app.server.phase.get).toBe("Closed")
    expect(ran).toBe(0)
  }))

it.scoped("T5: closing a server twice that has nothing does not deadlock", () =>
  Effect.gen(function*() {
    const server = yield* Server.make(Shutdown.goPolicy)
    yield* real("one close", server.close)
    yield* real("another", server.close)
  }))

it.scoped("T15: close does not hang with one connection that is new and one that is idle", () =>
  Effect.gen(function*() {
    const app = yield* serve(ok)
    const fresh = yield* client(app.target)
    const idle = yield* client(app.target)
    yield* send(idle, get("/"))
    yield* untilStates(app.server, "New", "Idle")
    const report = yield* real("the report", app.server.close)
    expect(report).toMatchObject({ cut: [], connections: { open: 2, cut: 2 } })
    yield* ended(fresh)
    yield* ended(idle)
  }))

it.scoped("T16: after a close, a request on an old connection fails, and a new connection is refused", () =>
  Effect.gen(function*() {
    const app = yield* serve(ok)
    const peer = yield* client(app.target)
    yield* send(peer, get("/"))
    expect((yield* answer(peer)).status).toBe(200)
    yield* real("close", app.server.close)
    yield* send(peer, get("/"))
    yield* ended(peer)
    expect(peer.parsed().responses).toHaveLength(1)
    expect((yield* client(app.target)).ending).toBe("refused")
  }))

it.scoped("T17: a handler that closes its own server gets no answer through, and there is no deadlock", () =>
  Effect.gen(function*() {
    let server: Server.ServerService | undefined
    const app = Effect.gen(function*() {
      yield* server!.close
      return HttpServerResponse.text("never")
    })
    for (const handler of [app, Effect.interruptible(app)]) {
      const running = yield* serving(handler, Shutdown.goPolicy)
      server = running.server
      const peer = yield* client(running.target)
      yield* send(peer, get("/"))
      yield* ended(peer)
      expect(peer.text()).not.toContain("never")
      expect(yield* real("the report", running.server.closed)).toMatchObject({
        outcome: "Closed",
        cut: [{ path: "/" }]
      })
    }
  }))

it.scoped("T18: a connection that is taken over and closed while the server closes harms neither", () =>
  Effect.gen(function*() {
    for (let round = 0; round < 20; round++) {
      const app = yield* serve(ok, {
        prepare: (node) => node.on("upgrade", (_, socket) => void setImmediate(() => socket.destroy()))
      })
      const peer = yield* client(app.target)
      yield* Effect.fork(send(peer, upgrade))
      if (round % 2 === 0) yield* until("the upgrade", () => app.history.count("Hijacked") === 1)
      const report = yield* real("the report", app.server.close)
      expect(report.outcome).toBe("Closed")
      expect(app.history.count("Closed")).toBe(app.history.count("New"))
      yield* leave(peer)
    }
  }))

it.scoped("T19: a server whose one listener could not be bound can be closed", () =>
  Effect.gen(function*() {
    const server = yield* Server.make(Shutdown.goPolicy)
    const unbound = yield* Effect.flip(server.listen(() => Http.createServer(), { path: "/nowhere/at/all" }))
    expect(unbound).toMatchObject({ _tag: "ListenError", reason: "NotFound" })
    expect(yield* real("the report", server.close)).toMatchObject({ outcome: "Closed" })
  }))
