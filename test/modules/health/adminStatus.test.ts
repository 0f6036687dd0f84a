import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/TestClock"
import * as Http from "node:http"
import type { AdminStatus } from "../../../src/Admin.js"
import { quiesce } from "../../../src/promise.js"
import { makeApp } from "../../support/handlers.js"
import { listenOnLoopback, portOf } from "../../support/nodeServer.js"
import type { Target } from "../../support/rawClient.js"
import { answer, client, get, limit, send, silent, untilPhase } from "../../support/running.js"
import { deferred, pace, waitFor } from "../../support/wait.js"
import { launchWithHealth } from "./appWithHealth.js"

// The JSON of what the page shows.

const status = (target: Target) =>
  Effect.gen(function*() {
    const one = yield* client(target)
    yield* send(one, get("/status", "Connection: close"))
    return JSON.parse((yield* answer(one)).body ?? "") as AdminStatus
  })

const fetched = async (port: number) => await (await fetch(`http://127.0.0.1:${port}/status`)).json() as AdminStatus

describe("/status", () => {
  it.scoped("has the hooks, the background work, and the time left of each phase", () =>
    Effect.gen(function*() {
      const { app, gate } = makeApp()
      const running = yield* launchWithHealth(app, { lameDuck: "20 seconds", timeout: "1 minute" })
      const { admin, server, target } = running
      const flushed = yield* Deferred.make<void>()
      yield* server.onShutdown("flush", Deferred.await(flushed))
      yield* server.onShutdown("notify", Effect.void)
      for (const name of ["orders", "orders", "mail"]) yield* server.background(name, Deferred.await(flushed))
      yield* send(yield* client(target), get("/hold?token=1"))
      yield* gate.untilStarted(1)
      const serving = yield* status(admin)
      expect(serving).toEqual({
        phase: "Serving",
        listeners: [expect.stringMatching(/^127\.0\.0\.1:\d+$/)],
        connections: 1,
        inFlight: 1,
        served: 0,
        accepted: 1,
        hooks: [{ name: "flush", state: "Waiting" }, { name: "notify", state: "Waiting" }],
        background: [{ name: "orders", count: 2 }, { name: "mail", count: 1 }]
      })

      yield* running.interrupt
      yield* untilPhase(server, "LameDuck")
      yield* TestClock.adjust("5 seconds")
      expect(yield* status(admin)).toEqual({
        ...serving,
        phase: "LameDuck",
        leftMillis: 15_000,
        timeoutMillis: 60_000,
        shutdownMillis: 5000
      })

      yield* server.drainNow
      yield* Effect.repeat(status(admin), {
        until: ({ hooks, phase }) => phase === "Draining" && hooks[1]?.state === "Succeeded"
      })
      yield* TestClock.adjust("3 seconds")
      expect(yield* status(admin)).toMatchObject({
        phase: "Draining",
        leftMillis: 57_000,
        shutdownMillis: 8000,
        hooks: [
          { name: "flush", state: "Running", durationMillis: 3000 },
          { name: "notify", state: "Succeeded", durationMillis: 0 }
        ],
        background: [{ name: "orders", count: 2 }, { name: "mail", count: 1 }]
      })
      yield* Deferred.succeed(flushed, undefined)
      yield* gate.open
      yield* running.exit
    }).pipe(Effect.provide(silent)))

  it("has no time left where there is no deadline, and the report at the end, with what failed as text", async () => {
    const finished = deferred()
    const released = deferred()
    const arrived = deferred()
    const node = await listenOnLoopback(Http.createServer((_, response) => {
      arrived.resolve()
      void released.promise.then(() => response.end("whole"))
    }))
    const server = quiesce(node, {
      admin: 0,
      logger: false,
      timeout: Number.POSITIVE_INFINITY,
      finally: () => finished.promise
    })
    const { port } = (await server.admin)!
    server.onShutdown("flush", () => {
      throw new TypeError("no such table")
    })
    const slow = fetch(`http://127.0.0.1:${portOf(node)}/slow?secret=1`)
    await arrived.promise
    void server.shutdown()
    const failed = async (): Promise<AdminStatus> => {
      const now = await fetched(port)
      return now.hooks[0]?.state === "Failed" ? now : pace(10).then(failed)
    }
    const draining = await waitFor("the hook to fail", failed(), limit)
    expect(draining).toMatchObject({ phase: "Draining", inFlight: 1 })
    expect(Object.keys(draining)).toContain("shutdownMillis")
    expect(Object.keys(draining)).not.toContain("leftMillis")
    released.resolve()
    expect(await (await slow).text()).toBe("whole")
    await waitFor("the end of the drain", () => server.phase() === "Closed", limit)
    const closed = await fetched(port)
    expect(Object.keys(closed)).not.toContain("shutdownMillis")
    expect(closed).toMatchObject({
      phase: "Closed",
      connections: 0,
      served: 1,
      report: {
        outcome: "Drained",
        served: 1,
        hooks: [{ name: "flush", outcome: "Failed", error: "no such table" }],
        cut: []
      }
    })
    finished.resolve()
    await server.closed
  })

  it("counts the hooks and the background work that it does not list", async () => {
    const released = deferred()
    const server = quiesce(await listenOnLoopback(Http.createServer()), { admin: 0, logger: false })
    const { port } = (await server.admin)!
    for (let nth = 0; nth < 23; nth++) {
      server.onShutdown(`hook ${nth}`, () => {})
      for (const promise of [released.promise, released.promise]) server.track(`work ${nth}`, promise)
    }
    const { background, hooks, ...counts } = await fetched(port)
    expect([hooks.length, background.length]).toEqual([20, 20])
    expect(counts).toMatchObject({ moreHooks: 3, moreBackground: 6 })
    released.resolve()
    await server.shutdown()
  })
})
