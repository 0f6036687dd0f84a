import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as TestClock from "effect/TestClock"
import { Connection } from "../../../src/index.js"
import * as HttpRouter from "../../support/effect/httpRouter.js"
import { type Gate, makeGate } from "../../support/handlers.js"
import { client, ended, get, responses, send, serving, until, untilStates } from "../../support/running.js"

/** What is acquired once per connection: numbered, and it says when it is released. */
const makeSession = (options: { readonly acquiring?: Gate; readonly fails?: (attempt: number) => boolean } = {}) => {
  const log: Array<string> = []
  let attempts = 0
  const session = Connection.once(Effect.gen(function*() {
    const attempt = ++attempts
    yield* Effect.acquireRelease(
      Effect.sync(() => log.push(`acquired ${attempt}`)),
      () => Effect.sync(() => log.push(`released ${attempt}`))
    )
    if (options.acquiring !== undefined) yield* options.acquiring.pass
    if (options.fails?.(attempt) === true) return yield* Effect.fail(`attempt ${attempt}`)
    return attempt
  }))
  return { session, log }
}

const text = (value: unknown) => HttpServerResponse.text(String(value))

const bodies = (raw: Parameters<typeof responses>[0], count: number) =>
  Effect.map(responses(raw, count), (all) => all.map(({ body, status }) => `${status} ${body.toString()}`))

describe("Connection.once", () => {
  it.scoped("acquires for the first request of a connection, and releases when that has closed", () =>
    Effect.gen(function*() {
      const { log, session } = makeSession()
      const running = yield* serving(HttpRouter.empty.pipe(HttpRouter.get("/", Effect.map(session, text))))
      const first = yield* client(running.target)
      for (let n = 1; n <= 3; n++) {
        yield* send(first, get("/"))
        yield* responses(first, n)
      }
      expect(yield* bodies(first, 3)).toEqual(["200 1", "200 1", "200 1"])
      const second = yield* client(running.target)
      yield* send(second, get("/"))
      expect(yield* bodies(second, 1)).toEqual(["200 2"])
      expect(log).toEqual(["acquired 1", "acquired 2"])
      first.leave()
      yield* until("the release", () => log.length === 3)
      expect(log[2]).toBe("released 1")
      second.leave()
      yield* until("the other release", () => log.length === 4)
      expect(log[3]).toBe("released 2")
    }))

  it.scoped("is shared by two pipelined requests that both wait for it", () =>
    Effect.gen(function*() {
      const acquiring = makeGate()
      const { log, session } = makeSession({ acquiring })
      let asked = 0
      const handler = Effect.flatMap(Effect.sync(() => asked++), () => Effect.map(session, text))
      const running = yield* serving(HttpRouter.empty.pipe(HttpRouter.get("/", handler)))
      const raw = yield* client(running.target)
      yield* send(raw, get("/") + get("/"))
      yield* until("both requests", () => asked === 2)
      expect(log).toEqual(["acquired 1"])
      yield* acquiring.open
      expect(yield* bodies(raw, 2)).toEqual(["200 1", "200 1"])
      expect(log).toEqual(["acquired 1"])
    }))

  it.scoped("tries a failed acquisition again, and releases at once what that had acquired", () =>
    Effect.gen(function*() {
      const { log, session } = makeSession({ fails: (attempt) => attempt < 3 })
      const handler = Effect.map(Effect.catchAll(session, Effect.succeed), text)
      const running = yield* serving(HttpRouter.empty.pipe(HttpRouter.get("/", handler)))
      const raw = yield* client(running.target)
      for (let n = 1; n <= 4; n++) {
        yield* send(raw, get("/"))
        yield* responses(raw, n)
      }
      expect(yield* bodies(raw, 4)).toEqual(["200 attempt 1", "200 attempt 2", "200 3", "200 3"])
      expect(log).toEqual(["acquired 1", "released 1", "acquired 2", "released 2", "acquired 3"])
    }))

  it.scoped("tries an interrupted acquisition again, for the request that waits behind it", () =>
    Effect.gen(function*() {
      const acquiring = makeGate()
      const { log, session } = makeSession({ acquiring })
      const handler = HttpRouter.empty.pipe(
        HttpRouter.get(
          "/gives-up",
          Effect.map(
            Effect.timeoutOption(session, "1 second"),
            (made) => text(Option.getOrElse(Option.map(made, String), () => "gave up"))
          )
        ),
        HttpRouter.get("/waits", Effect.map(session, text))
      )
      const running = yield* serving(handler)
      const raw = yield* client(running.target)
      yield* send(raw, get("/gives-up") + get("/waits"))
      yield* acquiring.untilStarted(1)
      yield* TestClock.adjust("1 second")
      yield* acquiring.untilStarted(2)
      yield* acquiring.open
      expect(yield* bodies(raw, 2)).toEqual(["200 gave up", "200 2"])
      expect(log).toEqual(["acquired 1", "released 1", "acquired 2"])
    }))

  it.scoped("releases when the connection is cut, but only after its handlers have ended", () =>
    Effect.gen(function*() {
      const gate = makeGate()
      const { log, session } = makeSession()
      const handler = Effect.uninterruptible(Effect.zipRight(
        session,
        Effect.map(gate.pass, () => {
          log.push("handler ended")
          return text("late")
        })
      ))
      const running = yield* serving(HttpRouter.empty.pipe(HttpRouter.get("/", handler)), {
        timeout: "1 second",
        killTimeout: "5 seconds"
      })
      const raw = yield* client(running.target)
      yield* send(raw, get("/"))
      yield* gate.untilStarted(1)
      yield* running.drain
      yield* TestClock.adjust("1 second")
      raw.abort()
      yield* untilStates(running.server)
      yield* TestClock.adjust("1 second")
      expect(log).toEqual(["acquired 1"])
      yield* gate.open
      yield* running.report
      // and the shutdown has waited for it
      expect(log).toEqual(["acquired 1", "handler ended", "released 1"])
    }))

  it.scoped("releases at the deadline, before the report, what an interrupted handler had", () =>
    Effect.gen(function*() {
      const gate = makeGate()
      const { log, session } = makeSession()
      const handler = Effect.zipRight(session, Effect.as(gate.pass, text("never")))
      const running = yield* serving(HttpRouter.empty.pipe(HttpRouter.get("/", handler)), { timeout: "1 second" })
      const raw = yield* client(running.target)
      yield* send(raw, get("/"))
      yield* gate.untilStarted(1)
      yield* running.drain
      yield* TestClock.adjust("1 second")
      const report = yield* running.report
      expect(report.cut).toMatchObject([{ clientReceived: "503" }])
      expect(log).toEqual(["acquired 1", "released 1"])
      yield* ended(raw)
    }))

  it.scoped("waits, in a shutdown, for a release that takes its time, and not beyond the kill timeout", () =>
    Effect.gen(function*() {
      const session = Connection.once(Effect.acquireRelease(Effect.succeed("a"), () => Effect.sleep("4 seconds")))
      const stuck = Connection.once(Effect.acquireRelease(Effect.succeed("b"), () => Effect.never))
      const routes = HttpRouter.empty.pipe(
        HttpRouter.get("/slow", Effect.map(session, text)),
        HttpRouter.get("/stuck", Effect.map(stuck, text))
      )
      for (const [path, millis] of [["/slow", 4000], ["/stuck", 12_000]] as const) {
        const running = yield* serving(routes, { timeout: "10 seconds", killTimeout: "2 seconds", idleGrace: 0 })
        const raw = yield* client(running.target)
        yield* send(raw, get(path))
        yield* responses(raw, 1)
        yield* untilStates(running.server, "Idle")
        yield* running.drain
        yield* ended(raw)
        yield* TestClock.adjust(millis - 1)
        expect(yield* running.server.phase.get).toBe("Draining")
        yield* TestClock.adjust(1)
        expect(yield* running.report).toMatchObject({ outcome: "Drained", cut: [] })
      }
    }))

  it.scoped("gives each its own: what one key acquired is not the value of another", () =>
    Effect.gen(function*() {
      const one = makeSession()
      const two = makeSession()
      const handler = Effect.map(Effect.all([one.session, two.session, one.session]), text)
      const running = yield* serving(HttpRouter.empty.pipe(HttpRouter.get("/", handler)))
      const raw = yield* client(running.target)
      yield* send(raw, get("/"))
      expect(yield* bodies(raw, 1)).toEqual(["200 1,1,1"])
      expect([one.log, two.log]).toEqual([["acquired 1"], ["acquired 1"]])
    }))
})
