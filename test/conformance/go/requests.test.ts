// Go's rules F4 to F9 and the tests beside them: how a request ends, its client's leaving, defects, half-closes.
import * as HttpMiddleware from "@effect/platform/HttpMiddleware"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as Schedule from "effect/Schedule"
import * as TestClock from "effect/TestClock"
import type * as Http from "node:http"
import { Connection, Shutdown } from "../../../src/index.js"
import * as HttpRouter from "../../support/effect/httpRouter.js"
import { makeApp, makeGate, servingHeld } from "../../support/handlers.js"
import {
  answer,
  client,
  ended,
  get,
  post,
  responses,
  send,
  serving,
  until,
  untilStates
} from "../../support/running.js"
import { historyOf, leave, serve, untilStopsListening } from "./harness.js"

const ok: Http.RequestListener = (_, response) => response.end("ok")

it.scoped("F4: the scope of a request closes when its handler has ended", () =>
  Effect.gen(function*() {
    const log: Array<string> = []
    const handler = Effect.gen(function*() {
      yield* Effect.addFinalizer(() => Effect.sync(() => log.push("released")))
      log.push("handled")
      return HttpServerResponse.text("ok")
    })
    const app = yield* serving(HttpRouter.empty.pipe(HttpRouter.get("/", handler)), Shutdown.goPolicy)
    const peer = yield* client(app.target)
    yield* send(peer, get("/"))
    yield* responses(peer, 1)
    yield* until("the release", () => log.length === 2)
    expect(log).toEqual(["handled", "released"])
    // the connection goes on
    yield* send(peer, get("/"))
    yield* responses(peer, 2)
    yield* until("the release", () => log.length === 4)
  }))

it.scoped("F5: a defect is answered with 500, its connection is used again, and no other one notices", () =>
  Effect.gen(function*() {
    const { app, gate } = makeApp()
    const running = yield* serving(app, Shutdown.goPolicy)
    const history = yield* historyOf(running.server)
    const other = yield* client(running.target)
    yield* send(other, get("/hold"))
    yield* gate.untilStarted(1)
    const peer = yield* client(running.target)
    yield* send(peer, get("/die"))
    yield* responses(peer, 1)
    yield* send(peer, get("/"))
    expect((yield* responses(peer, 2)).map(({ status }) => status)).toEqual([500, 200])
    yield* history.until("New,Active,Idle,Active,Idle", 2)
    yield* gate.open
    expect(yield* answer(other)).toMatchObject({ status: 200, body: "held" })
  }))

it.scoped("F5: a defect in a drain is answered with 500, and is no cut request", () =>
  Effect.gen(function*() {
    const gate = makeGate()
    const running = yield* serving(
      HttpRouter.empty.pipe(HttpRouter.get("/", Effect.zipRight(gate.pass, Effect.dieMessage("a defect")))),
      Shutdown.goPolicy
    )
    const peer = yield* client(running.target)
    yield* send(peer, get("/"))
    yield* gate.untilStarted(1)
    yield* running.interrupt
    yield* running.server.shuttingDown
    yield* gate.open
    expect(yield* answer(peer)).toMatchObject({ status: 500, connection: "close" })
    expect(yield* running.report).toMatchObject({ outcome: "Drained", cut: [], served: 1 })
  }))

it.scoped("T59: a handler is not interrupted before it has answered, and everything in its scope is gone after", () =>
  Effect.gen(function*() {
    const gate = makeGate()
    let released = 0
    const app = yield* serving(
      HttpRouter.empty.pipe(HttpRouter.get(
        "/",
        Effect.acquireRelease(Effect.void, () => Effect.sync(() => released++)).pipe(
          Effect.zipRight(gate.pass),
          Effect.as(HttpServerResponse.text("ok"))
        )
      )),
      Shutdown.goPolicy
    )
    const peer = yield* client(app.target)
    yield* send(peer, get("/"))
    yield* gate.untilStarted(1)
    expect(released).toBe(0)
    yield* gate.open
    yield* responses(peer, 1)
    yield* until("the release", () => released === 1)
    expect(gate).toMatchObject({ passed: 1, interrupted: 0 })
  }))

it.scoped("T60: a client that leaves has its handler interrupted", () =>
  Effect.gen(function*() {
    const { gate, held: peer, running } = yield* servingHeld(Shutdown.goPolicy)
    yield* leave(peer)
    yield* until("the interruption", () => gate.interrupted === 1)
    expect(gate.passed).toBe(0)
    expect(yield* running.stop).toMatchObject({ outcome: "Drained", cut: [] })
  }))

it.scoped("T64: what a handler attached to its connection is released when the client leaves", () =>
  Effect.gen(function*() {
    const gate = makeGate()
    let gone = 0
    const handler = Effect.gen(function*() {
      yield* Connection.once(Effect.addFinalizer(() => Effect.sync(() => gone++)))
      yield* gate.pass
      return HttpServerResponse.text("ok")
    })
    const app = yield* serving(HttpRouter.empty.pipe(HttpRouter.get("/", handler)), Shutdown.goPolicy)
    const peer = yield* client(app.target)
    yield* send(peer, get("/"))
    yield* gate.untilStarted(1)
    expect(gone).toBe(0)
    yield* leave(peer)
    yield* until("the release", () => gone === 1)
    expect(gate.interrupted).toBe(1)
  }))

it.scoped("T65: a pipelined request does not look like a client that leaves", () =>
  Effect.gen(function*() {
    const { gate, held: peer } = yield* servingHeld(Shutdown.goPolicy)
    yield* send(peer, get("/hold"))
    yield* gate.untilStarted(2)
    expect(gate.interrupted).toBe(0)
    yield* gate.open
    expect((yield* responses(peer, 2)).map(({ body }) => body.toString())).toEqual(["held", "held"])
  }))

it.scoped("T66: a hundred requests leave no more listeners on their connection than the first, in a drain as well", () =>
  Effect.gen(function*() {
    const app = yield* serve(ok)
    const peer = yield* client(app.target)
    const listeners = () => {
      const socket = app.sockets[0]!
      return socket.eventNames().map((name) => `${String(name)} ${socket.listenerCount(name)}`).sort()
    }
    yield* send(peer, get("/"))
    yield* responses(peer, 1)
    yield* untilStates(app.server, "Idle")
    const first = listeners()
    for (let n = 2; n <= 100; n++) {
      yield* send(peer, get("/"))
      yield* responses(peer, n)
    }
    yield* untilStates(app.server, "Idle")
    expect(listeners()).toEqual(first)
  }))

it.scoped("T67: a client that closes its side without a request gets no byte, and its connection is closed", () =>
  Effect.gen(function*() {
    const app = yield* serve(ok)
    const peer = yield* client(app.target, { keepHalfOpen: true })
    yield* untilStates(app.server, "New")
    peer.halfClose()
    expect(yield* ended(peer)).toBe("fin")
    expect(peer.bytes).toBe(0)
    yield* app.history.until("New,Closed")
  }))

it.scoped("T71: a defect is logged, and its client gets an error", () => {
  const logged: Array<string> = []
  return Effect.gen(function*() {
    const { app } = makeApp()
    const running = yield* serving(HttpMiddleware.logger(app), Shutdown.goPolicy)
    const peer = yield* client(running.target)
    yield* send(peer, get("/die"))
    expect((yield* answer(peer)).status).toBe(500)
    yield* until("the log", () => logged.some((cause) => cause.includes("a defect")))
  }).pipe(Effect.provide(Logger.add(Logger.make(({ cause }) => logged.push(String(cause))))))
})

const upload = "x".repeat(5 * 1024 * 1024)

/**
 * A client in the middle of an upload that does not read, and the 401 that it is about to get. Bytes that arrive when
 * the server has closed make the kernel answer with a reset, which destroys what the client has not read yet.
 */
const refusedUpload = Effect.gen(function*() {
  const { handler, held } = withhold(401)
  const app = yield* serve(handler)
  const peer = yield* client(app.target, { paused: true })
  const half = upload.length / 2
  void peer.write(post("/", upload).slice(0, -half))
  yield* until("the request", () => held.length === 1)
  const answerAndRead = Effect.gen(function*() {
    for (const answer of held) answer()
    yield* send(peer, upload.slice(-half))
    peer.resume()
    const [response] = yield* responses(peer, 1)
    return { status: response?.status, body: response?.body.toString(), connection: response?.headers["connection"] }
  })
  return { app, peer, answerAndRead }
})

const withhold = (status: number) => {
  const held: Array<() => void> = []
  const handler: Http.RequestListener = (_, response) => held.push(() => response.writeHead(status).end("no"))
  return { handler, held }
}

it.scoped("T85: a 401 to a client that is still sending 5 MB is received whole", () =>
  Effect.gen(function*() {
    const { answerAndRead, app, peer } = yield* refusedUpload
    expect(yield* answerAndRead).toEqual({ status: 401, body: "no", connection: "keep-alive" })
    yield* app.history.until("New,Active,Idle")
    expect(peer.errors).toEqual([])
  }))

it.scoped("T85: in a drain as well, where its connection is closed with it", () =>
  Effect.gen(function*() {
    const { answerAndRead, app, peer } = yield* refusedUpload
    yield* app.interrupt
    yield* untilStopsListening(app.node)
    expect(yield* answerAndRead).toEqual({ status: 401, body: "no", connection: "close" })
    expect(yield* ended(peer)).toBe("fin")
    expect(peer.errors).toEqual([])
    expect(yield* app.report).toMatchObject({ outcome: "Drained", served: 1, connections: { completed: 1 } })
  }))

it.scoped("T85: and with keep-alives off", () =>
  Effect.gen(function*() {
    const { answerAndRead, app, peer } = yield* refusedUpload
    yield* app.server.setKeepAlives(false)
    expect(yield* answerAndRead).toEqual({ status: 401, body: "no", connection: "close" })
    expect(yield* ended(peer)).toBe("fin")
    expect(peer.errors).toEqual([])
    yield* app.history.until("New,Active,Closed")
  }))

it.scoped("T85: a client that never closes its side is waited for half a second, also if keep-alives are on again", () =>
  Effect.gen(function*() {
    for (const again of [false, true]) {
      const app = yield* serve(ok)
      yield* app.server.setKeepAlives(false)
      const peer = yield* client(app.target, { keepHalfOpen: true })
      yield* send(peer, get("/"))
      expect(yield* ended(peer)).toBe("fin")
      if (again) yield* app.server.setKeepAlives(true)
      yield* TestClock.adjust("499 millis")
      expect(app.history.of()).toBe("New,Active")
      yield* TestClock.adjust("1 millis")
      yield* app.history.until("New,Active,Closed")
    }
  }))

it.scoped("T85: in a drain it is waited for as long, with no poll to find it", () =>
  Effect.gen(function*() {
    const { handler, held } = withhold(200)
    const app = yield* serve(handler, { pollSchedule: Schedule.stop })
    const peer = yield* client(app.target, { keepHalfOpen: true })
    yield* send(peer, get("/"))
    yield* until("the request", () => held.length === 1)
    yield* app.interrupt
    yield* untilStopsListening(app.node)
    for (const answer of held) answer()
    expect(yield* ended(peer)).toBe("fin")
    yield* TestClock.adjust("500 millis")
    expect(yield* app.report).toMatchObject({ outcome: "Drained", forceClosed: [], connections: { completed: 1 } })
  }))

it.scoped("T85: a connection that outlives the time without keep-alives is closed by its handler as before", () =>
  Effect.gen(function*() {
    const app = yield* serve((request, response) => {
      if (request.url === "/close") response.setHeader("Connection", "close")
      response.end("ok")
    })
    const peer = yield* client(app.target, { keepHalfOpen: true })
    yield* untilStates(app.server, "New")
    yield* app.server.setKeepAlives(false)
    yield* app.server.setKeepAlives(true)
    yield* send(peer, get("/"))
    expect((yield* answer(peer)).connection).toBe("keep-alive")
    yield* send(peer, get("/close"))
    expect((yield* responses(peer, 2))[1]?.headers["connection"]).toBe("close")
    yield* app.history.until("New,Active,Idle,Active,Closed")
  }))
