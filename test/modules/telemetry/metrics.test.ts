import { describe, expect, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import * as Http from "node:http"
import { Metrics, Server, type Shutdown } from "../../../src/index.js"
import { registrySnapshot } from "../../../src/internal/effect/metrics.js"
import { withLabel } from "../../support/effect/metrics.js"
import { makeApp } from "../../support/handlers.js"
import {
  client,
  get,
  idleAfterOne,
  responses,
  send,
  serving,
  silent,
  targetOf,
  until,
  untilStates
} from "../../support/running.js"

// The metrics of a server are read off it now and again: they are there for whatever reads Effect's registry.

/** What Effect's registry says of one server: by name, and by name and labels where there are any. */
const read = (server: string): Readonly<Record<string, number>> =>
  Object.fromEntries(
    Effect.runSync(registrySnapshot).flatMap(({ labels, name: full, state }) => {
      if (!labels.some(([key, value]) => key === "server" && value === server)) return []
      const others = labels.filter(([key]) => key !== "unit" && key !== "server").map(([key, value]) =>
        `${key}=${value}`
      )
      const name = `${full.replace("quiesce_", "")}${others.length === 0 ? "" : `{${others.sort().join()}}`}`
      if (state.kind === "counter") return [[name, Number(state.count)]]
      if (state.kind === "gauge") return [[name, Number(state.value)]]
      if (state.kind === "histogram") return [[`${name}.count`, state.count], [`${name}.sum`, state.sum]]
      return []
    })
  )

const watched = (server: Server.ServerService, options: Parameters<typeof Metrics.layer>[0]) =>
  Layer.build(Layer.provide(Metrics.layer(options), Layer.succeed(Server.Server, server)))

describe("metrics", () => {
  it.scoped("show at each interval who is connected and what is in flight, and between them nothing", () =>
    Effect.gen(function*() {
      const { app, gate } = makeApp()
      const { server, stop, target } = yield* serving(app, { newConnectionGrace: 0, idleGrace: 0 })
      yield* watched(server, { server: "interval", interval: "10 seconds" })
      yield* client(target)
      yield* idleAfterOne(target)
      yield* send(yield* client(target), get("/hold"))
      yield* gate.untilStarted(1)
      yield* untilStates(server, "New", "Idle", "Active")
      expect(read("interval")).toMatchObject({ "requests_in_flight": 0, "requests_served_total": 0 })
      yield* TestClock.adjust("10 seconds")
      expect(read("interval")).toMatchObject({
        "connections{protocol=http/1.1,state=New}": 1,
        "connections{protocol=http/1.1,state=Idle}": 1,
        "connections{protocol=http/1.1,state=Active}": 1,
        "connections_accepted_total": 3,
        "connections_force_closed_total": 0,
        "requests_in_flight": 1,
        "requests_served_total": 1,
        "requests_cut_total{client_received=503}": 0,
        "accept_errors_total": 0,
        "phase{phase=Serving}": 1,
        "phase{phase=Draining}": 0
      })
      yield* gate.open
      yield* untilStates(server, "New", "Idle", "Idle")
      expect(read("interval")).toMatchObject({ "requests_in_flight": 1, "requests_served_total": 1 })
      yield* TestClock.adjust("10 seconds")
      expect(read("interval")).toMatchObject({
        "connections{protocol=http/1.1,state=Active}": 0,
        "connections{protocol=http/1.1,state=Idle}": 2,
        "requests_in_flight": 0,
        "requests_served_total": 2
      })
      yield* stop
    }).pipe(Effect.provide(silent)))

  it.scoped("show a shutdown to its end, also where their layer is released before it begins", () =>
    Effect.gen(function*() {
      const { app, gate } = makeApp()
      const { drain, report, server, target } = yield* serving(app, {
        timeout: "10 seconds",
        newConnectionGrace: "5 minutes"
      })
      const scope = yield* Scope.make()
      yield* Scope.extend(watched(server, { server: "end" }), scope)
      yield* server.onShutdown("flush", Effect.sleep("2 seconds"))
      yield* server.onShutdown("notify", Effect.fail("nobody there"))
      yield* client(target)
      yield* send(yield* client(target), get("/hold"))
      yield* gate.untilStarted(1)
      yield* Scope.close(scope, yield* Effect.exit(Effect.void))
      yield* TestClock.adjust("60 seconds")
      const still = read("end")
      yield* drain
      yield* until(
        () => `draining to be seen: ${JSON.stringify(read("end"))}`,
        () => read("end")["phase{phase=Draining}"] === 1
      )
      expect(still).toMatchObject({ "phase{phase=Draining}": 0 })
      yield* TestClock.adjust("2 seconds")
      yield* TestClock.adjust("8 seconds")
      const { outcome } = yield* report
      // it is all there when the report is
      expect(outcome).toBe("DeadlineExceeded")
      expect(read("end")).toMatchObject({
        "connections{protocol=http/1.1,state=Active}": 0,
        "connections{protocol=http/1.1,state=New}": 0,
        "requests_in_flight": 0,
        "requests_cut_total{client_received=503}": 1,
        "connections_force_closed_total": 1,
        "phase{phase=Closed}": 1,
        "phase{phase=Draining}": 0,
        "shutdown_duration_seconds{outcome=DeadlineExceeded}.count": 1,
        "drain_duration_seconds{outcome=DeadlineExceeded}.sum": 10,
        "hook_duration_seconds{hook=flush,outcome=Succeeded}.sum": 2,
        "hook_duration_seconds{hook=notify,outcome=Failed}.count": 1
      })
    }).pipe(Effect.provide(silent)))

  it.scoped("stand still when their layer has been released and the server serves on", () =>
    Effect.gen(function*() {
      const { server, stop, target } = yield* serving(makeApp().app, { idleGrace: 0 })
      yield* Effect.scoped(watched(server, { server: "released", interval: "1 second" }))
      // its last look
      yield* TestClock.adjust("1 second")
      yield* idleAfterOne(target)
      yield* TestClock.adjust("30 seconds")
      expect(read("released")).toMatchObject({ "connections_accepted_total": 0, "requests_served_total": 0 })
      yield* stop
      expect(read("released")).toMatchObject({ "connections_accepted_total": 1, "requests_served_total": 1 })
    }).pipe(Effect.provide(silent)))

  it.scoped("tell the servers of one process apart", () =>
    Effect.gen(function*() {
      const names = () => {
        const servers = Effect.runSync(registrySnapshot).flatMap(({ labels }) =>
          labels.flatMap(([name, value]) => name === "server" ? [value] : [])
        )
        return [...new Set(servers)].filter((name) => /^\d+$/.test(name))
      }
      // other tests of this process have had theirs
      const others = new Set(names())
      const first = yield* serving(makeApp().app, { idleGrace: 0 })
      const second = yield* serving(makeApp().app, { idleGrace: 0 })
      for (const { server } of [first, second]) yield* watched(server, { interval: "1 second" })
      yield* idleAfterOne(first.target)
      yield* idleAfterOne(second.target)
      yield* idleAfterOne(second.target)
      yield* TestClock.adjust("1 second")
      expect(names().filter((name) => !others.has(name)).map((name) => read(name)["connections_accepted_total"]))
        .toEqual([1, 2])
      yield* first.stop
      yield* second.stop
    }).pipe(Effect.provide(silent)))

  it.scoped("count the connections that the system could not accept, and no more protocols than there are", () =>
    Effect.gen(function*() {
      const server = yield* Server.make({ idleGrace: 0, killTimeout: 0, timeout: 0 })
      yield* watched(server, { server: "odd", interval: "1 second" })
      const node = Http.createServer().on("upgrade", (_, socket) => void socket.write("HTTP/1.1 101 Fine\r\n\r\n"))
      const { address } = yield* server.listen(() => node, { port: 0, host: "127.0.0.1" })
      node.emit("error", Object.assign(new Error("too many open files"), { code: "EMFILE" }))
      for (const protocol of ["a", "b", "websocket"]) {
        yield* send(
          yield* client(targetOf(address)),
          get("/", "Connection: upgrade", `Upgrade: ${protocol}`)
        )
      }
      yield* untilStates(server, "Hijacked", "Hijacked", "Hijacked")
      yield* TestClock.adjust("1 second")
      expect(read("odd")).toMatchObject({
        "accept_errors_total": 1,
        "connections{protocol=other,state=Hijacked}": 2,
        "connections{protocol=websocket,state=Hijacked}": 1
      })
      yield* server.close
    }).pipe(Effect.provide(silent)))

  it.scoped("refuse an interval that is none", () =>
    Effect.gen(function*() {
      const { server, stop } = yield* serving(makeApp().app, { idleGrace: 0 })
      for (const interval of [0, -1, "1 millis", Infinity] as const) {
        const error: Shutdown.InvalidPolicy = yield* Effect.flip(watched(server, { interval }))
        expect(error.message).toMatch(/^interval is .*, and must be /)
      }
      yield* stop
    }).pipe(Effect.provide(silent)))

  it.scoped("leave a stand-in for a server alone", () =>
    Effect.gen(function*() {
      const { server } = yield* serving(makeApp().app, { idleGrace: 0 })
      const context = yield* watched({ ...server, connections: Effect.succeed([]) }, { server: "copy" })
      expect(read("copy")).not.toEqual({})
      const { close, shuttingDown } = server
      const standIn = { close, shuttingDown } as Server.ServerService
      expect(Context.merge(context, yield* watched(standIn, { server: "stand-in" }))).toBeDefined()
      expect(read("stand-in")).toEqual({})
      yield* close
    }).pipe(Effect.provide(silent)))

  it.scoped("are written with the labels that are around", () =>
    Effect.gen(function*() {
      const { server, stop, target } = yield* serving(makeApp().app, { idleGrace: 0 })
      yield* withLabel("region", "north")(watched(server, { server: "labels", interval: "1 second" }))
      const idle = yield* idleAfterOne(target)
      yield* responses(idle, 1)
      yield* TestClock.adjust("1 second")
      expect(read("labels")["requests_served_total{region=north}"]).toBe(1)
      yield* stop
    }).pipe(Effect.provide(silent)))
})
