import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { makeApp, servingHeld } from "../../support/handlers.js"
import {
  answer,
  client,
  ended,
  get,
  idleAfterOne,
  responses,
  send,
  serving,
  untilStates
} from "../../support/running.js"
import { pace } from "../../support/wait.js"

// Node's timers are Node's: these tests take real time, with limits of a tenth of a second. What is asserted is what
// happens and what does not; never how soon.

const quick = { connectionsCheckingInterval: 20 }

const idleFor = (ms: number) => Effect.promise(() => pace(ms))

describe("Node's own timeouts", () => {
  it.scoped("G6 half a head is answered with 408 and closed, where Go closes without a word", () =>
    Effect.gen(function*() {
      const { app } = makeApp()
      const running = yield* serving(app, { node: { ...quick, headersTimeout: 100, requestTimeout: 100 } })
      const half = yield* client(running.target)
      yield* send(half, "GET / HTTP/1.1\r\nHos")
      expect(yield* answer(half)).toMatchObject({ status: 408, connection: "close" })
      expect(yield* ended(half)).toBe("fin")
      yield* untilStates(running.server)
    }))

  it.scoped("G7 a head that is too large is answered with 431 and closed, and no handler runs", () =>
    Effect.gen(function*() {
      const { app, gate } = makeApp()
      const running = yield* serving(app, { node: { maxHeaderSize: 1024 } })
      const large = yield* client(running.target)
      yield* send(large, get("/hold", `X-Large: ${"x".repeat(2048)}`))
      expect(yield* answer(large)).toMatchObject({ status: 431, connection: "close" })
      yield* untilStates(running.server)
      expect(gate.started).toBe(0)
    }))

  it.scoped("G8 go on during a drain, and may themselves end it", () =>
    Effect.gen(function*() {
      const { app } = makeApp()
      const running = yield* serving(app, { node: { ...quick, headersTimeout: 200, requestTimeout: 200 } })
      const half = yield* client(running.target)
      yield* send(half, "GET / HTTP/1.1\r\nHos")
      // the clock of the server stands still: what ends this drain is not the deadline
      const report = yield* running.stop
      expect((yield* answer(half)).status).toBe(408)
      expect(report).toMatchObject({ outcome: "Drained", cut: [], forceClosed: [] })
      expect(report.connections).toEqual({ open: 1, accepted: 0, completed: 1, idleClosed: 0, cut: 0 })
    }))

  it.scoped("G8 half a body is timed out during a drain", () =>
    Effect.gen(function*() {
      const { app, executed } = makeApp()
      const running = yield* serving(app, { node: { ...quick, headersTimeout: 200, requestTimeout: 200 } })
      const half = yield* client(running.target)
      yield* send(half, "POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 8\r\n\r\nhalf")
      const report = yield* running.stop
      expect((yield* answer(half)).status).toBe(408)
      expect(report).toMatchObject({ outcome: "Drained", cut: [], forceClosed: [] })
      expect(executed).toEqual([])
    }))
})

describe("Go's tests of timeouts", () => {
  it.scoped("T48 TestServerIdleTimeout: an idle connection is closed, and half a head is cut all the same", () =>
    Effect.gen(function*() {
      const { app } = makeApp()
      const running = yield* serving(app, {
        // Node 20.19 and later add a second to what they announce
        node: { ...quick, keepAliveTimeout: 100, headersTimeout: 200, requestTimeout: 200 }
      })
      const idle = yield* idleAfterOne(running.target)
      const half = yield* client(running.target)
      yield* send(half, "GET / HTTP/1.1\r\nHos")
      expect(yield* ended(idle)).toBe("fin")
      expect(yield* ended(half)).toBe("fin")
      yield* untilStates(running.server)
      // a new connection gets its answer
      expect((yield* answer(yield* idleAfterOne(running.target))).status).toBe(200)
    }))

  it.scoped("T49 TestServerCancelsReadTimeoutWhenIdle: the time of a handler is not that of its request", () =>
    Effect.gen(function*() {
      const { gate, held: busy } = yield* servingHeld({ node: { ...quick, headersTimeout: 100, requestTimeout: 100 } })
      yield* idleFor(300)
      yield* gate.open
      expect(yield* answer(busy)).toEqual({ status: 200, body: "held", connection: "keep-alive" })
    }))

  it.scoped("T50 TestServerCancelsReadHeaderTimeoutWhenIdle: idle time is not that of the next head", () =>
    Effect.gen(function*() {
      const { app } = makeApp()
      const running = yield* serving(app, {
        node: { ...quick, keepAliveTimeout: 5000, headersTimeout: 100, requestTimeout: 100 }
      })
      const idle = yield* idleAfterOne(running.target)
      yield* idleFor(300)
      yield* send(idle, get("/"))
      expect((yield* responses(idle, 2))[1]?.status).toBe(200)
    }))
})
