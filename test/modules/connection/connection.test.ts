import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import { Connection } from "../../../src/index.js"
import * as HttpRouter from "../../support/effect/httpRouter.js"
import { makeGate } from "../../support/handlers.js"
import {
  client,
  ended,
  get,
  remoteAddress,
  responses,
  send,
  serving,
  until,
  untilStates
} from "../../support/running.js"

const app = <E, R>(handler: Effect.Effect<unknown, E, R>) =>
  HttpRouter.empty.pipe(HttpRouter.get("/*", Effect.flatMap(handler, (value) => HttpServerResponse.json(value))))

const bodiesOf = (raw: Parameters<typeof responses>[0], count: number) =>
  Effect.map(responses(raw, count), (all) => all.map(({ body }): unknown => JSON.parse(body.toString())))

describe("Connection.current", () => {
  it.scoped("is the connection that the request came on, as it is then", () =>
    Effect.gen(function*() {
      const running = yield* serving(app(Connection.current))
      const raw = yield* client(running.target)
      yield* untilStates(running.server, "New")
      yield* TestClock.adjust("1 second")
      yield* send(raw, get("/first"))
      yield* responses(raw, 1)
      yield* untilStates(running.server, "Idle")
      yield* TestClock.adjust("1 second")
      yield* send(raw, get("/second?a=1"))
      const common = {
        id: 1,
        state: "Active",
        protocol: "http/1.1",
        secure: false,
        remoteAddress: remoteAddress(raw),
        connectedAt: 0
      }
      expect(yield* bodiesOf(raw, 2)).toEqual([
        { ...common, stateSince: 1000, served: 0, inFlight: [{ method: "GET", path: "/first", since: 1000 }] },
        { ...common, stateSince: 2000, served: 1, inFlight: [{ method: "GET", path: "/second?a=1", since: 2000 }] }
      ])
    }))

  it.scoped("fails with NoConnection where there is none", () =>
    Effect.gen(function*() {
      const request = HttpServerRequest.fromWeb(new Request("http://localhost/a"))
      const error = yield* Effect.flip(
        Effect.provideService(Connection.current, HttpServerRequest.HttpServerRequest, request)
      )
      expect(error).toMatchObject({ _tag: "NoConnection", method: "GET" })
      expect(error.message).toContain("did not come over a connection of this server")
    }))
})

describe("Connection.scope", () => {
  const handler = (log: Array<string>) =>
    Effect.gen(function*() {
      const { id, served } = yield* Connection.current
      yield* Scope.addFinalizer(yield* Connection.scope, Effect.sync(() => log.push(`${id}: ${served}`)))
      return served
    })

  it.scoped("closes when its client has left, and only then", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const running = yield* serving(app(handler(log)))
      const raw = yield* client(running.target)
      yield* send(raw, get("/"))
      yield* responses(raw, 1)
      yield* send(raw, get("/"))
      yield* responses(raw, 2)
      const other = yield* client(running.target)
      yield* send(other, get("/"))
      yield* responses(other, 1)
      expect(log).toEqual([])
      raw.leave()
      yield* until("the finalizers", () => log.length === 2)
      // the last attached is the first released
      expect(log).toEqual(["1: 1", "1: 0"])
      yield* Effect.all([running.stop, TestClock.adjust("500 millis")], { concurrency: "unbounded" })
      expect(log).toEqual(["1: 1", "1: 0", "2: 0"])
    }))

  it.scoped("stays open, when the connection was cut, for as long as a handler of it runs", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const gate = makeGate()
      const running = yield* serving(
        app(Effect.zipRight(handler(log), Effect.uninterruptible(gate.pass))),
        { timeout: "1 second", killTimeout: "1 second" }
      )
      const raw = yield* client(running.target)
      yield* send(raw, get("/"))
      yield* gate.untilStarted(1)
      yield* running.drain
      yield* TestClock.adjust("2 seconds")
      yield* running.report
      yield* ended(raw)
      // its handler ignores interruption, and may still use what is in the scope
      expect(log).toEqual([])
      yield* gate.open
      yield* until("the finalizer", () => log.length === 1)
    }))

  it.scoped("closes at once where something is attached by a handler that outlives its connection", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const gate = makeGate()
      const running = yield* serving(app(Effect.uninterruptible(Effect.zipRight(gate.pass, handler(log)))))
      const raw = yield* client(running.target)
      yield* send(raw, get("/"))
      yield* gate.untilStarted(1)
      raw.leave()
      yield* untilStates(running.server)
      yield* gate.open
      yield* until("the finalizer", () => log.length === 1)
    }))
})
