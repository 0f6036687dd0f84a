import { describe, expect, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/TestClock"
import { makeApp, servingHeld } from "../../support/handlers.js"
import { client, get, idleAfterOne, post, responses, send, serving, until, untilStates } from "../../support/running.js"

// A client that leaves in the middle of everything: nothing of it is left, and the shutdown neither waits for it nor
// calls it a failure.

const half = "POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 8\r\n\r\nhalf"

/** Where a client may be when it leaves, and what the server knows of it then. */
const places = {
  "before its first byte": { sends: "", state: "New" },
  "in the middle of a head": { sends: "GET / HTTP/1.1\r\nHos", state: "New" },
  "in the middle of a body": { sends: half, state: "Active" },
  "while a handler works": { sends: get("/hold"), state: "Active" },
  "in the middle of a response": { sends: get("/stream"), state: "Active" },
  "between two requests": { sends: get("/"), state: "Idle" },
  "with requests in its pipeline": { sends: get("/hold") + post("/echo", "one") + get("/hold"), state: "Active" }
} as const

const ways = {
  leaves: (raw: { readonly leave: () => void }) => raw.leave(),
  resets: (raw: { readonly abort: () => void }) => raw.abort()
}

describe("a client that leaves", () => {
  for (const [where, { sends, state }] of Object.entries(places)) {
    for (const [how, go] of Object.entries(ways)) {
      it.scoped(`${where}, during the drain, ends it (${how})`, () =>
        Effect.gen(function*() {
          const { app, gate } = makeApp()
          const running = yield* serving(app)
          const raw = yield* client(running.target)
          if (sends !== "") yield* send(raw, sends)
          yield* untilStates(running.server, state)
          if (sends.includes("/stream")) yield* Effect.promise(() => raw.untilText("first", 15_000))
          yield* running.drain
          go(raw)
          const report = yield* running.report
          // at once: the clock stands still
          expect(report).toMatchObject({
            outcome: "Drained",
            duration: Duration.zero,
            served: 0,
            cut: [],
            forceClosed: [],
            handlers: { interrupted: 0, abandoned: 0 }
          })
          expect(report.connections).toEqual({ open: 1, accepted: 0, completed: 1, idleClosed: 0, cut: 0 })
          expect(gate.interrupted).toBe(gate.started)
          expect(gate.passed).toBe(0)
        }))
    }

    it.scoped(`${where}, while the server serves, leaves nothing for the drain to wait for`, () =>
      Effect.gen(function*() {
        const { app, gate } = makeApp()
        const running = yield* serving(app)
        const raw = yield* client(running.target)
        if (sends !== "") yield* send(raw, sends)
        yield* untilStates(running.server, state)
        if (sends.includes("/stream")) yield* Effect.promise(() => raw.untilText("first", 15_000))
        raw.leave()
        yield* untilStates(running.server)
        const report = yield* running.stop
        expect(report).toMatchObject({ outcome: "Drained", duration: Duration.zero, served: 0, cut: [] })
        expect(report.connections).toEqual({ open: 0, accepted: 0, completed: 0, idleClosed: 0, cut: 0 })
        expect(gate.interrupted).toBe(gate.started)
      }))
  }

  it.scoped("after the deadline, before it was cut, is not reported as cut", () =>
    Effect.gen(function*() {
      const { app, gate } = makeApp()
      const running = yield* serving(app, { timeout: "1 second", killTimeout: "10 seconds" })
      const raw = yield* client(running.target)
      yield* send(raw, get("/stubborn"))
      yield* gate.untilStarted(1)
      yield* running.drain
      yield* TestClock.adjust("2 seconds")
      raw.leave()
      yield* untilStates(running.server)
      yield* gate.open
      const report = yield* running.report
      expect(report).toMatchObject({ outcome: "Drained", cut: [], handlers: { interrupted: 1, abandoned: 0 } })
      expect(report.connections).toEqual({ open: 1, accepted: 0, completed: 1, idleClosed: 0, cut: 0 })
    }))

  it.scoped("does not keep another from its answer", () =>
    Effect.gen(function*() {
      const { app, gate } = makeApp()
      const running = yield* serving(app)
      const stays = yield* client(running.target)
      yield* send(stays, get("/hold"))
      const leaves = yield* client(running.target)
      yield* send(leaves, get("/hold"))
      yield* gate.untilStarted(2)
      yield* running.drain
      leaves.leave()
      yield* untilStates(running.server, "Active")
      yield* gate.open
      expect((yield* responses(stays, 1))[0]?.body.toString()).toBe("held")
      expect((yield* running.report).connections).toEqual({ open: 2, accepted: 0, completed: 2, idleClosed: 0, cut: 0 })
    }))

  it.scoped("only half, by ending its own side, has left for Node as it has for Go (F2)", () =>
    Effect.gen(function*() {
      const { gate, held: raw, running } = yield* servingHeld()
      yield* running.drain
      raw.halfClose()
      expect(yield* running.report).toMatchObject({ outcome: "Drained", served: 0, cut: [] })
      expect(gate.interrupted).toBe(1)
    }))

  it.scoped("right after its answer, is counted as served", () =>
    Effect.gen(function*() {
      const { app } = makeApp()
      const running = yield* serving(app)
      const raw = yield* idleAfterOne(running.target)
      yield* running.drain
      yield* send(raw, get("/"))
      yield* responses(raw, 2)
      raw.leave()
      expect(yield* running.report).toMatchObject({ outcome: "Drained", served: 1 })
      yield* until("no connection", () => Effect.runSync(running.server.connections).length === 0)
    }))
})
