import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Logger from "effect/Logger"
import * as Scope from "effect/Scope"
import { once } from "node:events"
import * as Http from "node:http"
import type { AddressInfo } from "node:net"
import { mock } from "node:test"
import { setTimeout as afterMillis } from "node:timers/promises"
import { afterEach, describe, expect, it, vi } from "vitest"
import { NodeHttpServer, Server } from "../../../src/index.js"
import { quiesce } from "../../../src/promise.js"
import { onTestClock } from "../../support/effect/testServices.js"
import { timerGrain, waitFor } from "../../support/wait.js"

// Tests replace the timers and the clock of their process: a shutdown neither hangs for that, nor ends before its time.

const limit = 15_000

const kinds: ReadonlyArray<readonly [name: string, install: () => void]> = [
  ["vi.useFakeTimers()", () => vi.useFakeTimers({ now: new Date("2001-01-01") })],
  [
    "all that vitest can replace",
    () =>
      vi.useFakeTimers({
        now: 0,
        toFake: [
          "setTimeout",
          "clearTimeout",
          "setInterval",
          "clearInterval",
          "setImmediate",
          "clearImmediate",
          "Date",
          "performance",
          "hrtime",
          "queueMicrotask"
        ]
      })
  ],
  [
    "the mock timers of node:test",
    () => mock.timers.enable({ apis: ["setTimeout", "setInterval", "setImmediate", "Date"] })
  ]
]

afterEach(() => {
  vi.useRealTimers()
  mock.timers.reset()
})

const ask = async (nodeServer: Http.Server) => {
  const { port } = nodeServer.address() as AddressInfo
  const request = Http.get({ host: "127.0.0.1", port, agent: new Http.Agent({ keepAlive: true }) })
  const answered = new Promise<string>((resolve, reject) => {
    request.on("response", (response) => {
      let body = ""
      response.setEncoding("utf8").on("data", (text) => body += text).on("end", () => resolve(body)).on("error", reject)
    }).on("error", reject)
  })
  return { answered }
}

/** A server with a request in flight, and how to answer that. */
const inFlight = async (options: Parameters<typeof quiesce>[1]) => {
  let answer = () => {}
  const nodeServer = Http.createServer((_, response) => {
    answer = () => void response.end("whole")
  }).listen(0, "127.0.0.1")
  await once(nodeServer, "listening")
  const server = quiesce(nodeServer, { logger: false, idleGrace: "100 millis", ...options })
  return { nodeServer, server, answer: () => answer() }
}

for (const [name, install] of kinds) {
  describe(name, () => {
    it("does not hold up a shutdown, whose graces and hooks are those of the machine", async () => {
      const { answer, nodeServer, server } = await inFlight({ timeout: "5 seconds", lameDuck: "50 millis" })
      const { answered } = await ask(nodeServer)
      await waitFor("the request", () => server.connections()[0]?.inFlight.length === 1, limit)
      server.onShutdown("hangs", () => new Promise(() => {}), { timeout: "50 millis" })
      install()
      const stopped = server.shutdown()
      await afterMillis(200)
      answer()
      expect(await answered).toBe("whole")
      expect(await waitFor("the report", stopped, limit)).toMatchObject({
        outcome: "Drained",
        served: 1,
        hooks: [{ outcome: "TimedOut" }]
      })
    })

    it("does not speed it up: the deadline does not come with the fake time, and comes with the real one", async () => {
      const { nodeServer, server } = await inFlight({ timeout: "600 millis", killTimeout: "50 millis" })
      const { answered } = await ask(nodeServer)
      answered.catch(() => {})
      await waitFor("the request", () => server.connections()[0]?.inFlight.length === 1, limit)
      install()
      const before = machineNanos()
      const stopped = server.shutdown()
      await afterMillis(50)
      if (vi.isFakeTimers()) await vi.advanceTimersByTimeAsync(3_600_000)
      else mock.timers.tick(3_600_000)
      expect(server.phase()).toBe("Draining")
      expect(await waitFor("the report", stopped, limit)).toMatchObject({ outcome: "DeadlineExceeded" })
      expect(Number(machineNanos() - before) / 1e6).toBeGreaterThanOrEqual(600 - timerGrain)
    })

    it("is no hindrance to an Effect app, whose scope closes", async () => {
      const nodeServer = Http.createServer()
      const scope = Effect.runSync(Scope.make())
      const made = NodeHttpServer.make(() => nodeServer, { port: 0, host: "127.0.0.1", idleGrace: "100 millis" })
      const http = await Effect.runPromise(Scope.extend(made, scope))
      await Effect.runPromise(Scope.extend(http.serve(Effect.succeed(HttpServerResponse.text("hello"))), scope))
      const { answered } = await ask(nodeServer)
      expect(await answered).toBe("hello")
      install()
      const closed = Effect.runPromise(Scope.close(scope, Exit.void))
      await waitFor("the end", closed, limit)
      expect(nodeServer.listening).toBe(false)
    })
  })
}

const machineNanos = process.hrtime.bigint

describe("TestClock", () => {
  it("that stands still while a shutdown waits is told of once, in real time", async () => {
    const said: Array<string> = []
    const gate = Effect.unsafeMakeLatch(false)
    const logger = Logger.make(({ message }) => void said.push(String(message)))
    const hints = () => said.filter((message) => message.includes("stood still"))
    const scope = Effect.runSync(Scope.make())
    const server = await Effect.runPromise(
      Effect.tap(Server.make({ timeout: "1 hour" }), (server) => server.onShutdown("waits", gate.await)).pipe(
        Scope.extend(scope),
        onTestClock,
        Effect.provide(Logger.replace(Logger.defaultLogger, logger))
      )
    )
    const stopped = Effect.runPromise(server.shutdown)
    await waitFor(() => `the hint, after ${said.join("; ")}`, () => hints().length > 0, limit)
    Effect.runSync(gate.open)
    expect(await waitFor("the report", stopped, limit)).toMatchObject({ outcome: "Drained" })
    expect(hints()).toEqual([
      expect.stringMatching(/^This shutdown waits for a clock .* \(TestClock\?\): adjust it, as with TestClock\.adjust/)
    ])
  })
})
