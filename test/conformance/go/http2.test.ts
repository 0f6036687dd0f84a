// Go's rules A11, F6 and H9 to H16: sessions and streams, and what ends them.
import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"
import * as Http2 from "node:http2"
import { makeApp } from "../../support/handlers.js"
import * as Frames from "../../support/http2Frames.js"
import { client, ended, real, send, until, untilStates } from "../../support/running.js"
import { pace } from "../../support/wait.js"
import { historyOf, untilRead, untilStopsListening } from "./harness.js"
import {
  frameOf,
  goawaysOf,
  type Handler,
  holding2,
  http2Client,
  type Observed2,
  ok,
  response2,
  serve2,
  serveApp,
  untilEnded,
  untilTaken,
  write
} from "./http2Harness.js"

/** Which error it is, Node's versions see differently. */
const lastErrorOf = (peer: Frames.FramesClient) => goawaysOf(peer).at(-1)?.[1]

/** The client is told of its error; and if its connection is open after that, a shutdown closes it. */
const endsWithItsError = (app: Observed2, peer: Frames.FramesClient) =>
  Effect.gen(function*() {
    yield* frameOf(peer, "GOAWAY")
    expect(lastErrorOf(peer)).toBeGreaterThan(Frames.code.noError)
    const stopping = yield* Effect.fork(app.stop)
    yield* untilStopsListening(app.node)
    yield* TestClock.adjust("1 second")
    yield* untilEnded(peer)
    expect(yield* Fiber.join(stopping)).toMatchObject({ outcome: "Drained", cut: [], forceClosed: [] })
  })

it.scoped("A11: a session is New, then Active and Idle with its preface, Active while it has streams, and Closed", () =>
  Effect.gen(function*() {
    const { handler, held, untilHeld } = holding2()
    const app = yield* serve2(handler)
    const peer = yield* http2Client(app, { settings: false })
    yield* app.history.until("New")
    yield* write(peer, Frames.preface, Frames.settings())
    yield* app.history.until("New,Active,Idle")
    yield* write(peer, Frames.request(1), Frames.request(3))
    yield* untilHeld(2)
    expect(yield* app.server.connections).toMatchObject([{
      protocol: "h2",
      state: "Active",
      inFlight: [{ stream: 1 }, { stream: 3 }]
    }])
    held[0]?.end()
    yield* response2(peer, 1)
    yield* until("the stream to close", () => Effect.runSync(app.server.connections)[0]?.inFlight.length === 1)
    yield* app.history.until("New,Active,Idle,Active")
    held[1]?.end()
    yield* app.history.until("New,Active,Idle,Active,Idle")
    peer.leave()
    yield* app.history.until("New,Active,Idle,Active,Idle,Closed")
  }))

it.scoped("F6: a defect is answered with 500 on its stream, and the others of its session go on", () =>
  Effect.gen(function*() {
    const { app, gate } = makeApp()
    const running = yield* serveApp(app)
    const peer = yield* http2Client(running)
    yield* write(peer, Frames.request(1, "/hold"), Frames.request(3, "/die"))
    expect((yield* response2(peer, 3)).status).toBe(500)
    yield* gate.open
    expect(yield* response2(peer, 1)).toEqual({ status: 200, body: "held" })
    expect(goawaysOf(peer)).toEqual([])
  }))

it.scoped("H9: the header Connection: close is dropped, and its session lives on", () =>
  Effect.gen(function*() {
    const app = yield* serve2((_, response) => {
      response.setHeader("Connection", "close")
      response.end("ok")
    })
    const peer = yield* http2Client(app)
    yield* write(peer, Frames.request(1))
    expect(yield* response2(peer, 1)).toEqual({ status: 200, body: "ok" })
    yield* write(peer, Frames.request(3))
    expect(yield* response2(peer, 3)).toEqual({ status: 200, body: "ok" })
    yield* untilTaken(peer)
    expect(goawaysOf(peer)).toEqual([])
  }))

const leaving: Handler = (request, response) => {
  if (request.url === "/leave") request.stream.session?.close()
  response.end("ok")
}

it.scoped("H9: a handler that closes its session has the streams in flight answered, and holds up no shutdown", () =>
  Effect.gen(function*() {
    const { handler, release, untilHeld } = holding2()
    const app = yield* serve2((request, response) => (request.url === "/" ? handler : leaving)(request, response))
    const peer = yield* http2Client(app, { keepHalfOpen: true })
    yield* write(peer, Frames.request(1))
    yield* untilHeld(1)
    yield* write(peer, Frames.request(3, "/leave"))
    expect(yield* response2(peer, 3)).toEqual({ status: 200, body: "ok" })
    yield* frameOf(peer, "GOAWAY")
    release()
    expect(yield* response2(peer, 1)).toEqual({ status: 200, body: "held" })
    yield* untilEnded(peer)
    expect(goawaysOf(peer)).toEqual([[3, 0]])
    // its client does not close its side
    const stopping = yield* Effect.fork(app.stop)
    yield* untilStopsListening(app.node)
    yield* TestClock.adjust("1 second")
    expect(yield* Fiber.join(stopping)).toMatchObject({
      outcome: "Drained",
      connections: { open: 1, completed: 1, idleClosed: 0, cut: 0 }
    })
  }))

/** What a Node server needs to be told for Go's IdleTimeout: without a listener it destroys the session. */
const closeWhenIdle = (node: Http2.Http2Server, millis: number) =>
  node.setTimeout(millis).on("timeout", (session: Http2.ServerHttp2Session) => session.close())

it.scoped("H10: an idle session is told and closed after the timeout of the server, whose listener says how", () =>
  Effect.gen(function*() {
    const app = yield* serve2(ok, { prepare: (node) => closeWhenIdle(node, 100) })
    const peer = yield* http2Client(app)
    yield* untilEnded(peer)
    expect(goawaysOf(peer)).toEqual([[0, 0]])
    yield* app.history.until("New,Active,Idle,Closed")
  }))

it.scoped("H11: a GOAWAY of the client starts the same: what is in flight is answered, then the session is closed", () =>
  Effect.gen(function*() {
    const { handler, release, untilHeld } = holding2()
    const app = yield* serve2(handler)
    const peer = yield* http2Client(app)
    yield* write(peer, Frames.request(1))
    yield* untilHeld(1)
    yield* write(peer, Frames.goaway())
    yield* frameOf(peer, "GOAWAY")
    release()
    expect(yield* response2(peer, 1)).toEqual({ status: 200, body: "held" })
    expect(yield* untilEnded(peer)).toBe("fin")
    yield* untilStates(app.server)
    expect((yield* app.stop).outcome).toBe("Drained")
  }))

it.scoped("H11: a client that says so, and does not close its side, holds up no shutdown", () =>
  Effect.gen(function*() {
    const app = yield* serve2(ok)
    const peer = yield* http2Client(app, { keepHalfOpen: true })
    yield* write(peer, Frames.request(1))
    yield* response2(peer, 1)
    yield* write(peer, Frames.goaway())
    expect(yield* untilEnded(peer)).toBe("fin")
    const stopping = yield* Effect.fork(app.stop)
    yield* untilStopsListening(app.node)
    yield* TestClock.adjust("1 second")
    expect(yield* Fiber.join(stopping)).toMatchObject({
      outcome: "Drained",
      connections: { open: 1, completed: 1, idleClosed: 0, cut: 0 }
    })
  }))

it.scoped("H12: after a second head on one stream the client is told of its error, and its connection is closed, in a drain as well", () =>
  Effect.gen(function*() {
    for (const inDrain of [false, true]) {
      const { handler, held, untilHeld } = holding2()
      const app = yield* serve2(handler)
      const peer = yield* http2Client(app)
      yield* write(peer, Frames.request(1))
      yield* untilHeld(1)
      if (inDrain) {
        yield* app.interrupt
        yield* frameOf(peer, "GOAWAY")
      }
      yield* write(peer, Frames.request(1))
      yield* untilEnded(peer)
      expect(lastErrorOf(peer)).toBeGreaterThan(Frames.code.noError)
      yield* untilStates(app.server)
      expect(held[0]?.stream.destroyed).toBe(true)
      const report = yield* inDrain ? app.report : app.stop
      expect(report).toMatchObject({ outcome: "Drained", cut: [], forceClosed: [] })
    }
  }))

it.scoped("H12: an error after which Node leaves the connection open holds up no shutdown", () =>
  Effect.gen(function*() {
    const app = yield* serve2(ok)
    const peer = yield* http2Client(app)
    yield* write(peer, Frames.request(1))
    yield* response2(peer, 1)
    // a PING of the wrong size
    yield* write(peer, Frames.frame("PING", 0, 0, Buffer.alloc(4)))
    yield* endsWithItsError(app, peer)
  }))

it.scoped("H13: a client whose preface or first SETTINGS do not come is New, and falls to the rule for those", () =>
  Effect.gen(function*() {
    const app = yield* serve2(ok)
    const silent = yield* client(app.target)
    const half = yield* client(app.target)
    yield* send(half, "PRI * HTTP/2.0\r\n\r\nSM")
    const withoutSettings = yield* client(app.target)
    yield* send(withoutSettings, Frames.preface.toString())
    yield* untilStates(app.server, "New", "New", "New")
    yield* untilRead(app, half)
    yield* untilRead(app, withoutSettings)
    const stopping = yield* Effect.fork(app.stop)
    yield* untilStopsListening(app.node)
    yield* TestClock.adjust("4999 millis")
    expect([silent.ending, half.ending, withoutSettings.ending]).toEqual(["open", "open", "open"])
    yield* TestClock.adjust("1 millis")
    for (const peer of [silent, half, withoutSettings]) yield* ended(peer)
    expect(yield* Fiber.join(stopping)).toMatchObject({
      outcome: "Drained",
      connections: { open: 3, idleClosed: 3, cut: 0 },
      forceClosed: []
    })
  }))

it.scoped("H14: a stream that its handler times out is reset alone", () =>
  Effect.gen(function*() {
    const { handler, release, untilHeld } = holding2()
    const app = yield* serve2((request, response) => {
      if (request.url === "/slow") {
        request.stream.setTimeout(100, () => request.stream.close(Http2.constants.NGHTTP2_INTERNAL_ERROR))
        request.stream.on("error", () => {})
      } else handler(request, response)
    })
    const peer = yield* http2Client(app)
    yield* write(peer, Frames.request(1), Frames.request(3, "/slow", { method: "POST", endStream: false }))
    yield* untilHeld(1)
    yield* app.interrupt
    expect(Frames.codeOf(yield* frameOf(peer, "RST_STREAM", 3))).toBe(Frames.code.internalError)
    release()
    expect(yield* response2(peer, 1)).toEqual({ status: 200, body: "held" })
    yield* untilEnded(peer)
    expect(yield* app.report).toMatchObject({ outcome: "Drained", served: 1, cut: [] })
  }))

it.scoped("H15: a peer that answers nothing any more, and reads nothing, is cut at the deadline and named", () =>
  Effect.gen(function*() {
    const app = yield* serve2((_, response) => response.end(Buffer.alloc(1024 * 1024)), {
      timeout: "30 seconds",
      killTimeout: "1 second"
    })
    const peer = yield* http2Client(app)
    yield* untilTaken(peer)
    peer.pause()
    yield* write(peer, Frames.request(1, "/dead"))
    yield* untilStates(app.server, "Active")
    const pinged = new Array<Error | null>()
    app.sessions[0]?.ping((error) => pinged.push(error))
    const stopping = yield* Effect.fork(app.stop)
    yield* untilStopsListening(app.node)
    yield* TestClock.adjust("29 seconds")
    expect(app.sockets[0]?.destroyed).toBe(false)
    expect(pinged).toEqual([])
    yield* TestClock.adjust("2 seconds")
    expect(yield* real("the report", Fiber.join(stopping))).toMatchObject({
      outcome: "DeadlineExceeded",
      cut: [{ path: "/dead", stream: 1, clientReceived: "truncated" }]
    })
    yield* until("the PING to fail", () => pinged.length === 1 && pinged[0] instanceof Error)
  }))

it.scoped("H16: when a connection dies its streams end, and their handlers are interrupted", () =>
  Effect.gen(function*() {
    const { app, gate } = makeApp()
    const running = yield* serveApp(app)
    const history = yield* historyOf(running.server)
    const peer = yield* http2Client(running)
    yield* write(peer, Frames.request(1, "/hold"), Frames.request(3, "/hold"))
    yield* gate.untilStarted(2)
    peer.leave()
    yield* until("both to be interrupted", () => gate.interrupted === 2)
    expect(history.of()).toBe("New,Active,Idle,Active,Closed")
    expect(yield* running.stop).toMatchObject({ outcome: "Drained", cut: [] })
  }))

it.scoped("H16: close tells the client of each stream, where Go cuts it without a word", () =>
  Effect.gen(function*() {
    const app = yield* serve2((request, response) => {
      if (request.url === "/begun") response.write("begun")
    })
    const peer = yield* http2Client(app)
    yield* write(peer, Frames.request(1, "/begun"), Frames.request(3, "/silent"))
    yield* frameOf(peer, "DATA", 1)
    const report = yield* real("close", app.server.close)
    expect(report).toMatchObject({ outcome: "Closed" })
    expect(report.cut).toMatchObject([{ stream: 1, clientReceived: "truncated" }, { stream: 3, clientReceived: "503" }])
    yield* untilEnded(peer)
    expect(yield* response2(peer, 3)).toEqual({ status: 503, body: "" })
    expect(Frames.codeOf(yield* frameOf(peer, "RST_STREAM", 1))).toBe(Frames.code.internalError)
    expect(peer.of("GOAWAY").length).toBeGreaterThan(0)
  }))

it.scoped("T22: TestServer_StateTransitions: a stream is open, half closed by its client, and closed", () =>
  Effect.gen(function*() {
    const { NGHTTP2_STREAM_STATE_HALF_CLOSED_REMOTE, NGHTTP2_STREAM_STATE_OPEN } = Http2.constants
    const states: Array<number | undefined> = []
    let stream: Http2.Http2Stream | undefined
    const app = yield* serve2((request, response) => {
      stream = request.stream
      states.push(stream.state.state)
      request.resume()
      request.on("end", () => {
        // the frame that ends it is being read
        setImmediate(() => {
          states.push(stream?.state.state)
          response.end()
        })
      })
    })
    const serving = () => Effect.runSync(app.server.connections).flatMap(({ inFlight }) => inFlight)
    const peer = yield* http2Client(app)
    yield* untilTaken(peer)
    expect(serving()).toEqual([])
    yield* write(peer, Frames.request(1, "/", { method: "POST", endStream: false }))
    yield* until("the request", () => states.length === 1)
    expect(serving()).toMatchObject([{ stream: 1, method: "POST" }])
    yield* write(peer, Frames.data(1, "body"))
    yield* response2(peer, 1)
    yield* until("the stream to close", () => stream?.destroyed)
    expect(states).toEqual([NGHTTP2_STREAM_STATE_OPEN, NGHTTP2_STREAM_STATE_HALF_CLOSED_REMOTE])
    expect(serving()).toEqual([])
    yield* app.history.until("New,Active,Idle,Active,Idle")
  }))

it.scoped("T99: TestServerHandlerConnectionClose: what comes on a session that its handler closed is ignored", () =>
  Effect.gen(function*() {
    const { handler, release, untilHeld } = holding2()
    let ran = 0
    const app = yield* serve2((request, response) => {
      ran++
      if (request.url === "/") request.stream.session?.close()
      handler(request, response)
    })
    const peer = yield* http2Client(app)
    yield* write(peer, Frames.request(1))
    yield* untilHeld(1)
    yield* frameOf(peer, "GOAWAY")
    // all that the connection may have under way, twice
    for (const stream of [3, 5]) {
      yield* write(
        peer,
        Frames.request(stream, "/late", { method: "POST", endStream: false }),
        ...Array.from({ length: 3 }, (_, index) => Frames.data(stream, Buffer.alloc(16 * 1024), index === 2))
      )
      yield* untilTaken(peer)
    }
    release()
    expect(yield* response2(peer, 1)).toEqual({ status: 200, body: "held" })
    expect(yield* untilEnded(peer)).toBe("fin")
    expect(ran).toBe(1)
    expect(goawaysOf(peer)).toEqual([[1, 0]])
    yield* untilStates(app.server)
  }))

it.scoped("T100: TestServerIdleTimeout_AfterRequest: a session that times out during a request is told, and answers it", () =>
  Effect.gen(function*() {
    const { handler, release, untilHeld } = holding2()
    const app = yield* serve2(handler, { prepare: (node) => closeWhenIdle(node, 100) })
    const peer = yield* http2Client(app)
    yield* write(peer, Frames.request(1))
    yield* untilHeld(1)
    yield* frameOf(peer, "GOAWAY")
    yield* Effect.promise(() => pace(300))
    expect(peer.ending).toBe("open")
    release()
    expect(yield* response2(peer, 1)).toEqual({ status: 200, body: "held" })
    expect(yield* untilEnded(peer)).toBe("fin")
    expect(goawaysOf(peer)).toEqual([[1, 0]])
  }))

it.scoped("T102: TestProtocolErrorAfterGoAway: a frame that is wrong closes a session that its client has taken leave of", () =>
  Effect.gen(function*() {
    const { handler, untilHeld } = holding2()
    const app = yield* serve2(handler)
    const peer = yield* http2Client(app)
    yield* write(peer, Frames.request(1))
    yield* untilHeld(1)
    yield* write(peer, Frames.goaway())
    yield* frameOf(peer, "GOAWAY")
    yield* write(peer, Frames.request(1))
    yield* untilEnded(peer)
    expect(lastErrorOf(peer)).toBeGreaterThan(Frames.code.noError)
    yield* untilStates(app.server)
  }))

it.scoped("T103: TestServer_Send_GoAway_After_Bogus_WindowUpdate: more than a window can hold is an error", () =>
  Effect.gen(function*() {
    const app = yield* serve2(ok)
    const peer = yield* http2Client(app)
    yield* write(peer, Frames.windowUpdate(0, 2 ** 31 - 1))
    // Node before 20.20 leaves the connection open
    yield* endsWithItsError(app, peer)
  }))
