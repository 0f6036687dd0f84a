// Go's rules B1 to B11: tracking listeners, and when a server accepts.
import { expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Http from "node:http"
import { Server, Shutdown } from "../../../src/index.js"
import { portOf } from "../../support/nodeServer.js"
import { answer, client, get, real, responses, send, targetOf, until } from "../../support/running.js"
import { holding, loopback, serve, temporarySocket, untilStopsListening } from "./harness.js"

const ok: Http.RequestListener = (_, response) => response.end("ok")

const makeServer = Effect.gen(function*() {
  const server = yield* Server.make(Shutdown.goPolicy)
  yield* Effect.addFinalizer(() => server.close)
  return server
})

it.scoped("B1: a listener is refused from the moment a shutdown has begun, while requests are still served", () =>
  Effect.gen(function*() {
    const { handler, release } = holding()
    const app = yield* serve(handler)
    const peer = yield* client(app.target)
    yield* send(peer, get("/"))
    yield* app.history.until("New,Active")
    yield* app.interrupt
    yield* app.server.shuttingDown
    const refused = yield* Effect.flip(app.server.listen(() => Http.createServer(ok), loopback))
    expect(refused).toMatchObject({ _tag: "ServerClosed", operation: "listen" })
    release()
    expect((yield* answer(peer)).status).toBe(200)
    yield* app.report
  }))

it.scoped("B2: a listener closes once, whoever asks: itself, its scope, a shutdown, a close, all at the same time", () =>
  Effect.gen(function*() {
    const server = yield* makeServer
    const node = Http.createServer(ok)
    let closes = 0
    node.on("close", () => closes++)
    const scope = yield* Scope.make()
    const listener = yield* Scope.extend(server.listen(() => node, loopback), scope)
    yield* real(
      "all who ask",
      Effect.all([listener.close, listener.close, Scope.close(scope, Exit.void), server.shutdown, server.close], {
        concurrency: "unbounded"
      })
    )
    yield* listener.close
    yield* until("its close", () => closes > 0)
    expect(closes).toBe(1)
    expect(node.listening).toBe(false)
  }))

it.scoped("B3: a listen that a shutdown overtakes fails with ServerClosed, and what it has bound is closed", () =>
  Effect.gen(function*() {
    const server = yield* makeServer
    const node = Http.createServer(ok)
    const bound = new Promise<void>((resolve) => node.once("listening", resolve))
    // binding a host takes a turn of the event loop
    const listening = yield* Effect.fork(Effect.flip(server.listen(() => node, loopback)))
    yield* Effect.yieldNow()
    yield* server.shutdown
    expect(yield* real("the refusal", Fiber.join(listening))).toMatchObject({ _tag: "ServerClosed" })
    yield* real("the binding", Effect.promise(() => bound))
    expect(node.listening).toBe(false)
  }))

it.scoped("B4: after a shutdown or a close, listen is refused without binding, and no Node server is made", () =>
  Effect.gen(function*() {
    for (const stop of ["shutdown", "close"] as const) {
      const server = yield* makeServer
      yield* server[stop]
      let made = 0
      const listen = server.listen(() => {
        made++
        return Http.createServer(ok)
      }, loopback)
      expect(yield* Effect.flip(listen)).toMatchObject({ _tag: "ServerClosed", operation: "listen" })
      expect(made).toBe(0)
    }
  }))

it.scoped("B5: one server serves several listeners, TCP and Unix, and one shutdown closes them all", () =>
  Effect.gen(function*() {
    const path = yield* temporarySocket
    const server = yield* makeServer
    const nodes = [Http.createServer(ok), Http.createServer(ok), Http.createServer(ok)] as const
    const targets = [
      targetOf((yield* server.listen(() => nodes[0], loopback)).address),
      targetOf((yield* server.listen(() => nodes[1], loopback)).address),
      targetOf((yield* server.listen(() => nodes[2], { path })).address)
    ]
    expect(targets[2]).toEqual({ path })
    for (const target of targets) {
      const peer = yield* client(target)
      yield* send(peer, get("/"))
      expect((yield* answer(peer)).body).toBe("ok")
    }
    expect((yield* server.connections).map(({ remoteAddress }) => remoteAddress.replace(/\d+$/, "PORT"))).toEqual([
      "127.0.0.1:PORT",
      "127.0.0.1:PORT",
      "unknown"
    ])
    const report = yield* real("the report", server.shutdown)
    expect(report.connections).toMatchObject({ open: 3, idleClosed: 3 })
    for (const target of targets) expect((yield* client(target)).ending).toBe("refused")
  }))

it.scoped("B6: a listener closes with its scope, alone: its connections and the other listeners are served on", () =>
  Effect.gen(function*() {
    const app = yield* serve(ok)
    const scope = yield* Scope.make()
    const { address } = yield* Scope.extend(app.server.listen(() => Http.createServer(ok), loopback), scope)
    const peer = yield* client(targetOf(address))
    yield* send(peer, get("/"))
    yield* responses(peer, 1)
    yield* real("the scope of the listener", Scope.close(scope, Exit.void))
    expect((yield* client(targetOf(address))).ending).toBe("refused")
    expect(yield* app.server.phase.get).toBe("Serving")
    yield* send(peer, get("/"))
    expect((yield* responses(peer, 2))[1]?.headers["connection"]).toBe("keep-alive")
    const other = yield* client(app.target)
    yield* send(other, get("/"))
    expect(yield* answer(other)).toMatchObject({ status: 200, connection: "keep-alive" })
    expect((yield* app.stop).connections.idleClosed).toBe(2)
  }))

it.scoped("B6: a Node server that its owner closes by hand ends neither the other listeners nor the shutdown", () =>
  Effect.gen(function*() {
    const app = yield* serve(ok)
    const byHand = Http.createServer(ok)
    yield* app.server.listen(() => byHand, loopback)
    yield* real("its close", Effect.promise(() => new Promise((resolve) => byHand.close(resolve))))
    const other = yield* client(app.target)
    yield* send(other, get("/"))
    expect((yield* answer(other)).status).toBe(200)
    expect((yield* app.stop).outcome).toBe("Drained")
  }))

it.scoped("B6: what is in flight on a Node server that its owner closes by hand is answered, and close waits for it", () =>
  Effect.gen(function*() {
    const app = yield* serve(ok)
    let finish = () => {}
    const byHand = Http.createServer((_, response) => {
      finish = () => response.end("finished")
      response.write("begun, ")
    })
    const { address } = yield* app.server.listen(() => byHand, loopback)
    const busy = yield* client(targetOf(address))
    yield* send(busy, get("/"))
    yield* Effect.promise(() => busy.untilText("begun", 15_000))
    const calls: Array<string> = []
    byHand.close(() => calls.push("first"))
    byHand.close(() => calls.push("second"))
    yield* until("the listener to have closed", () => !byHand.listening)
    expect((yield* client(targetOf(address))).ending).toBe("refused")
    expect([yield* app.server.phase.get, ...calls]).toEqual(["Serving"])
    finish()
    expect((yield* responses(busy, 1))[0]?.body.toString()).toBe("begun, finished")
    busy.leave()
    yield* until("its close to have called back", () => calls.length === 2)
    expect(yield* app.server.phase.get).toBe("Serving")
    expect((yield* app.stop).outcome).toBe("Drained")
  }))

it.scoped("B6: the last Node server that is closed by hand takes the server with it, however the others have closed", () =>
  Effect.gen(function*() {
    const app = yield* serve(ok)
    const byHand = Http.createServer(ok)
    yield* app.server.listen(() => byHand, loopback)
    const listener = yield* app.server.listen(() => Http.createServer(ok), loopback)
    yield* real("its close", Effect.promise(() => new Promise((resolve) => byHand.close(resolve))))
    yield* real("the close of the listener", listener.close)
    expect(yield* app.server.phase.get).toBe("Serving")
    app.node.close()
    expect((yield* real("the report", app.server.closed)).outcome).toBe("Drained")
  }))

const emfile = () => Object.assign(new Error("accept EMFILE"), { code: "EMFILE", errno: -24, syscall: "accept" })

it.scoped("B7: an accept error is told as an event, and the listener goes on", () =>
  Effect.gen(function*() {
    const app = yield* serve(ok)
    const told: Array<Server.Event> = []
    yield* Effect.fork(Stream.runForEach(app.server.events, (event) => Effect.sync(() => told.push(event))))
    const error = emfile()
    yield* until("the event", () => app.node.emit("error", error) && told.length > 0)
    expect(told[0]).toEqual({ _tag: "AcceptFailed", error })
    const peer = yield* client(app.target)
    yield* send(peer, get("/"))
    expect((yield* answer(peer)).status).toBe(200)
  }))

it.scoped("B8: an accept error holds up neither a shutdown nor a close: there is no pause to sleep out", () =>
  Effect.gen(function*() {
    for (const stop of ["shutdown", "close"] as const) {
      const app = yield* serve(ok)
      for (let i = 0; i < 12; i++) app.node.emit("error", emfile())
      // the clock stands still
      const report = yield* real(stop, app.server[stop])
      expect(Duration.toMillis(report.duration)).toBe(0)
    }
  }))

it.scoped("B9: the listener closes when a shutdown starts; Server.launch ends when the shutdown has", () =>
  Effect.gen(function*() {
    const { handler, release } = holding()
    const node = Http.createServer(handler)
    const ready = yield* Deferred.make<Server.ServerService>()
    const listening = Layer.scopedDiscard(Effect.flatMap(
      Server.Server,
      (server) => Effect.zipRight(server.listen(() => node, loopback), Deferred.succeed(ready, server))
    ))
    const launched = yield* Effect.fork(
      Server.launch(Layer.provideMerge(listening, Server.layer(Shutdown.goPolicy)))
    )
    const server = yield* real("the listener", Deferred.await(ready))
    const peer = yield* client({ port: portOf(node) })
    yield* send(peer, get("/"))
    yield* until("the request", () => Effect.runSync(server.connections)[0]?.state === "Active")
    yield* Effect.fork(server.shutdown)
    yield* untilStopsListening(node)
    expect(yield* Fiber.poll(launched)).toEqual(Option.none())
    release()
    expect(yield* answer(peer)).toMatchObject({ status: 200, connection: "close" })
    expect(yield* real("launch to end", Fiber.join(launched))).toMatchObject({ outcome: "Drained", served: 1 })
  }))

it.scoped("B10: a server is not used again: every later listen fails, and shutdown and close repeat the first report", () =>
  Effect.gen(function*() {
    for (const [first, second] of [["shutdown", "close"], ["close", "shutdown"]] as const) {
      const app = yield* serve(ok)
      const report = yield* real(first, app.server[first])
      for (let i = 0; i < 2; i++) {
        expect(yield* Effect.flip(app.server.listen(() => Http.createServer(ok), loopback))).toMatchObject({
          _tag: "ServerClosed"
        })
      }
      expect(yield* real(second, app.server[second])).toBe(report)
      expect(yield* app.server.phase.get).toBe("Closed")
    }
  }))

it.scoped("T7: two listens at once, a hundred times, and each server answers on both", () =>
  Effect.gen(function*() {
    for (let round = 0; round < 100; round++) {
      const server = yield* Server.make(Shutdown.goPolicy)
      const listen = server.listen(() => Http.createServer(ok), loopback)
      const listeners = yield* Effect.all([listen, listen], { concurrency: 2 })
      if (round % 10 === 0) {
        for (const { address } of listeners) {
          const peer = yield* client(targetOf(address))
          yield* send(peer, get("/", "Connection: close"))
          expect((yield* answer(peer)).status).toBe(200)
        }
      }
      expect((yield* real("the report", server.shutdown)).outcome).toBe("Drained")
    }
  }))
