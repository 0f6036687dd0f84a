import * as HttpServer from "@effect/platform/HttpServer"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as TestClock from "effect/TestClock"
import { createServer } from "node:http"
import * as Http2 from "node:http2"
import { NodeHttpServer, Server } from "../../../src/index.js"
import { printAddress } from "../../../src/internal/model/listener.js"
import { makeApp, servingHeld } from "../../support/handlers.js"
import {
  client,
  get,
  idleAfterOne,
  limit,
  remoteAddress,
  send,
  serving,
  until,
  untilPhase
} from "../../support/running.js"
import { collectLog } from "./collectLog.js"

// The log says what a stopping server is doing and waiting for: to people in its message, to machines in annotations.

describe("the log of a shutdown", () => {
  it.scoped("that hangs on one slow request says which one, from whom, and for how long", () => {
    const log = collectLog()
    return Effect.gen(function*() {
      const { app, gate } = makeApp()
      const { drain, report, target } = yield* serving(app, { timeout: "30 seconds" })
      const idle = yield* idleAfterOne(target)
      const slow = yield* client(target)
      yield* send(slow, get("/hold?report=2026"))
      yield* gate.untilStarted(1)
      yield* TestClock.adjust("5 seconds")
      yield* drain
      yield* Effect.promise(() => idle.untilEnded(limit))
      yield* TestClock.adjust("1 second")
      const waiting = yield* until("a line of progress", () => log.find(/^Draining: waiting for/))
      expect(waiting.logLevel).toBe("INFO")
      expect(waiting.message).toBe(
        `Draining: waiting for 1 connection (1 Active); GET /hold?report=2026 from ${
          remoteAddress(slow)
        } (6s); 29s left`
      )
      expect(waiting.annotations).toEqual({
        event: "Waiting",
        listeners: [expect.stringMatching(/^127\.0\.0\.1:\d+$/)],
        phase: "Draining",
        connections: { Active: 1 },
        inFlight: 1,
        requests: [{
          method: "GET",
          path: "/hold?report=2026",
          remoteAddress: remoteAddress(slow),
          ageMillis: 6000
        }],
        leftMillis: 29_000
      })
      yield* gate.open
      yield* report
    }).pipe(Effect.provide(log.layer))
  })

  it.scoped("says how long the phase has left, also after a lame duck that ended early", () => {
    const log = collectLog()
    return Effect.gen(function*() {
      const { gate, running } = yield* servingHeld({ lameDuck: "20 seconds", timeout: "3 seconds" })
      yield* running.interrupt
      yield* untilPhase(running.server, "LameDuck")
      yield* TestClock.adjust("1 second")
      const serving = yield* until("a line of the lame duck", () => log.find(/^LameDuck: waiting for/))
      expect(serving.message).toMatch(/; 19s of the lame duck left, then up to 3s$/)
      yield* running.server.drainNow
      yield* untilPhase(running.server, "Draining")
      yield* TestClock.adjust("1 second")
      const draining = yield* until("a line of the drain", () => log.find(/^Draining: waiting for/))
      expect(draining.message).toMatch(/; 2s left$/)
      expect(draining.annotations).toMatchObject({ leftMillis: 2000 })
      yield* gate.open
      yield* running.report
    }).pipe(Effect.provide(log.layer))
  })

  it.scoped("says once that a lame duck without a request waits for time", () => {
    const log = collectLog()
    return Effect.gen(function*() {
      const running = yield* serving(makeApp().app, { lameDuck: "1 minute" })
      yield* idleAfterOne(running.target)
      yield* running.interrupt
      yield* untilPhase(running.server, "LameDuck")
      for (let n = 0; n < 30; n++) yield* TestClock.adjust("1 second")
      const said = log.lines().map(({ message }) => String(message)).filter((line) => line.startsWith("LameDuck"))
      expect(said).toHaveLength(1)
      expect(said[0]).toMatch(
        /^LameDuck: still serving, no request in flight; .*; 59s of the lame duck left, then up to 8s$/
      )
      yield* running.server.close
    }).pipe(Effect.provide(log.layer))
  })

  // nobody was sent to it, and nobody has to be told to leave; the clock does not move here
  it.effect("does not hide why a start has failed, nor does a lame duck put it off", () => {
    const log = collectLog()
    return Effect.gen(function*() {
      const failed = Layer.effectDiscard(Effect.fail("cannot connect to postgres"))
      const policy = { lameDuck: "1 minute", host: "127.0.0.1" } as const
      const start = (port: number) =>
        HttpServer.serve(Effect.succeed(HttpServerResponse.text("hello"))).pipe(
          Layer.provide(failed),
          Layer.provide(NodeHttpServer.layer(() => createServer(), { ...policy, port }))
        )
      const exits = yield* Effect.forEach([0, 99_999], (port) => Effect.exit(Effect.scoped(Layer.build(start(port)))))
      expect(exits.map((exit) => Exit.isFailure(exit))).toEqual([true, true])
      expect(log.lines()).toEqual([])
    }).pipe(Effect.provide(log.layer))
  })

  it.scoped("says each phase, each hook and the report, and what the report says", () => {
    const log = collectLog()
    return Effect.gen(function*() {
      const { app, gate } = makeApp()
      const { interrupt, report, server, target } = yield* serving(app, {
        lameDuck: "5 seconds",
        timeout: "10 seconds",
        killTimeout: "1 second"
      })
      yield* server.onShutdown("flush", Effect.sleep("2 seconds"))
      yield* server.onShutdown("notify", Effect.fail("nobody there"))
      const slow = yield* client(target)
      yield* send(slow, get("/hold"))
      yield* gate.untilStarted(1)
      yield* interrupt
      yield* untilPhase(server, "LameDuck")
      yield* TestClock.adjust("5 seconds")
      yield* until("the failed hook", () => log.find(/"notify" Failed/))
      yield* TestClock.adjust("2 seconds")
      yield* until("the hook", () => log.find(/"flush" Succeeded/))
      yield* TestClock.adjust("8 seconds")
      yield* report
      const said = log.lines().filter(({ message }) => !/waiting for/.test(String(message)))
      expect(said.map(({ annotations, logLevel, message }) => [
        logLevel,
        String(message).replace(/,Error: .*|\n.*/gs, ""),
        annotations["phase"]
      ])).toEqual([
        [
          "INFO",
          "Shutting down: serving on for 5s, then draining for up to 10s; 1 connection open (1 Active)",
          "LameDuck"
        ],
        ["INFO", "Draining: accepting no more; 1 connection (1 Active)", "Draining"],
        ["WARN", `Shutdown hook "notify" Failed after 0ms`, undefined],
        ["INFO", `Shutdown hook "flush" Succeeded after 2s`, undefined],
        ["WARN", "The deadline has passed: 1 request in flight; 1 handler interrupted", "Draining"],
        [
          "ERROR",
          expect.stringMatching(
            /^Shut down in 15s \(DeadlineExceeded\): .*; 1 request cut; cut GET \/hold from .* after 15s \(its client received 503\)$/
          ),
          "Closed"
        ]
      ])
      expect(said[0]?.annotations).toMatchObject({ lameDuckMillis: 5000, timeoutMillis: 10_000, inFlight: 1 })
      expect(said[3]?.annotations).toMatchObject({ hook: "flush", outcome: "Succeeded", durationMillis: 2000 })
      expect(said[4]?.annotations).toMatchObject({ inFlight: 1, requests: [{ path: "/hold" }] })
      expect(said[5]?.annotations).toMatchObject({
        outcome: "DeadlineExceeded",
        durationMillis: 15_000,
        lameDuckMillis: 5000,
        drainingMillis: 10_000,
        cut: 1,
        cutRequests: [{ method: "GET", path: "/hold", remoteAddress: remoteAddress(slow), clientReceived: "503" }],
        handlers: { interrupted: 1, abandoned: 0 },
        hooks: [{ name: "flush", outcome: "Succeeded" }, { name: "notify", outcome: "Failed" }]
      })
    }).pipe(Effect.provide(log.layer))
  })

  it.scoped("names no time that is left once `close` has been called", () => {
    const log = collectLog()
    return Effect.gen(function*() {
      const begun = yield* Deferred.make<void>()
      const stubborn = Effect.uninterruptible(Effect.zipRight(Deferred.succeed(begun, undefined), Effect.never))
      const { drain, server, target } = yield* serving(stubborn, { timeout: "30 seconds", killTimeout: "10 seconds" })
      yield* send(yield* client(target), get("/"))
      yield* Deferred.await(begun)
      yield* drain
      const closing = yield* Effect.fork(server.close)
      yield* until("the close", () => log.find(/^Closing at once/))
      yield* TestClock.adjust("1 second")
      const { annotations, message } = yield* until("a line of progress", () => log.find(/waiting for/))
      expect(message).not.toMatch(/\bleft\b/)
      expect(annotations).not.toHaveProperty("leftMillis")
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.join(closing)
    }).pipe(Effect.provide(log.layer))
  })

  it.scoped("is short however many requests there are and whatever they are called", () => {
    const log = collectLog()
    return Effect.gen(function*() {
      const { app, gate } = makeApp()
      const { drain, report, target } = yield* serving(app, { timeout: "30 seconds" })
      for (let n = 0; n < 60; n++) yield* send(yield* client(target), get(`/hold?${"long".repeat(1000)}`))
      yield* gate.untilStarted(60)
      yield* drain
      yield* TestClock.adjust("1 second")
      const waiting = yield* until("a line of progress", () => log.find(/^Draining: waiting for/))
      expect(waiting.message).toMatch(/; and 55 more; /)
      expect(waiting.annotations).toMatchObject({ inFlight: 60, connections: { Active: 60 } })
      expect(waiting.annotations["requests"]).toHaveLength(20)
      // one that is cut, too
      yield* TestClock.adjust("31 seconds")
      yield* report
      expect(log.find(/^Shut down/)?.annotations).toMatchObject({ cut: 60 })
      expect(log.find(/^Shut down/)?.annotations["cutRequests"]).toHaveLength(20)
      expect(Math.max(...log.raw.map(({ length }) => length))).toBeLessThan(10_000)
    }).pipe(Effect.provide(log.layer))
  })

  // Node's parser of HTTP/1.1 refuses control characters, that of HTTP/2 lets those of 8 bits through
  it.scopedLive("has nothing in it that a terminal would obey", () => {
    const log = collectLog()
    return Effect.gen(function*() {
      const server = yield* Server.make({ timeout: "5 seconds" })
      let answer = () => {}
      const listener = yield* server.listen(() =>
        Http2.createServer((_, response) => {
          answer = () => response.end("late")
        }), { port: 0, host: "127.0.0.1" })
      const client = yield* Effect.acquireRelease(
        Effect.sync(() => Http2.connect(`http://${printAddress(listener.address)}`)),
        (client) => Effect.sync(() => client.destroy())
      )
      client.on("error", () => {}).request({ ":path": "/hold?\u009b2J" }).on("error", () => {}).end()
      yield* until("the request", () => Effect.runSync(server.connections)[0]?.inFlight[0]?.path === "/hold?\u009b2J")
      const stopped = yield* Effect.fork(server.shutdown)
      const waiting = yield* until("a line of progress", () => log.find(/^Draining: waiting for/))
      expect(waiting.message).toMatch(/GET \/hold\?\\x9b2J from/)
      expect(waiting.annotations).toMatchObject({ requests: [{ path: "/hold?\\x9b2J" }] })
      answer()
      yield* Fiber.join(stopped)
    }).pipe(Effect.provide(log.layer))
  })

  it.scoped("cannot harm it: a logger that throws at every line is nobody's loss", () =>
    Effect.gen(function*() {
      const { gate, running } = yield* servingHeld({ timeout: "30 seconds" })
      yield* running.drain
      yield* TestClock.adjust("1 second")
      yield* gate.open
      expect(yield* running.report).toMatchObject({ outcome: "Drained", served: 1 })
    }).pipe(Effect.provide(Logger.replace(
      Logger.defaultLogger,
      Logger.make(() => {
        throw new Error("the disk is full")
      })
    ))))
})
