// Go's rules C1 to C5 and C8 to C10: when a connection is kept for its next request, and when its client is told.
import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/TestClock"
import * as Http from "node:http"
import type { RawClient } from "../../support/rawClient.js"
import {
  answer,
  client,
  ended,
  get,
  reportOf,
  responses,
  send,
  until,
  untilPhase,
  untilStates
} from "../../support/running.js"
import { hijack, holding, serve, untilRead, untilStopsListening, upgrade } from "./harness.js"

// Pins internal/node: disableKeepAlive, writeHead

const ok: Http.RequestListener = (_, response) => response.end("ok")

/** Sends a request, and returns what its answer says about the connection. */
const ask = (peer: RawClient, nth = 1) =>
  Effect.gen(function*() {
    yield* send(peer, get("/"))
    return (yield* responses(peer, nth))[nth - 1]?.headers["connection"]
  })

it.scoped("C1: connections are kept unless keep-alives are off, or a shutdown has begun", () =>
  Effect.gen(function*() {
    const { handler, held, release } = holding()
    const app = yield* serve((request, response) => {
      if (request.url === "/hold") handler(request, response)
      else response.end("ok")
    })
    const kept = yield* client(app.target)
    expect(yield* ask(kept)).toBe("keep-alive")
    yield* app.server.setKeepAlives(false)
    expect(yield* ask(yield* client(app.target))).toBe("close")
    yield* app.server.setKeepAlives(true)
    const again = yield* client(app.target)
    expect(yield* ask(again)).toBe("keep-alive")
    yield* send(again, get("/hold"))
    yield* until("the request", () => held.length === 1)
    yield* app.interrupt
    yield* untilStopsListening(app.node)
    // no effect once a shutdown has begun
    yield* app.server.setKeepAlives(true)
    release()
    expect((yield* responses(again, 2))[1]?.headers["connection"]).toBe("close")
    yield* app.report
  }))

it.scoped("C2: whether to close is decided when the head is written, whatever the handler says about it", () =>
  Effect.gen(function*() {
    const heads: ReadonlyArray<(response: Http.ServerResponse) => void> = [
      () => {},
      (response) => response.setHeader("Connection", "keep-alive"),
      (response) => response.writeHead(200, { connection: "keep-alive", "x-own": "1" }),
      (response) => response.writeHead(200, "Fine", { Connection: "keep-alive", "X-Own": "1" }),
      (response) => response.writeHead(200, ["X-Own", "1", "CONNECTION", "keep-alive"]),
      (response) => {
        response.setHeader("Connection", "keep-alive")
        response.writeHead(200, { "X-Own": "1" })
      }
    ]
    const held: Array<() => void> = []
    const app = yield* serve((request, response) => {
      held.push(() => {
        heads[Number(request.url?.slice(1))]!(response)
        response.end("ok")
      })
    })
    const peers = yield* Effect.forEach(heads, () => client(app.target))
    for (const [index, peer] of peers.entries()) yield* send(peer, get(`/${index}`))
    yield* until("all requests", () => held.length === heads.length)
    yield* app.interrupt
    yield* untilStopsListening(app.node)
    for (const answer of held) answer()
    for (const [index, peer] of peers.entries()) {
      const [response] = yield* responses(peer, 1)
      expect(response).toMatchObject({ status: 200, complete: true, headers: { connection: "close" } })
      expect(response?.headers["x-own"]).toBe(index < 2 ? undefined : "1")
      expect(yield* ended(peer)).toBe("fin")
    }
    expect(yield* app.report).toMatchObject({ outcome: "Drained", served: heads.length })
  }))

it.scoped("C3: an answer that switches protocols keeps its own Connection header", () =>
  Effect.gen(function*() {
    const app = yield* serve(ok, { prepare: hijack })
    yield* app.server.setKeepAlives(false)
    const upgraded = yield* client(app.target)
    yield* send(upgraded, upgrade)
    yield* upgradedWith(upgraded)
    yield* send(upgraded, "hello")
    yield* Effect.promise(() => upgraded.untilText("hello", 15_000))

    // a server that has no upgrade listener hands it to the request's
    const other = yield* serve((_, response) => {
      response.writeHead(101, { Connection: "Upgrade", Upgrade: "echo" })
      response.flushHeaders()
    })
    yield* other.server.setKeepAlives(false)
    const requested = yield* client(other.target)
    yield* send(requested, upgrade)
    yield* upgradedWith(requested)
  }))

const upgradedWith = (peer: RawClient) =>
  Effect.gen(function*() {
    yield* Effect.promise(() => peer.untilText("\r\n\r\n", 15_000))
    expect(peer.parsed().responses[0]).toMatchObject({
      status: 101,
      headers: { connection: "Upgrade", upgrade: "echo" }
    })
  })

it.scoped("C4: an answer whose head had left before the shutdown says nothing of it, and comes whole", () =>
  Effect.gen(function*() {
    const { app, finish, peer } = yield* headSent
    yield* app.interrupt
    yield* untilStopsListening(app.node)
    expect(peer.parsed().responses[0]?.complete).toBe(false)
    finish()
    const [response] = yield* responses(peer, 1)
    expect(response).toMatchObject({ complete: true, headers: { connection: "keep-alive" } })
    expect(response?.body.toString()).toBe("first last")
    yield* app.report
  }))

it.scoped("C5: after such an answer the connection goes Idle, and is closed without a word", () =>
  Effect.gen(function*() {
    const { app, finish, peer } = yield* headSent
    yield* app.interrupt
    yield* untilStopsListening(app.node)
    finish()
    yield* app.history.until("New,Active,Idle,Closed")
    expect(yield* ended(peer)).toBe("fin")
    expect(peer.parsed().responses).toHaveLength(1)
    expect((yield* app.report).connections).toMatchObject({ open: 1, idleClosed: 1, completed: 0 })
  }))

/** A request whose answer has begun. */
const headSent = Effect.gen(function*() {
  const begun: Array<Http.ServerResponse> = []
  const app = yield* serve((_, response) => {
    response.write("first ")
    begun.push(response)
  })
  const peer = yield* client(app.target)
  yield* send(peer, get("/"))
  yield* Effect.promise(() => peer.untilText("first", 15_000))
  return { app, peer, finish: () => begun.forEach((response) => response.end("last")) }
})

it.scoped("C8: pipelined requests that were received are all answered, in order, and the last answer says close", () =>
  Effect.gen(function*() {
    const { handler, held, release } = holding()
    const app = yield* serve((request, response) => {
      response.setHeader("X-Path", request.url ?? "")
      if (request.url === "/1") handler(request, response)
      else response.end("at once")
    })
    const peer = yield* client(app.target)
    yield* send(peer, get("/1"), get("/2"), get("/3"))
    yield* until("the first request", () => held.length === 1)
    yield* app.interrupt
    yield* untilStopsListening(app.node)
    expect(peer.bytes).toBe(0)
    release()
    const answers = yield* responses(peer, 3)
    expect(answers.map(({ headers }) => headers["x-path"])).toEqual(["/1", "/2", "/3"])
    expect(yield* ended(peer)).toBe("fin")
    expect((yield* app.report).served).toBe(3)
  }))

it.scoped("C8: with keep-alives off, only the last of the pipelined answers says close", () =>
  Effect.gen(function*() {
    const { handler, held, release } = holding()
    const app = yield* serve(handler)
    yield* app.server.setKeepAlives(false)
    const peer = yield* client(app.target)
    yield* send(peer, get("/1"), get("/2"), get("/3"))
    yield* until("the requests", () => held.length === 3)
    release()
    expect((yield* responses(peer, 3)).map(({ headers }) => headers["connection"])).toEqual([
      "keep-alive",
      "keep-alive",
      "close"
    ])
    expect(yield* ended(peer)).toBe("fin")
    yield* app.history.until("New,Active,Closed")
  }))

it.scoped("C9: turned off, they close what is idle and what has been new for 5 seconds; younger ones are served", () =>
  Effect.gen(function*() {
    const app = yield* serve(ok)
    const old = yield* client(app.target)
    yield* untilStates(app.server, "New")
    yield* TestClock.adjust("5001 millis")
    const young = yield* client(app.target)
    yield* untilStates(app.server, "New", "New")
    const idle = yield* client(app.target)
    yield* ask(idle)
    yield* untilStates(app.server, "New", "New", "Idle")
    yield* app.server.setKeepAlives(false)
    expect(yield* ended(old)).toBe("fin")
    expect(yield* ended(idle)).toBe("fin")
    yield* untilStates(app.server, "New")
    expect(yield* ask(young)).toBe("close")
    expect(yield* ended(young)).toBe("fin")
    expect(yield* app.server.phase.get).toBe("Serving")
  }))

it.scoped("C9: what is accepted while they are off is served, however long it takes to send, and without any grace", () =>
  Effect.gen(function*() {
    const app = yield* serve(ok, { newConnectionGrace: 0, idleGrace: "1 second" })
    const idle = yield* client(app.target)
    yield* ask(idle)
    yield* untilStates(app.server, "Idle")
    yield* app.server.setKeepAlives(false)
    const silent = yield* client(app.target)
    yield* untilStates(app.server, "Idle", "New")
    // the server looks at all of them when the grace of the idle one is over
    yield* TestClock.adjust("1 second")
    expect(yield* ended(idle)).toBe("fin")
    yield* TestClock.adjust("1 minute")
    yield* untilStates(app.server, "New")
    expect(yield* ask(silent)).toBe("close")
    yield* app.history.until("New,Active,Closed", 2)
  }))

it.scoped("C9: what was answered without the word, its head having left before, is closed when it goes idle", () =>
  Effect.gen(function*() {
    const { app, finish, peer } = yield* headSent
    yield* app.server.setKeepAlives(false)
    finish()
    expect((yield* responses(peer, 1))[0]).toMatchObject({ complete: true, headers: { connection: "keep-alive" } })
    expect(yield* ended(peer)).toBe("fin")
    yield* app.history.until("New,Active,Idle,Closed")
  }))

it.scoped("C10: turned on again, they keep connections, and none is closed for being idle or new", () =>
  Effect.gen(function*() {
    const app = yield* serve(ok)
    yield* app.server.setKeepAlives(false)
    const silent = yield* client(app.target)
    yield* untilStates(app.server, "New")
    yield* app.server.setKeepAlives(true)
    const kept = yield* client(app.target)
    expect(yield* ask(kept)).toBe("keep-alive")
    yield* TestClock.adjust("1 minute")
    expect(yield* ask(kept, 2)).toBe("keep-alive")
    expect(yield* ask(silent)).toBe("keep-alive")
    yield* untilStates(app.server, "Idle", "Idle")
  }))

it.scoped("C8: what was found while many were closed is not believed after a shutdown has interrupted that", () =>
  Effect.gen(function*() {
    const { handler, held, release } = holding()
    const app = yield* serve((request, response) => {
      if (request.url === "/hold") handler(request, response)
      else response.end("ok")
    }, { lameDuck: "1 minute" })
    // so many that closing them takes turns: on Effect 4 it is another turn in which the shutdown begins
    yield* Effect.forEach(Array.from({ length: 300 }), () => Effect.flatMap(client(app.target), (one) => ask(one)), {
      concurrency: 20
    })
    const peer = yield* client(app.target)
    yield* send(peer, get("/hold"))
    yield* until("the request", () => held.length === 1)
    yield* Effect.zipRight(app.server.setKeepAlives(false), Effect.forkDaemon(app.server.shutdown))
    yield* untilPhase(app.server, "LameDuck")
    const idle = () => Effect.runSync(app.server.connections).filter(({ state }) => state === "Idle").length
    yield* until("the first batch to be closed", () => idle() < 300)
    expect(idle()).toBeGreaterThan(0)
    const next = get("/")
    yield* send(peer, next.slice(0, 10))
    yield* untilRead(app, peer)
    release()
    yield* responses(peer, 1)
    yield* send(peer, next.slice(10))
    expect((yield* responses(peer, 2)).map(({ headers }) => headers["connection"])).toEqual(["keep-alive", "close"])
    yield* app.server.drainNow
    expect(yield* reportOf(app.server.closed)).toMatchObject({ outcome: "Drained", cut: [] })
  }))

it.scoped("T23: turning keep-alives off closes the idle connection of a client", () =>
  Effect.gen(function*() {
    const app = yield* serve(ok)
    const peer = yield* client(app.target)
    expect(yield* ask(peer)).toBe("keep-alive")
    yield* untilStates(app.server, "Idle")
    yield* app.server.setKeepAlives(false)
    expect(yield* ended(peer)).toBe("fin")
    yield* app.history.until("New,Active,Idle,Closed")
  }))

it.scoped("T24: with keep-alives off each request takes a new connection, and none is left between them", () =>
  Effect.gen(function*() {
    const app = yield* serve(ok)
    yield* app.server.setKeepAlives(false)
    const agent = new Http.Agent({ keepAlive: true, maxSockets: 1 })
    yield* Effect.addFinalizer(() => Effect.sync(() => agent.destroy()))
    for (let n = 1; n <= 3; n++) {
      const response = yield* Effect.promise(() => fetchWith(agent, app.target as { readonly port: number }))
      expect(response).toBe(200)
      yield* app.history.until("New,Active,Closed", n)
      expect(yield* app.server.connections).toEqual([])
    }
    expect(app.history.count("New")).toBe(3)
  }))

const fetchWith = (agent: Http.Agent, { port }: { readonly port: number }) =>
  new Promise<number | undefined>((resolve, reject) => {
    Http.get({ agent, host: "127.0.0.1", port }, (response) => {
      response.resume().on("end", () => resolve(response.statusCode))
    }).on("error", reject)
  })

it.scoped("T25: with keep-alives off the answer says close", () =>
  Effect.gen(function*() {
    const app = yield* serve(ok)
    yield* app.server.setKeepAlives(false)
    const peer = yield* client(app.target)
    yield* send(peer, get("/"))
    expect(yield* answer(peer)).toEqual({ status: 200, body: "ok", connection: "close" })
    expect(yield* ended(peer)).toBe("fin")
  }))
