import { describe, expect, it } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import { createServer } from "node:http"
import { type Connection, Server } from "../../../src/index.js"
import { makeApp, servingHeld } from "../../support/handlers.js"
import { connect } from "../../support/rawClient.js"
import {
  answer,
  client,
  ended,
  get,
  idleAfterOne,
  real,
  remoteAddress,
  responses,
  send,
  serving,
  targetOf,
  until,
  untilStates
} from "../../support/running.js"

describe("connections", () => {
  it.scoped("says who is connected, doing what, since when", () =>
    Effect.gen(function*() {
      const { app, gate } = makeApp()
      const running = yield* serving(app)
      const idle = yield* idleAfterOne(running.target)
      yield* untilStates(running.server, "Idle")
      yield* TestClock.adjust("1 second")
      const held = yield* client(running.target)
      yield* untilStates(running.server, "Idle", "New")
      yield* TestClock.adjust("1 second")
      yield* send(held, get("/hold?n=1") + get("/hold?n=2"))
      yield* gate.untilStarted(2)
      yield* TestClock.adjust("1 second")
      expect(yield* running.server.connections).toEqual([
        {
          id: 1,
          state: "Idle",
          protocol: "http/1.1",
          secure: false,
          remoteAddress: remoteAddress(idle),
          connectedAt: 0,
          stateSince: 0,
          served: 1,
          inFlight: []
        },
        {
          id: 2,
          state: "Active",
          protocol: "http/1.1",
          secure: false,
          remoteAddress: remoteAddress(held),
          connectedAt: 1000,
          stateSince: 2000,
          served: 0,
          inFlight: [
            { method: "GET", path: "/hold?n=1", since: 2000 },
            { method: "GET", path: "/hold?n=2", since: 2000 }
          ]
        }
      ])
      yield* gate.open
      yield* responses(held, 2)
      yield* untilStates(running.server, "Idle", "Idle")
      expect((yield* running.server.connections)[1]).toMatchObject({ stateSince: 3000, served: 2, inFlight: [] })
    }))

  it.scoped("gives a snapshot, which does not change with the connection", () =>
    Effect.gen(function*() {
      const running = yield* serving(makeApp().app)
      const raw = yield* idleAfterOne(running.target)
      yield* untilStates(running.server, "Idle")
      const [before] = yield* running.server.connections
      const copy = structuredClone(before)
      yield* send(raw, get("/"))
      yield* responses(raw, 2)
      raw.leave()
      yield* untilStates(running.server)
      expect(before).toEqual(copy)
    }))
})

describe("observe", () => {
  it.scoped("is told every state, in order, until its scope closes", () =>
    Effect.gen(function*() {
      const running = yield* serving(makeApp().app)
      const seen: Array<string> = []
      const scope = yield* Scope.make()
      const observer = ({ id, state }: Connection.Connection) => void seen.push(`${id} ${state}`)
      yield* Scope.extend(running.server.observe(observer), scope)
      const raw = yield* idleAfterOne(running.target)
      yield* untilStates(running.server, "Idle")
      expect(seen).toEqual(["1 New", "1 Active", "1 Idle"])
      yield* Scope.close(scope, Exit.void)
      raw.leave()
      yield* untilStates(running.server)
      expect(seen).toHaveLength(3)
    }))

  it.scoped("may be called with the same function twice, and each is taken off by itself", () =>
    Effect.gen(function*() {
      const running = yield* serving(makeApp().app)
      let seen = 0
      const observer = () => void seen++
      const scope = yield* Scope.make()
      yield* Scope.extend(running.server.observe(observer), scope)
      yield* running.server.observe(observer)
      yield* client(running.target)
      yield* untilStates(running.server, "New")
      expect(seen).toBe(2)
      yield* Scope.close(scope, Exit.void)
      yield* client(running.target)
      yield* untilStates(running.server, "New", "New")
      expect(seen).toBe(3)
    }))
})

describe("events", () => {
  it.scoped("tell phases, connections and hooks, each with its time, and end when the server has closed", () =>
    Effect.gen(function*() {
      const running = yield* serving(makeApp().app, { lameDuck: "1 second" })
      const told: Array<string> = []
      const describeEvent = Server.Event.$match({
        PhaseChanged: ({ at, phase }) => `${phase} at ${at}`,
        ConnectionChanged: ({ connection }) => `${connection.id} ${connection.state} since ${connection.stateSince}`,
        BackgroundFailed: ({ name }) => `${name} failed`,
        HookEnded: ({ hook }) => `${hook.name} ${hook.outcome}`,
        AcceptFailed: ({ error }) => error.message
      })
      const reader = yield* Effect.fork(
        Stream.runForEach(running.server.events, (event) => Effect.sync(() => told.push(describeEvent(event))))
      )
      yield* running.server.onShutdown("fails", Effect.fail("on purpose"))
      yield* TestClock.adjust("1 second")
      const raw = yield* idleAfterOne(running.target)
      yield* untilStates(running.server, "Idle")
      yield* TestClock.adjust("1 second")
      raw.leave()
      yield* untilStates(running.server)
      yield* running.interrupt
      yield* until("the lame duck", () => told.some((event) => event.startsWith("LameDuck")))
      yield* TestClock.adjust("1 second")
      yield* running.report
      yield* real("the end of the events", Fiber.join(reader))
      expect(told).toEqual([
        "1 New since 1000",
        "1 Active since 1000",
        "1 Idle since 1000",
        "1 Closed since 2000",
        "LameDuck at 2000",
        "Draining at 3000",
        "fails Failed",
        "Closed at 3000"
      ])
    }))

  it.scoped("tell of a hook that the drain has waited for before they tell of the end", () =>
    Effect.gen(function*() {
      const server = yield* Server.make()
      const told: Array<string> = []
      const reader = yield* Effect.fork(
        Stream.runForEach(server.events, (event) => Effect.sync(() => told.push(event._tag)))
      )
      yield* server.onShutdown("takes its time", Effect.sleep("500 millis"))
      const report = yield* Effect.fork(server.shutdown)
      yield* until("the drain", () => told.length === 1)
      yield* TestClock.adjust("500 millis")
      yield* real("the report", Fiber.join(report))
      yield* real("the end of the events", Fiber.join(reader))
      expect(told).toEqual(["PhaseChanged", "HookEnded", "PhaseChanged"])
    }))

  it.scoped("end at once for who asks after the end", () =>
    Effect.gen(function*() {
      const server = yield* Server.make()
      yield* real("the shutdown", server.shutdown)
      const events = yield* real("the events", Stream.runCollect(server.events))
      expect(Chunk.toReadonlyArray(events)).toEqual([])
    }))
})

describe("setKeepAlives", () => {
  it.scoped("false: every answer says close, idle connections leave after their grace, and the server serves on", () =>
    Effect.gen(function*() {
      const running = yield* serving(makeApp().app)
      const idle = yield* idleAfterOne(running.target)
      yield* untilStates(running.server, "Idle")
      yield* running.server.setKeepAlives(false)
      const told = yield* idleAfterOne(running.target)
      expect(yield* answer(told)).toEqual({ status: 200, body: "ok", connection: "close" })
      expect(yield* ended(told)).toBe("fin")
      yield* untilStates(running.server, "Idle")
      expect(idle.ending).toBe("open")
      yield* TestClock.adjust("500 millis")
      expect(yield* ended(idle)).toMatch(/fin|reset/)
      expect(yield* running.server.phase.get).toBe("Serving")
      expect((yield* answer(yield* idleAfterOne(running.target))).status).toBe(200)
    }))

  it.scoped("true takes that back", () =>
    Effect.gen(function*() {
      const running = yield* serving(makeApp().app)
      const idle = yield* idleAfterOne(running.target)
      yield* untilStates(running.server, "Idle")
      yield* running.server.setKeepAlives(false)
      yield* running.server.setKeepAlives(true)
      yield* TestClock.adjust("1 minute")
      expect(idle.ending).toBe("open")
      yield* send(idle, get("/"))
      expect((yield* responses(idle, 2))[1]?.headers["connection"]).toBe("keep-alive")
    }))

  it.scoped("has no effect once a shutdown has begun", () =>
    Effect.gen(function*() {
      const { gate, held, running } = yield* servingHeld()
      yield* running.drain
      yield* running.server.setKeepAlives(true)
      yield* gate.open
      expect((yield* answer(held)).connection).toBe("close")
      expect((yield* running.report).outcome).toBe("Drained")
    }))
})

describe("a listener", () => {
  const listen = (server: Server.ServerService, body: string) =>
    server.listen(
      () => createServer((_, response) => void response.end(body)),
      { host: "127.0.0.1", port: 0 }
    )

  it.scoped("whose scope closes stops alone: its connections and the other listeners are served on", () =>
    Effect.gen(function*() {
      const server = yield* Server.make()
      const scope = yield* Scope.make()
      const first = targetOf((yield* Scope.extend(listen(server, "first"), scope)).address)
      const second = targetOf((yield* listen(server, "second")).address)
      const kept = yield* idleAfterOne(first)
      yield* untilStates(server, "Idle")
      yield* real("the scope", Scope.close(scope, Exit.void))
      expect((yield* Effect.promise(() => connect(first))).ending).toBe("refused")
      yield* TestClock.adjust("1 minute")
      yield* send(kept, get("/"))
      expect((yield* responses(kept, 2)).map(({ body }) => body.toString())).toEqual(["first", "first"])
      expect((yield* answer(yield* idleAfterOne(second))).body).toBe("second")
      expect(yield* server.phase.get).toBe("Serving")
    }))

  it.scoped("is closed by its `close`, once, and its connections are part of the drain", () =>
    Effect.gen(function*() {
      const server = yield* Server.make({ idleGrace: 0 })
      const listener = yield* listen(server, "ok")
      const kept = yield* idleAfterOne(targetOf(listener.address))
      yield* untilStates(server, "Idle")
      yield* real("both", Effect.all([listener.close, listener.close], { concurrency: "unbounded" }))
      yield* real("a third", listener.close)
      expect(kept.ending).toBe("open")
      const report = yield* real("the shutdown", server.shutdown)
      expect(report.connections).toEqual({ open: 1, accepted: 0, completed: 0, idleClosed: 1, cut: 0 })
    }))

  it.scoped("is refused with ServerClosed, and nothing is made, once a shutdown has begun", () =>
    Effect.gen(function*() {
      const server = yield* Server.make({ lameDuck: "1 minute" })
      yield* Effect.fork(server.shutdown)
      yield* real("the beginning", server.shuttingDown)
      let made = 0
      const refused = yield* Effect.flip(server.listen(() => {
        made++
        return createServer()
      }, { host: "127.0.0.1", port: 0 }))
      expect(refused).toMatchObject({ _tag: "ServerClosed", operation: "listen" })
      expect(refused.message).toContain("listen: this server has begun to shut down.")
      yield* server.close
      expect(yield* Effect.flip(listen(server, ""))).toMatchObject({ _tag: "ServerClosed" })
      expect(made).toBe(0)
    }))
})
