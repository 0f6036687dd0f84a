import * as HttpServer from "@effect/platform/HttpServer"
import { describe, expect, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Metric from "effect/Metric"
import * as TestClock from "effect/TestClock"
import * as Fs from "node:fs"
import { createServer } from "node:http"
import * as Http2 from "node:http2"
import * as Os from "node:os"
import * as Path from "node:path"
import { Admin, Health, NodeHttpServer } from "../../../src/index.js"
import * as HttpRouter from "../../support/effect/httpRouter.js"
import { countWord, wordCounts } from "../../support/effect/metrics.js"
import { tracerThat } from "../../support/effect/tracers.js"
import { refused } from "../../support/example.js"
import { makeApp } from "../../support/handlers.js"
import { snapshot, untilNoGrowth } from "../../support/leaks.js"
import type { Target } from "../../support/rawClient.js"
import {
  answer,
  client,
  ended,
  get,
  launch,
  limit,
  real,
  remoteAddress,
  responses,
  send,
  silent as silently,
  targetOf,
  until,
  untilPhase
} from "../../support/running.js"
import { launchWithHealth } from "./appWithHealth.js"
import { parse } from "./exposition.js"

const ask = (target: Target, path: string) =>
  Effect.gen(function*() {
    const one = yield* client(target)
    yield* send(one, get(path, "Connection: close"))
    const { body = "", status } = yield* answer(one)
    return { status, body }
  })

const json = (target: Target, path: string) => Effect.map(ask(target, path), ({ body }) => JSON.parse(body) as unknown)

const refuses = (target: Target) => Effect.promise(() => refused(target))

describe("the admin listener", () => {
  it.scoped("lists the connections, what each is doing, and since when", () =>
    Effect.gen(function*() {
      const { app, gate } = makeApp()
      const { admin, target } = yield* launchWithHealth(app)
      const slow = yield* client(target)
      yield* send(slow, get("/hold?token=1"))
      yield* gate.untilStarted(1)
      const idle = yield* client(target)
      yield* send(idle, get("/"))
      yield* responses(idle, 1)
      yield* TestClock.adjust("12 seconds")
      expect(yield* json(admin, "/connections")).toEqual({
        phase: "Serving",
        connections: [{
          id: 1,
          state: "Active",
          protocol: "http/1.1",
          secure: false,
          remoteAddress: remoteAddress(slow),
          served: 0,
          inFlight: [{ method: "GET", path: "/hold", ageMillis: 12_000 }],
          ageMillis: 12_000,
          stateMillis: 12_000
        }, {
          id: 2,
          state: "Idle",
          protocol: "http/1.1",
          secure: false,
          remoteAddress: remoteAddress(idle),
          served: 1,
          inFlight: [],
          ageMillis: 12_000,
          stateMillis: 12_000
        }]
      })
      yield* gate.open
    }))

  it.scoped("names the requests in flight, the oldest first, with their streams", () =>
    Effect.gen(function*() {
      const { app, gate } = makeApp()
      const { admin, target } = yield* launchWithHealth(app, {
        node: () => Http2.createServer(),
        admin: { port: 0, showQuery: true }
      })
      const port = "port" in target ? target.port : 0
      const session = yield* Effect.acquireRelease(
        Effect.sync(() => Http2.connect(`http://127.0.0.1:${port}`)),
        (session) => Effect.sync(() => session.destroy())
      )
      session.on("error", () => {})
      session.request({ ":path": "/hold?first" }).on("error", () => {}).resume()
      yield* gate.untilStarted(1)
      yield* TestClock.adjust("3 seconds")
      session.request({ ":path": "/hold?second", ":method": "GET" }).on("error", () => {}).resume()
      yield* gate.untilStarted(2)
      yield* TestClock.adjust("1 seconds")
      expect(yield* json(admin, "/requests")).toMatchObject({
        phase: "Serving",
        requests: [
          { method: "GET", path: "/hold?first", ageMillis: 4000, connection: 1, protocol: "h2", stream: 1 },
          { method: "GET", path: "/hold?second", ageMillis: 1000, connection: 1, protocol: "h2", stream: 3 }
        ]
      })
      yield* gate.open
    }))

  it.scoped("names the slow request that a shutdown hangs on, in /requests and in /metrics", () =>
    Effect.gen(function*() {
      const { app, gate } = makeApp()
      const running = yield* launchWithHealth(app, { timeout: "1 hour" })
      const { admin, target } = running
      const slow = yield* client(target)
      yield* send(slow, get("/hold?token=secret"))
      yield* gate.untilStarted(1)
      // before a shutdown no label depends on what clients send
      expect((yield* ask(admin, "/metrics")).body).not.toContain("quiesce_shutdown_waiting_request")
      yield* running.drain
      yield* TestClock.adjust("90 seconds")

      expect(yield* json(admin, "/requests")).toMatchObject({
        phase: "Draining",
        requests: [{ method: "GET", path: "/hold", ageMillis: 90_000, remoteAddress: remoteAddress(slow) }]
      })
      const { body } = yield* ask(admin, "/metrics")
      const families = parse(body, "text")
      expect(families.get("quiesce_shutdown_waiting_requests")?.samples).toMatchObject([{ value: 1 }])
      expect(families.get("quiesce_shutdown_waiting_request_age_seconds")?.samples).toEqual([{
        name: "quiesce_shutdown_waiting_request_age_seconds",
        labels: {
          server: expect.stringMatching(/^\d+$/),
          connection: "1",
          method: "GET",
          path: "/hold",
          remote_address: remoteAddress(slow)
        },
        value: 90
      }])
      expect(body).not.toContain("secret")
      yield* gate.open
      expect((yield* answer(slow)).body).toBe("held")
      expect((yield* running.report).outcome).toBe("Drained")
    }))

  it.scoped("the metrics name no more than ten requests, however many there are", () =>
    Effect.gen(function*() {
      const { app, gate } = makeApp()
      const running = yield* launchWithHealth(app, { timeout: "1 hour" })
      for (let i = 0; i < 15; i++) yield* send(yield* client(running.target), get(`/hold?${i}`))
      yield* gate.untilStarted(15)
      yield* running.drain
      const families = parse((yield* ask(running.admin, "/metrics")).body, "text")
      expect(families.get("quiesce_shutdown_waiting_requests")?.samples).toMatchObject([{ value: 15 }])
      expect(families.get("quiesce_shutdown_waiting_request_age_seconds")?.samples).toHaveLength(10)
      yield* gate.open
      yield* running.report
    }))

  it.scoped("answers until the traffic has drained, live and not ready, and closes last", () =>
    Effect.gen(function*() {
      const { app, gate } = makeApp()
      const before = snapshot()
      const running = yield* launchWithHealth(app, { timeout: "1 hour", lameDuck: "5 seconds" })
      const { admin, server, target } = running
      expect((yield* ask(admin, "/readyz")).body).toBe("ok")
      const slow = yield* client(target)
      yield* send(slow, get("/hold"))
      yield* gate.untilStarted(1)
      // a prober that keeps its connection
      const kept = yield* client(admin)
      yield* send(kept, get("/readyz"))
      yield* responses(kept, 1)

      yield* running.interrupt
      yield* untilPhase(server, "LameDuck")
      const notReady = {
        status: 500,
        body: "[+]ping ok\n[-]shutdown failed: the server is shutting down\nreadyz check failed\n"
      }
      for (const where of [admin, target]) {
        expect(yield* ask(where, "/livez")).toEqual({ status: 200, body: "ok" })
        expect(yield* ask(where, "/startupz")).toEqual({ status: 200, body: "ok" })
        expect(yield* ask(where, "/readyz")).toMatchObject({ status: 500 })
      }
      yield* TestClock.adjust("5 seconds")
      yield* untilPhase(server, "Draining")
      yield* refuses(target)
      expect(yield* ask(admin, "/readyz")).toEqual(notReady)
      expect(yield* ask(admin, "/livez")).toEqual({ status: 200, body: "ok" })
      yield* send(kept, get("/readyz"))
      expect((yield* responses(kept, 2))[1]).toMatchObject({ status: 500 })

      let closed = false
      yield* Effect.fork(Effect.zipRight(
        Effect.exit(server.closed),
        Effect.sync(() => {
          closed = true
        })
      ))
      yield* gate.open
      expect((yield* answer(slow)).body).toBe("held")
      expect((yield* running.report).outcome).toBe("Drained")
      expect(closed).toBe(true)
      expect(yield* ended(kept)).toBe("fin")
      yield* refuses(admin)
      slow.leave()
      kept.leave()
      // a pipe is what the test runner prints to
      yield* Effect.promise(() => untilNoGrowth(before, limit, ["PipeWrap"]))
    }))

  for (const where of ["beside the app", "above the app"] as const) {
    it.scoped(`closes last also where it was built ${where}`, () =>
      Effect.gen(function*() {
        const { app, gate } = makeApp()
        const served = HttpServer.serve(app)
        const admin = Admin.layer({ port: 0 })
        const layer = (where === "beside the app" ? Layer.merge(served, admin) : Layer.provideMerge(admin, served))
          .pipe(
            Layer.provideMerge(Health.layer),
            Layer.provideMerge(
              NodeHttpServer.layer(() => createServer(), { host: "127.0.0.1", port: 0, timeout: "1 hour" })
            )
          )
        const running = yield* launch(layer, (context) => targetOf(Context.get(context, HttpServer.HttpServer).address))
        const target = targetOf(Context.get(running.context, Admin.Admin).address)
        const slow = yield* client(running.target)
        yield* send(slow, get("/hold"))
        yield* gate.untilStarted(1)
        yield* running.interrupt
        yield* untilPhase(running.server, "Draining")
        yield* refuses(running.target)
        expect(yield* ask(target, "/livez")).toEqual({ status: 200, body: "ok" })
        expect(yield* ask(target, "/readyz")).toMatchObject({ status: 500 })
        yield* gate.open
        expect((yield* running.report).outcome).toBe("Drained")
        yield* refuses(target)
      }))
  }

  it.scopedLive("is no part of the report; a client of it that reads nothing takes a second, and is no failure", () =>
    Effect.gen(function*() {
      const words = Metric.frequency("test_admin_words")
      // the registry of metrics is the process's, and forgets nothing by itself
      const counts = wordCounts(words)
      yield* Effect.addFinalizer(() => Effect.sync(() => counts.clear()))
      for (let i = 0; i < 100_000; i++) countWord(words, `${"x".repeat(100)}${i}`)
      const { app } = makeApp()
      const running = yield* launchWithHealth(app)
      const { admin } = running
      const readsNothing = yield* client(admin, { paused: true })
      yield* send(readsNothing, get("/metrics"))
      const silent = yield* client(admin)
      const half = yield* client(admin)
      yield* send(half, "GET /metr")
      yield* until(
        "the page to be on its way",
        () => readsNothing.socket.bytesRead > 0 || readsNothing.socket.readableLength > 0
      )
      yield* running.interrupt
      const report = yield* real("the shutdown", Effect.orDie(running.server.closed))
      expect(report).toMatchObject({ outcome: "Drained", connections: { open: 0, cut: 0 } })
      const exit = yield* running.exit
      expect(Exit.isFailure(exit) && Cause.isInterruptedOnly(exit.cause)).toBe(true)
      // the page was on its way
      readsNothing.resume()
      for (const one of [readsNothing, silent, half]) expect(yield* ended(one)).not.toBe("open")
      expect(readsNothing.parsed().responses.map(({ complete, status }) => [status, complete])).toEqual([[200, false]])
      yield* refuses(admin)
    }).pipe(Effect.provide(silently)))

  it.scoped("those beside one server have one second in common for their last answers", () =>
    Effect.gen(function*() {
      const { app } = makeApp()
      const actions = { port: 0, actions: true }
      const addresses: Array<Target> = []
      const beside = Layer.scopedDiscard(
        Effect.tap(Admin.make(actions), ({ address }) => Effect.sync(() => void addresses.push(targetOf(address))))
      )
      const running = yield* launch(
        HttpServer.serve(app).pipe(
          Layer.provide(beside),
          Layer.provide(Layer.fresh(beside)),
          Layer.provideMerge(Health.layer),
          Layer.provideMerge(NodeHttpServer.layer(() => createServer(), { host: "127.0.0.1", port: 0 }))
        ),
        (context) => targetOf(Context.get(context, HttpServer.HttpServer).address)
      )
      // what is built last closes first
      const [below, above] = addresses as [Target, Target]
      const half = (target: Target) =>
        Effect.tap(client(target), (one) =>
          send(one, "POST /drain HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500\r\n\r\nx"))
      const first = yield* half(above)
      const second = yield* half(below)
      // they have been read by then
      for (const target of [above, below]) {
        yield* ask(target, "/livez")
      }
      yield* running.interrupt
      yield* refuses(above)
      yield* TestClock.adjust("900 millis")
      yield* ask(below, "/livez")
      expect(first.endedAt).toBeUndefined()
      yield* TestClock.adjust("100 millis")
      yield* ended(first)
      yield* refuses(below)
      yield* TestClock.adjust("100 millis")
      yield* ended(second)
      expect((yield* running.report).outcome).toBe("Drained")
    }))

  it.scoped("a check that is slow, stuck or dead: both probes answer in their bound and say why", () =>
    Effect.gen(function*() {
      const { app } = makeApp()
      const released = yield* Deferred.make<void>()
      yield* Effect.addFinalizer(() => Deferred.succeed(released, undefined))
      const both = { on: ["live", "ready"], cache: 0 } as const
      let slow = 0
      const running = yield* launchWithHealth(app, {
        checks: Layer.mergeAll(
          Health.layerCheck("stuck", Effect.uninterruptible(Deferred.await(released)), both),
          Health.layerCheck("slow", Effect.zipRight(Effect.sync(() => slow++), Effect.sleep("500 millis")), both),
          Health.layerCheck("dead", Effect.dieMessage("a defect"), both)
        )
      })
      const probe = (path: string, nth: number) =>
        Effect.gen(function*() {
          const one = yield* client(running.admin)
          yield* send(one, get(path))
          yield* until("the checks to run", () => slow === nth)
          yield* TestClock.adjust("800 millis")
          return yield* answer(one)
        })
      expect(yield* probe("/livez", 1)).toMatchObject({
        status: 500,
        body: [
          "[+]ping ok",
          "[-]stuck failed: timed out after 800ms",
          "[+]slow ok",
          "[-]dead failed: died: a defect",
          "livez check failed",
          ""
        ].join("\n")
      })
      // the stuck one is known by now, and delays nothing
      expect(yield* probe("/readyz", 2)).toMatchObject({
        status: 500,
        body: [
          "[+]ping ok",
          "[-]stuck failed: timed out after 800ms, and still running after 800ms",
          "[+]slow ok",
          "[-]dead failed: died: a defect",
          "[+]shutdown ok",
          "readyz check failed",
          ""
        ].join("\n")
      })
    }))

  it.scoped("says once in the log that a check fails, and why, and once that it passes again", () =>
    Effect.gen(function*() {
      const lines: Array<string> = []
      const logger = Logger.make(({ message }) => lines.push(String(message)))
      let outcome: Effect.Effect<void, string> = Effect.fail("connection refused")
      const { app } = makeApp()
      yield* Effect.gen(function*() {
        const { admin } = yield* launchWithHealth(app, {
          checks: Health.layerCheck("database", Effect.suspend(() => outcome), { cache: 0 })
        })
        for (let i = 0; i < 3; i++) expect(yield* ask(admin, "/readyz")).toMatchObject({ status: 500 })
        outcome = Effect.void
        for (let i = 0; i < 3; i++) expect(yield* ask(admin, "/readyz")).toMatchObject({ status: 200 })
      }).pipe(Effect.scoped, Effect.provide(Logger.replace(Logger.defaultLogger, logger)))
      expect(lines.filter((line) => line.includes("Health check"))).toEqual([
        `Health check "database" failed: connection refused`,
        `Health check "database" passes again`
      ])
    }))

  it.scoped("listens on the loopback interface, or on a Unix socket whose file is gone afterwards", () =>
    Effect.gen(function*() {
      const { app } = makeApp()
      const { context } = yield* launchWithHealth(app)
      expect(HttpServer.formatAddress(Context.get(context, Admin.Admin).address)).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)

      const directory = Fs.mkdtempSync(Path.join(Os.tmpdir(), "quiesce-admin-"))
      yield* Effect.addFinalizer(() => Effect.sync(() => Fs.rmSync(directory, { recursive: true })))
      const path = Path.join(directory, "admin.sock")
      const running = yield* launchWithHealth(app, { admin: { path } })
      expect(yield* ask({ path }, "/readyz")).toEqual({ status: 200, body: "ok" })
      yield* running.stop
      expect(Fs.existsSync(path)).toBe(false)
    }))

  it.scoped("fails with what is wrong when it cannot listen", () =>
    Effect.gen(function*() {
      const { app } = makeApp()
      const { admin } = yield* launchWithHealth(app)
      const error = yield* Effect.flip(launchWithHealth(app, { admin: { port: "port" in admin ? admin.port : 0 } }))
      expect(error).toMatchObject({ _tag: "ListenError", reason: "AddressInUse" })
    }))

  it.scoped("is in no trace: neither what it is asked, nor its own end", () =>
    Effect.gen(function*() {
      const { app } = makeApp()
      const native = yield* Effect.tracer
      const spans: Array<string> = []
      const tracer = tracerThat(native, (name, make) => {
        spans.push(name)
        return make()
      })
      const running = yield* Effect.withTracer(launchWithHealth(app), tracer)
      yield* ask(running.admin, "/metrics")
      yield* ask(running.admin, "/readyz")
      yield* ask(running.target, "/")
      yield* running.stop
      expect(spans.filter((name) => name.endsWith("GET"))).toHaveLength(1)
      expect(spans.filter((name) => name === "quiesce.shutdown")).toHaveLength(1)
    }))

  it.scoped("has nothing else to say", () =>
    Effect.gen(function*() {
      const { app } = makeApp()
      const { admin } = yield* launchWithHealth(app)
      expect(yield* ask(admin, "/hold")).toMatchObject({ status: 404 })
    }))

  it.scoped("can be mounted in an app of the user's own", () =>
    Effect.gen(function*() {
      const layer = HttpRouter.empty.pipe(HttpRouter.mount("/admin", Admin.router()), HttpServer.serve()).pipe(
        Layer.provide(Health.layer),
        Layer.provideMerge(NodeHttpServer.layer(() => createServer(), { host: "127.0.0.1", port: 0 }))
      )
      const { target } = yield* launch(
        layer,
        (context) => targetOf(Context.get(context, HttpServer.HttpServer).address)
      )
      expect(yield* ask(target, "/admin/livez?verbose")).toMatchObject({ body: "[+]ping ok\nlivez check passed\n" })
      expect(yield* json(target, "/admin/requests")).toMatchObject({ requests: [{ path: "/admin/requests" }] })
      expect(yield* ask(target, "/admin/metrics")).toMatchObject({ status: 200 })
    }))
})
