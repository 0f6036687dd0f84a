import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { describe, expect, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/TestClock"
import { createServer } from "node:http"
import * as Http2 from "node:http2"
import { Agent, request } from "undici"
import { certificate } from "../../support/certificate.js"
import * as HttpRouter from "../../support/effect/httpRouter.js"
import { refused } from "../../support/example.js"
import { makeApp } from "../../support/handlers.js"
import { saysClose } from "../../support/httpResponses.js"
import type { Target } from "../../support/rawClient.js"
import { answer, client, get, post, real, responses, send, silent, until, untilPhase } from "../../support/running.js"
import { waitFor } from "../../support/wait.js"
import { launchWithHealth } from "./appWithHealth.js"

// Not ready first; still accepting and serving; every client asked to leave; for `lameDuck`, or until `drainNow`.

const lameDuck = "10 minutes"

/** What Envoy takes a host out for. */
const envoy = "x-envoy-immediate-health-check-fail"

const portOf = (target: Target) => "port" in target ? target.port : 0

const status = (target: Target, path: string) =>
  Effect.gen(function*() {
    const one = yield* client(target)
    yield* send(one, get(path))
    const [response] = yield* responses(one, 1)
    one.leave()
    return { status: response!.status, close: saysClose(response!), envoy: response!.headers[envoy] }
  })

/** A session of Node's own client, what it has been told, and what its streams got. */
const connect = (target: Target) =>
  Effect.acquireRelease(
    Effect.promise(() => {
      const session = Http2.connect(`http://127.0.0.1:${portOf(target)}`)
      session.on("error", () => {})
      const told: Array<number> = []
      session.on("goaway", (code) => told.push(code))
      const ask = (path: string, body?: string) => {
        const seen = { status: 0, body: "", ended: false, code: 0 }
        const stream = session.request({ ":path": path, ":method": body === undefined ? "GET" : "POST" })
        stream.setEncoding("utf8")
        stream.on("response", (headers) => {
          seen.status = Number(headers[":status"])
        })
        stream.on("data", (chunk: string) => {
          seen.body += chunk
        })
        stream.on("error", () => {})
        stream.on("close", () => {
          seen.ended = true
          seen.code = stream.rstCode
        })
        stream.end(body)
        return seen
      }
      const connected = new Promise<void>((resolve) => session.once("remoteSettings", () => resolve()))
      return waitFor("the session", connected, 15_000).then(() => ({ session, told, ask }))
    }),
    ({ session }) => Effect.sync(() => session.destroy())
  )

describe("lame duck", () => {
  it.scoped("HTTP/1.1: not ready, still accepting and serving, and every answer says close", () =>
    Effect.gen(function*() {
      const { app, executed, gate } = makeApp()
      const running = yield* launchWithHealth(app, { lameDuck })
      const { server, target } = running
      const kept = yield* client(target)
      yield* send(kept, get("/"))
      expect(saysClose((yield* responses(kept, 1))[0]!)).toBe(false)
      const held = yield* client(target)
      yield* send(held, get("/hold"))
      yield* gate.untilStarted(1)
      expect(yield* status(target, "/readyz")).toEqual({ status: 200, close: false, envoy: undefined })

      yield* running.interrupt
      yield* untilPhase(server, "LameDuck")
      for (const when of ["at once", "after nine minutes"]) {
        expect(yield* status(target, "/readyz")).toEqual({ status: 500, close: true, envoy: "true" })
        expect(yield* status(target, "/readyz?verbose")).toMatchObject({ status: 500, envoy: "true" })
        expect(yield* status(target, "/readyz/shutdown")).toMatchObject({ status: 500, envoy: "true" })
        expect(yield* status(target, "/readyz?exclude=shutdown")).toMatchObject({ status: 200, envoy: undefined })
        expect(yield* status(target, "/livez")).toEqual({ status: 200, close: true, envoy: undefined })
        // a new connection
        const fresh = yield* client(target)
        yield* send(fresh, post("/echo", when))
        expect(yield* answer(fresh)).toEqual({ status: 200, body: when, connection: "close" })
        if (when === "at once") yield* TestClock.adjust("9 minutes")
      }
      expect(executed).toEqual(["at once", "after nine minutes"])
      // one that was idle when it began: its next answer asks it to leave
      yield* send(kept, post("/echo", "kept"))
      const next = (yield* responses(kept, 2))[1]!
      expect([next.status, saysClose(next)]).toEqual([200, true])
      yield* gate.open
      expect(yield* answer(held)).toEqual({ status: 200, body: "held", connection: "close" })

      yield* TestClock.adjust("1 minute")
      const report = yield* running.report
      expect(report).toMatchObject({ outcome: "Drained" })
      expect(Duration.toMillis(report.lameDuck)).toBe(600_000)
    }))

  it.scoped("HTTP/2: a session that was open is told at once, and its streams in flight are answered", () =>
    Effect.gen(function*() {
      const { app, gate } = makeApp()
      const running = yield* launchWithHealth(app, { lameDuck, node: () => Http2.createServer() })
      const { server, target } = running
      const busy = yield* connect(target)
      const first = busy.ask("/hold")
      yield* gate.untilStarted(1)
      const idle = yield* connect(target)
      const before = idle.ask("/")
      yield* until("its answer", () => before.ended)

      yield* running.interrupt
      yield* untilPhase(server, "LameDuck")
      yield* until("both to be told", () => busy.told.length > 0 && idle.told.length > 0)
      expect(new Set([...busy.told, ...idle.told])).toEqual(new Set([Http2.constants.NGHTTP2_NO_ERROR]))
      yield* gate.open
      yield* until("the answer", () => first.ended)
      expect(first).toEqual({ status: 200, body: "held", ended: true, code: 0 })
      yield* server.drainNow
      expect(yield* running.report).toMatchObject({ outcome: "Drained" })
    }))

  it.scoped("HTTP/2: a session that is opened during it is served, and told when its last stream has ended", () =>
    Effect.gen(function*() {
      const { app, gate } = makeApp()
      const running = yield* launchWithHealth(app, { lameDuck, node: () => Http2.createServer() })
      const { server, target } = running
      yield* running.interrupt
      yield* untilPhase(server, "LameDuck")

      const session = yield* connect(target)
      const ready = session.ask("/readyz")
      const held = session.ask("/hold")
      const echoed = session.ask("/echo", "hello")
      yield* until("two answers", () => ready.ended && echoed.ended)
      expect([ready.status, echoed.status, echoed.body]).toEqual([500, 200, "hello"])
      expect(session.told).toEqual([])
      // still open for more
      const more = session.ask("/echo", "more")
      yield* until("one more answer", () => more.ended)
      expect([more.status, session.told]).toEqual([200, []])
      yield* gate.open
      yield* until("the last answer, and to be told", () => held.ended && session.told.length > 0)
      expect([held.status, held.body, session.told[0]]).toEqual([200, "held", Http2.constants.NGHTTP2_NO_ERROR])
      yield* until("the session to be gone", () => session.session.destroyed)
      // and there may be another
      const another = yield* connect(target)
      const again = another.ask("/")
      yield* until("its answer, and to be told", () => again.ended && another.told.length > 0)
      expect(again.status).toBe(200)

      yield* server.drainNow
      expect(yield* running.report).toMatchObject({ outcome: "Drained", served: 5 })
    }))

  it.scoped("drainNow ends it early, and changes nothing afterwards", () =>
    Effect.gen(function*() {
      const { app, gate } = makeApp()
      const running = yield* launchWithHealth(app, { lameDuck, timeout: "1 hour" })
      const { server, target } = running
      const held = yield* client(target)
      yield* send(held, get("/hold"))
      yield* gate.untilStarted(1)
      yield* running.interrupt
      yield* untilPhase(server, "LameDuck")
      yield* TestClock.adjust("3 seconds")
      yield* server.drainNow
      yield* untilPhase(server, "Draining")
      yield* Effect.promise(() => refused(target))
      yield* server.drainNow
      expect(yield* server.phase.get).toBe("Draining")
      expect(yield* status(running.admin, "/readyz")).toMatchObject({ status: 500 })
      expect(yield* status(running.admin, "/livez")).toMatchObject({ status: 200 })
      yield* gate.open
      expect((yield* answer(held)).body).toBe("held")
      const report = yield* running.report
      expect(report.outcome).toBe("Drained")
      expect(Duration.toMillis(report.lameDuck)).toBe(3000)
    }))
})

const echo = HttpRouter.empty.pipe(
  HttpRouter.post(
    "/",
    Effect.flatMap(
      HttpServerRequest.HttpServerRequest,
      ({ text }) => Effect.map(text, (body) => HttpServerResponse.text(body)).pipe(Effect.delay("2 millis"))
    )
  )
)

/** Busy clients of a kind: each posts its number, and is told what came back. */
type Post = (body: string) => Promise<string>

const undici = (origin: string) =>
  Effect.map(
    Effect.acquireRelease(Effect.sync(() => new Agent()), (agent) => Effect.promise(() => agent.destroy())),
    (dispatcher): Post => async (body) => (await request(origin, { method: "POST", body, dispatcher })).body.text()
  )

/** One session for all, and another when it has been told to leave. What was refused is sent again, as it may be. */
const http2 = (origin: string) =>
  Effect.gen(function*() {
    let current: Http2.ClientHttp2Session | undefined
    let connected: Promise<void> = Promise.resolve()
    yield* Effect.addFinalizer(() => Effect.sync(() => current?.destroy()))
    const session = () => {
      if (current !== undefined && !current.closed && !current.destroyed) return current
      const next = Http2.connect(origin, { ca: certificate.cert })
      current = next
      connected = new Promise<void>((resolve, reject) => {
        next.once("error", reject)
        next.once("connect", () => resolve())
      })
      return next
    }
    const send = async (body: string): Promise<string | undefined> => {
      const on = session()
      await connected
      // it was told while we waited
      if (on.closed || on.destroyed) return undefined
      const stream = on.request({ ":method": "POST", ":path": "/" })
      stream.end(body)
      try {
        let text = ""
        for await (const chunk of stream.setEncoding("utf8")) text += String(chunk)
        return text
      } catch (error) {
        if (stream.rstCode === Http2.constants.NGHTTP2_REFUSED_STREAM) return undefined
        throw error
      }
    }
    const post: Post = async (body) => {
      while (true) {
        const text = await send(body)
        if (text !== undefined) return text
      }
    }
    return post
  })

const ofAll = <A>(one: A): ReadonlyArray<A> => Array.from({ length: 10 }, () => one)

/** What a client of this kind posts with: one pool for all of them, or a connection for each. */
const kinds = {
  // one that a pool has left idle for longer than `idleGrace` may be closed just as it is used, unless that is promised
  "http/1.1, a pool": {
    node: () => createServer(),
    policy: { idleGrace: "keepAliveTimeout" },
    posts: (port: number) => Effect.map(undici(`http://127.0.0.1:${port}`), ofAll)
  },
  "http/1.1, a connection each": {
    node: () => createServer(),
    policy: {},
    posts: (port: number) => Effect.all(ofAll(undici(`http://127.0.0.1:${port}`)))
  },
  h2: {
    node: () => Http2.createSecureServer(certificate),
    policy: {},
    posts: (port: number) => Effect.map(http2(`https://127.0.0.1:${port}`), ofAll)
  }
} as const

describe("busy clients", () => {
  for (const [name, { node, policy, posts }] of Object.entries(kinds)) {
    it.scopedLive(`${name}: nothing is lost, and they are served during all of the lame duck`, () =>
      Effect.gen(function*() {
        const running = yield* launchWithHealth(echo, { ...policy, lameDuck: "1 minute", node })
        const { server, target } = running
        const answered = { Serving: 0, LameDuck: 0, Draining: 0, Closed: 0 }
        const lost: Array<string> = []
        let sent = 0
        const one = async (post: Post) => {
          while (true) {
            const body = `${sent++}`
            try {
              if ((await post(body)) !== body) lost.push(`${body}: another answer`)
              else answered[Effect.runSync(server.phase.get)]++
            } catch (error) {
              if ((error as NodeJS.ErrnoException).code === "ECONNREFUSED") return
              lost.push(`${body}: ${String(error)}`)
            }
          }
        }
        const all = Promise.all((yield* posts(portOf(target))).map(one))
        yield* until("them to be busy", () => answered.Serving >= 200, 10_000)
        yield* running.interrupt
        yield* until("them to be busy while it is a lame duck", () => answered.LameDuck >= 200, 10_000)
        yield* server.drainNow
        yield* real("all to be refused", Effect.promise(() => all), 15_000)
        expect(lost).toEqual([])
        expect(yield* running.report).toMatchObject({ outcome: "Drained", cut: [] })
      }).pipe(Effect.provide(silent)))
  }
})
