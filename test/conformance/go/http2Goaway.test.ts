// Go's rules H1 to H8: how a session is asked to leave, and when it has left.
import { expect, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"
import * as Http2 from "node:http2"
import { certificate } from "../../support/certificate.js"
import * as Frames from "../../support/http2Frames.js"
import { client, until, untilStates } from "../../support/running.js"
import { pace } from "../../support/wait.js"
import { serveNode, untilStopsListening } from "./harness.js"
import {
  frameOf,
  goawaysOf,
  type Handler,
  holding2,
  http2Client,
  ok,
  response2,
  serve2,
  untilEnded,
  untilTaken,
  write
} from "./http2Harness.js"

// Pins internal/node: sessionGoaway

it.scoped("H1: every session has been told to leave when the first hook runs", () =>
  Effect.gen(function*() {
    const app = yield* serve2(ok)
    const peer = yield* http2Client(app)
    yield* write(peer, Frames.request(1))
    yield* response2(peer, 1)
    const [session] = app.sessions
    let said = 0
    const { goaway } = session!
    session!.goaway = (...args) => {
      said++
      return Reflect.apply(goaway, session, args)
    }
    let told: number | undefined
    yield* app.server.onShutdown(
      "look",
      Effect.sync(() => {
        told = said
      })
    )
    expect((yield* app.stop).hooks).toMatchObject([{ outcome: "Succeeded" }])
    expect(told).toBe(1)
  }))

it.scoped("H2: every session is told, once: idle, busy, with many streams, and never used", () =>
  Effect.gen(function*() {
    const { handler, release, untilHeld } = holding2()
    const app = yield* serve2((request, response) =>
      request.url === "/" ? ok(request, response) : handler(request, response)
    )
    const peers = yield* Effect.forEach(Array.from({ length: 4 }), () => http2Client(app))
    const [idle, busy, many, unused] = peers as [
      Frames.FramesClient,
      Frames.FramesClient,
      Frames.FramesClient,
      Frames.FramesClient
    ]
    yield* write(idle, Frames.request(1))
    yield* response2(idle, 1)
    yield* write(busy, Frames.request(1, "/hold"))
    yield* write(many, Frames.request(1, "/hold"), Frames.request(3, "/hold"), Frames.request(5, "/hold"))
    yield* untilHeld(4)
    yield* untilTaken(unused)
    yield* app.interrupt
    yield* untilStopsListening(app.node)
    yield* TestClock.adjust("50 millis")
    yield* Effect.forEach(peers, (peer) => frameOf(peer, "GOAWAY"))
    release()
    yield* Effect.forEach(peers, untilEnded)
    expect(peers.map(goawaysOf)).toEqual([[[1, 0]], [[1, 0]], [[5, 0]], [[0, 0]]])
    expect(yield* app.report).toMatchObject({ outcome: "Drained", forceClosed: [], connections: { open: 4, cut: 0 } })
  }))

it.scoped("H2: none is told before the socket has closed, where its next connection could be reset", () =>
  Effect.gen(function*() {
    const { handler, release, untilHeld } = holding2()
    const app = yield* serve2((request, response) =>
      request.url === "/" ? ok(request, response) : handler(request, response)
    )
    const idle = yield* http2Client(app)
    yield* write(idle, Frames.request(1))
    yield* response2(idle, 1)
    const busy = yield* http2Client(app)
    yield* write(busy, Frames.request(1, "/hold"))
    yield* untilHeld(1)
    const listening: Array<boolean> = []
    for (const session of app.sessions) {
      const { goaway } = session
      session.goaway = (...args) => {
        listening.push(app.node.listening)
        return Reflect.apply(goaway, session, args)
      }
    }
    const stopped = yield* Effect.fork(app.server.shutdown)
    yield* Effect.forEach([idle, busy], (peer) => frameOf(peer, "GOAWAY"))
    release()
    yield* Effect.forEach([idle, busy], untilEnded)
    yield* Fiber.join(stopped)
    expect(listening).toEqual([false, false])
  }))

it.scoped("H3: one GOAWAY, which names the highest stream seen and no error; Node repeats it before its FIN", () =>
  Effect.gen(function*() {
    const { handler, release, untilHeld } = holding2()
    const app = yield* serve2(handler)
    const peer = yield* http2Client(app)
    yield* write(peer, Frames.request(1), Frames.request(3), Frames.request(9))
    yield* untilHeld(3)
    yield* app.interrupt
    yield* frameOf(peer, "GOAWAY")
    yield* untilTaken(peer)
    expect(peer.of("HEADERS")).toEqual([])
    expect(peer.of("GOAWAY")).toHaveLength(1)
    release()
    yield* untilEnded(peer)
    expect(goawaysOf(peer)).toEqual([[9, Frames.code.noError]])
    expect(peer.of("GOAWAY").length).toBeLessThanOrEqual(2)
    yield* app.report
  }))

// Node refuses streams of a session that is closed by itself, and while GOAWAY is to be written Node 20 does so in memory
// that it has freed.
it.scoped("H4: streams that come while GOAWAY is being written are dropped with it", () =>
  Effect.gen(function*() {
    const { handler, held, release, untilHeld } = holding2()
    const app = yield* serve2(handler)
    const peer = yield* http2Client(app)
    yield* write(peer, Frames.request(1))
    yield* untilHeld(1)
    const [session] = app.sessions
    const { goaway } = session!
    let written: boolean | undefined
    session!.goaway = (...args) => {
      Reflect.apply(goaway, session, args)
      written = session?.closed
      void peer.write(...Array.from({ length: 50 }, (_, index) => Frames.request(3 + 2 * index)))
    }
    yield* app.interrupt
    yield* frameOf(peer, "GOAWAY")
    yield* untilTaken(peer)
    expect(written).toBe(false)
    expect(held).toHaveLength(1)
    expect(session!.closed).toBe(true)
    release()
    expect(yield* response2(peer, 1)).toEqual({ status: 200, body: "held" })
    yield* untilEnded(peer)
    expect(peer.of("RST_STREAM")).toEqual([])
    expect(goawaysOf(peer)).toEqual([[1, Frames.code.noError]])
    yield* app.report
  }))

it.scoped("H4: streams above that are ignored and never executed, and give their share of the flow control back", () =>
  Effect.gen(function*() {
    const bodies: Array<string> = []
    const app = yield* serve2((request, response) => {
      let length = 0
      request.on("data", (chunk: Buffer) => {
        length += chunk.length
      })
      request.on("end", () => {
        bodies.push(`${request.url} ${length}`)
        response.end("ok")
      })
    })
    const peer = yield* http2Client(app)
    yield* write(peer, Frames.request(1, "/in-time", { method: "POST", endStream: false }))
    yield* untilStates(app.server, "Active")
    yield* app.interrupt
    yield* frameOf(peer, "GOAWAY")
    // 64 KiB less one byte is what both streams may send before any of it is given back
    yield* write(
      peer,
      Frames.request(3, "/late", { method: "POST", endStream: false }),
      ...Array.from({ length: 3 }, () => Frames.data(3, Buffer.alloc(16 * 1024), false)),
      Frames.request(5, "/later")
    )
    yield* untilTaken(peer)
    yield* frameOf(peer, "WINDOW_UPDATE")
    yield* write(
      peer,
      ...Array.from({ length: 3 }, (_, index) => Frames.data(1, Buffer.alloc(16 * 1024), index === 2))
    )
    expect(yield* response2(peer, 1)).toEqual({ status: 200, body: "ok" })
    yield* untilEnded(peer)
    expect(bodies).toEqual([`/in-time ${3 * 16 * 1024}`])
    expect(peer.of("HEADERS").map(({ stream }) => stream)).toEqual([1])
    // it may be refused, or ignored: what is said of it is nothing else
    expect(peer.of("RST_STREAM").filter((reset) => Frames.codeOf(reset) !== Frames.code.refusedStream)).toEqual([])
    expect(goawaysOf(peer)).toEqual([[1, Frames.code.noError]])
    expect((yield* app.report).outcome).toBe("Drained")
  }))

it.scoped("H5: streams up to it run to completion, then the session is closed at once, where Go lingers for 1 s", () =>
  Effect.gen(function*() {
    const { handler, release, untilHeld } = holding2()
    const app = yield* serve2(handler)
    const peer = yield* http2Client(app)
    yield* write(peer, Frames.request(1), Frames.request(3))
    yield* untilHeld(2)
    yield* app.interrupt
    yield* frameOf(peer, "GOAWAY")
    yield* TestClock.adjust("1 minute")
    expect(peer.ending).toBe("open")
    release()
    expect(yield* response2(peer, 1)).toEqual({ status: 200, body: "held" })
    expect(yield* response2(peer, 3)).toEqual({ status: 200, body: "held" })
    expect(yield* untilEnded(peer)).toBe("fin")
    const report = yield* app.report
    expect(report).toMatchObject({ outcome: "Drained", served: 2, cut: [], forceClosed: [] })
    expect(Duration.toMillis(report.duration)).toBe(60_000)
  }))

it.scoped("H5: a client that is slow to read has all of its answers, however long it takes", () =>
  Effect.gen(function*() {
    const size = 32 * 1024 * 1024
    for (const tls of [undefined, { ca: certificate.cert }]) {
      const handler: Handler = (_, response) => void response.end(Buffer.alloc(size, "x"))
      const app = tls === undefined
        ? yield* serve2(handler)
        : yield* serveNode(Http2.createSecureServer(certificate, handler))
      const peer = yield* http2Client(app, {
        settings: { [Frames.setting.initialWindowSize]: 2 ** 30 },
        ...(tls === undefined ? {} : { tls })
      })
      yield* untilTaken(peer)
      peer.pause()
      yield* write(peer, Frames.windowUpdate(0, 2 ** 30), Frames.request(1))
      yield* untilStates(app.server, "Active")
      yield* app.interrupt
      yield* untilStopsListening(app.node)
      for (let second = 0; second < 10; second++) {
        yield* Effect.promise(() => pace(20))
        yield* TestClock.adjust("1 second")
      }
      peer.resume()
      expect((yield* response2(peer, 1)).body.length).toBe(size)
      expect(yield* untilEnded(peer)).toBe("fin")
      expect(yield* app.report).toMatchObject({ outcome: "Drained", served: 1, cut: [], forceClosed: [] })
    }
  }))

it.scoped("H5: a client that does not close its side is read from for 500 ms after our FIN, and no longer", () =>
  Effect.gen(function*() {
    const app = yield* serve2(ok)
    const peer = yield* http2Client(app, { keepHalfOpen: true })
    yield* write(peer, Frames.request(1))
    yield* response2(peer, 1)
    const report = yield* Effect.fork(app.stop)
    expect(yield* untilEnded(peer)).toBe("fin")
    yield* until("our FIN", () => app.sockets[0]?.writableFinished)
    yield* TestClock.adjust("499 millis")
    expect(app.sockets[0]?.destroyed).toBe(false)
    yield* TestClock.adjust("1 millis")
    const { connections, duration, outcome } = yield* Fiber.join(report)
    expect({ connections, duration: Duration.toMillis(duration), outcome }).toEqual({
      connections: { open: 1, accepted: 0, completed: 1, idleClosed: 0, cut: 0 },
      duration: 500,
      outcome: "Drained"
    })
  }))

it.scoped("H6: an idle session whose client hangs up when it is told to costs no time at all", () =>
  Effect.gen(function*() {
    const app = yield* serve2(ok)
    const peer = yield* http2Client(app)
    yield* write(peer, Frames.request(1))
    yield* response2(peer, 1)
    yield* app.history.until("New,Active,Idle,Active,Idle")
    const report = yield* app.stop
    expect(Duration.toMillis(report.duration)).toBe(0)
    expect(report).toMatchObject({ outcome: "Drained", connections: { open: 1, cut: 0 } })
    expect(goawaysOf(peer)).toEqual([[1, 0]])
  }))

it.scoped("H7: a session that appears after the shutdown has begun is served its first streams, and then told", () =>
  Effect.gen(function*() {
    for (const tls of [undefined, { ca: certificate.cert }]) {
      const app = tls === undefined ? yield* serve2(ok) : yield* serveNode(Http2.createSecureServer(certificate, ok))
      const raw = yield* client(app.target)
      yield* untilStates(app.server, "New")
      yield* app.interrupt
      yield* untilStopsListening(app.node)
      const peer = yield* http2Client(app, {
        over: raw.socket,
        settings: false,
        ...(tls === undefined ? {} : { tls })
      })
      yield* write(
        peer,
        Frames.preface,
        Frames.settings({ [Frames.setting.headerTableSize]: 0 }),
        Frames.request(1),
        Frames.request(3)
      )
      expect(yield* response2(peer, 1)).toEqual({ status: 200, body: "ok" })
      expect(yield* response2(peer, 3)).toEqual({ status: 200, body: "ok" })
      yield* untilEnded(peer)
      expect(goawaysOf(peer)).toEqual([[3, 0]])
      expect(yield* app.report).toMatchObject({ outcome: "Drained", served: 2, cut: [], forceClosed: [] })
    }
  }))

it.scoped("H7: one that opens no stream is told after 50 ms, where Go's Shutdown waits for ever", () =>
  Effect.gen(function*() {
    const app = yield* serveNode(Http2.createSecureServer(certificate, ok))
    const raw = yield* client(app.target)
    yield* untilStates(app.server, "New")
    yield* TestClock.adjust("2 seconds")
    yield* app.interrupt
    yield* untilStopsListening(app.node)
    const peer = yield* http2Client(app, { over: raw.socket, tls: { ca: certificate.cert } })
    yield* untilTaken(peer)
    yield* TestClock.adjust("49 millis")
    yield* untilTaken(peer)
    expect(goawaysOf(peer)).toEqual([])
    yield* TestClock.adjust("1 millis")
    yield* untilEnded(peer)
    expect(goawaysOf(peer)).toEqual([[0, 0]])
    const report = yield* app.report
    expect(Duration.toMillis(report.duration)).toBe(50)
    expect(report).toMatchObject({ outcome: "Drained", forceClosed: [], connections: { open: 1, cut: 0 } })
  }))

it.scoped("H8: with keep-alives off a session is told when its last stream has ended, and serves new ones until then", () =>
  Effect.gen(function*() {
    const { handler, held, release, untilHeld } = holding2()
    const app = yield* serve2(handler)
    const peer = yield* http2Client(app)
    yield* write(peer, Frames.request(1), Frames.request(3))
    yield* untilHeld(2)
    yield* app.server.setKeepAlives(false)
    held.shift()?.end("first")
    expect(yield* response2(peer, 1)).toEqual({ status: 200, body: "first" })
    yield* write(peer, Frames.request(5))
    yield* untilHeld(2)
    yield* untilTaken(peer)
    expect(goawaysOf(peer)).toEqual([])
    release()
    expect(yield* response2(peer, 3)).toEqual({ status: 200, body: "held" })
    expect(yield* response2(peer, 5)).toEqual({ status: 200, body: "held" })
    expect(yield* untilEnded(peer)).toBe("fin")
    expect(goawaysOf(peer)).toEqual([[5, 0]])
    yield* untilStates(app.server)
  }))

it.scoped("H8: one that has been used and is idle is told at once, one that has not is left alone", () =>
  Effect.gen(function*() {
    const app = yield* serve2(ok)
    const used = yield* http2Client(app)
    yield* write(used, Frames.request(1))
    yield* response2(used, 1)
    const unused = yield* http2Client(app)
    yield* untilStates(app.server, "Idle", "Idle")
    yield* app.server.setKeepAlives(false)
    yield* untilEnded(used)
    expect(goawaysOf(used)).toEqual([[1, 0]])
    yield* TestClock.adjust("1 minute")
    yield* write(unused, Frames.request(1))
    expect(yield* response2(unused, 1)).toEqual({ status: 200, body: "ok" })
    yield* untilEnded(unused)
    expect(goawaysOf(unused)).toEqual([[1, 0]])
  }))

it.scoped("T98: TestServerGracefulShutdown: GOAWAY with a stream in flight, its response, the end, and the report", () =>
  Effect.gen(function*() {
    for (const tls of [undefined, { ca: certificate.cert }]) {
      const { handler, release, untilHeld } = holding2()
      const app = tls === undefined
        ? yield* serve2(handler)
        : yield* serveNode(Http2.createSecureServer(certificate, handler))
      const peer = yield* http2Client(app, tls === undefined ? {} : { tls })
      yield* write(peer, Frames.request(1))
      yield* untilHeld(1)
      const stopping = yield* Effect.fork(app.stop)
      yield* frameOf(peer, "GOAWAY")
      expect(goawaysOf(peer)).toEqual([[1, 0]])
      expect(yield* Fiber.poll(stopping)).toMatchObject({ _tag: "None" })
      release()
      expect(yield* response2(peer, 1)).toEqual({ status: 200, body: "held" })
      expect(yield* untilEnded(peer)).toBe("fin")
      expect(yield* Fiber.join(stopping)).toMatchObject({ outcome: "Drained", served: 1, cut: [], forceClosed: [] })
      yield* app.history.until("New,Active,Idle,Active,Idle,Closed")
    }
  }))

it.scoped("T101: TestNoErrorLoggedOnPostAfterGOAWAY: a body that goes on after the GOAWAY is no error", () =>
  Effect.gen(function*() {
    const failed: Array<unknown> = []
    const app = yield* serve2((request, response) => void request.pipe(response), {
      prepare: (node) => node.on("sessionError", (error) => failed.push(error))
    })
    const peer = yield* http2Client(app)
    yield* write(peer, Frames.request(1, "/", { method: "POST", endStream: false }), Frames.data(1, "before ", false))
    yield* frameOf(peer, "DATA", 1)
    yield* app.interrupt
    yield* frameOf(peer, "GOAWAY")
    yield* write(peer, Frames.data(1, "after", true))
    expect(yield* response2(peer, 1)).toEqual({ status: 200, body: "before after" })
    yield* untilEnded(peer)
    expect(goawaysOf(peer)).toEqual([[1, 0]])
    expect((yield* app.report).outcome).toBe("Drained")
    expect(failed).toEqual([])
  }))
