// Go's TestServerShutdown and its neighbours: tests 1 to 4 of the list.
import { expect, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"
import * as Http from "node:http"
import { answer, client, ended, get, real, send, until, untilStates } from "../../support/running.js"
import { holding, loopback, serve, untilStopsListening } from "./harness.js"

it.scoped("T1: a shutdown leaves the request in flight alone, and when its hook has run a new request is refused", () =>
  Effect.gen(function*() {
    const { handler, release } = holding()
    const app = yield* serve(handler)
    const peer = yield* client(app.target)
    yield* send(peer, get("/"))
    yield* untilStates(app.server, "Active")
    let whileHookRan: string | undefined
    yield* app.server.onShutdown(
      "a new request",
      Effect.gen(function*() {
        whileHookRan = (yield* client(app.target)).ending
        release()
      }).pipe(Effect.scoped)
    )
    const report = yield* app.stop
    expect(whileHookRan).toBe("refused")
    expect(yield* answer(peer)).toEqual({ status: 200, body: "held", connection: "close" })
    expect(report).toMatchObject({ outcome: "Drained", served: 1, hooks: [{ outcome: "Succeeded" }] })
    expect(report.connections).toEqual({ open: 1, accepted: 0, completed: 1, idleClosed: 0, cut: 0 })
  }))

it.scoped("T2: a connection that never writes is waited for 5 seconds after its accept, and not less", () =>
  Effect.gen(function*() {
    const app = yield* serve((_, response) => response.end("ok"))
    const silent = yield* client(app.target)
    yield* untilStates(app.server, "New")
    yield* TestClock.adjust("2 seconds")
    const stopping = yield* Effect.fork(app.stop)
    yield* untilStopsListening(app.node)
    yield* TestClock.adjust("2999 millis")
    expect(silent.ending).toBe("open")
    expect(yield* Fiber.poll(stopping)).toMatchObject({ _tag: "None" })
    yield* TestClock.adjust("1 millis")
    expect(yield* ended(silent)).toBe("fin")
    const report = yield* real("the report", Fiber.join(stopping))
    expect(report).toMatchObject({ outcome: "Drained", forceClosed: [], connections: { idleClosed: 1, cut: 0 } })
    expect(Duration.toMillis(report.duration)).toBe(3000)
  }))

it.scoped("T3: a listen after the shutdown fails with ServerClosed, and leaves nothing that would have to be closed", () =>
  Effect.gen(function*() {
    const app = yield* serve((_, response) => response.end("ok"))
    yield* app.stop
    const node = Http.createServer()
    expect(yield* Effect.flip(app.server.listen(() => node, loopback))).toMatchObject({ _tag: "ServerClosed" })
    expect(node.listening).toBe(false)
    expect(node.eventNames()).toEqual(Http.createServer().eventNames())
  }))

it.scoped("T4: a shutdown closes the listener once", () =>
  Effect.gen(function*() {
    const app = yield* serve((_, response) => response.end("ok"))
    let closes = 0
    app.node.on("close", () => closes++)
    yield* app.stop
    yield* real("both, again", Effect.all([app.listener.close, Effect.ignore(app.server.shutdown)]))
    yield* until("its close", () => closes > 0)
    expect(closes).toBe(1)
  }))
