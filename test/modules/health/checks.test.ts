import { describe, expect, it } from "@effect/vitest"
import * as Data from "effect/Data"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import { Health, Server } from "../../../src/index.js"
import { FiberCount } from "../../support/effect/fibers.js"
import { real } from "../../support/running.js"

// Time is the test's: nothing here waits for a clock on the wall.

const live = Health.layer.pipe(Layer.provideMerge(Server.layer()))

const seen = ({ checks }: Health.Answer) =>
  checks.filter(({ name }) => name !== "ping" && name !== "shutdown").map(({ name, outcome, reason }) =>
    reason === undefined ? `${name} ${outcome}` : `${name} ${outcome}: ${reason}`
  )

const probe = (probe: Health.Probe = "ready") => Effect.flatMap(Health.Health, (health) => health.probe(probe))

/** Asks, and lets that much time pass meanwhile. */
const probeFor = (duration: Duration.DurationInput, kind: Health.Probe = "ready") =>
  Effect.gen(function*() {
    const fiber = yield* Effect.fork(probe(kind))
    yield* TestClock.adjust(duration)
    return yield* real("the answer", Fiber.join(fiber))
  })

const uncached = { cache: 0 }

class Refused extends Data.TaggedError("Refused")<{ readonly message: string }> {}

describe("checks", () => {
  it.scoped("pass, fail, die or interrupt themselves, and say why", () =>
    Effect.gen(function*() {
      yield* Health.check("passes", Effect.void)
      yield* Health.check("is true", Effect.succeed(true))
      yield* Health.check("is false", Effect.succeed(false))
      yield* Health.check("fails", new Refused({ message: "connection refused" }))
      yield* Health.check("fails with text", Effect.fail("no"))
      yield* Health.check("dies", Effect.dieMessage("a defect"))
      yield* Health.check("throws", Effect.sync(() => null as unknown as string).pipe(Effect.map((s) => s.length)))
      yield* Health.check("interrupts itself", Effect.interrupt)
      const answer = yield* probe()
      expect(answer.passed).toBe(false)
      expect(seen(answer)).toEqual([
        "passes Passed",
        "is true Passed",
        "is false Failed: returned false",
        "fails Failed: connection refused",
        "fails with text Failed: no",
        "dies Failed: died: a defect",
        "throws Failed: died: Cannot read properties of null (reading 'length')",
        "interrupts itself Failed: interrupted itself"
      ])
    }).pipe(Effect.provide(live)))

  it.scoped("a reason is one line of bounded length", () =>
    Effect.gen(function*() {
      yield* Health.check("long", Effect.fail(`a\r\n[+]b ok\n${"x".repeat(1000)}`))
      const [line = ""] = seen(yield* probe())
      expect(line).toMatch(/^long Failed: a \[\+\]b ok x+…$/)
      expect(line.length).toBeLessThan(230)
    }).pipe(Effect.provide(live)))

  it.scoped("fail with anything, what cannot be printed too", () =>
    Effect.gen(function*() {
      const unprintable = {
        get id() {
          throw new Error("not connected")
        }
      }
      yield* Health.check("at once", Effect.fail(unprintable), uncached)
      yield* Health.check("later", Effect.zipRight(Effect.sleep("10 millis"), Effect.die(unprintable)), uncached)
      expect(seen(yield* probeFor("10 millis"))).toEqual([
        "at once Failed: with what cannot be printed",
        "later Failed: died: with what cannot be printed"
      ])
    }).pipe(Effect.provide(live)))

  it.scoped("one that asks for itself is not started again meanwhile, and times out", () =>
    Effect.gen(function*() {
      let started = 0
      const health = yield* Health.Health
      const itself = Effect.suspend(() => {
        started++
        return health.probe("ready")
      })
      yield* Health.check("itself", itself, uncached)
      expect(seen(yield* probeFor("800 millis"))).toEqual(["itself Failed: timed out after 800ms"])
      expect(started).toBe(1)
    }).pipe(Effect.provide(live)))

  it.scoped("belong to readiness, unless they say otherwise", () =>
    Effect.gen(function*() {
      yield* Health.check("a", Effect.void)
      yield* Health.check("b", Effect.void, { on: ["live", "startup"] })
      const names = (kind: Health.Probe) => Effect.map(probe(kind), ({ checks }) => checks.map(({ name }) => name))
      expect(yield* names("ready")).toEqual(["ping", "a", "shutdown"])
      expect(yield* names("live")).toEqual(["ping", "b"])
      expect(yield* names("startup")).toEqual(["ping", "b"])
    }).pipe(Effect.provide(live)))

  it.scoped("run in parallel: the answer takes as long as the slowest", () =>
    Effect.gen(function*() {
      yield* Health.check("a", Effect.sleep("700 millis"))
      yield* Health.check("b", Effect.sleep("600 millis"))
      yield* Health.check("c", Effect.sleep("700 millis"))
      expect((yield* probeFor("700 millis")).passed).toBe(true)
    }).pipe(Effect.provide(live)))

  it.scoped("one that hangs fails at its own timeout, and the others say what they have to say", () =>
    Effect.gen(function*() {
      yield* Health.check("hangs", Effect.never, { timeout: "3 seconds" })
      yield* Health.check("passes", Effect.void)
      const fiber = yield* Effect.fork(probe())
      yield* TestClock.adjust("2999 millis")
      expect(fiber.unsafePoll()).toBe(null)
      yield* TestClock.adjust("1 millis")
      expect(seen(yield* real("the answer", Fiber.join(fiber)))).toEqual([
        "hangs Failed: timed out after 3s",
        "passes Passed"
      ])
    }).pipe(Effect.provide(live)))

  it.scoped("one that hangs is interrupted, and started again by the next probe", () =>
    Effect.gen(function*() {
      let started = 0
      let interrupted = 0
      const hangs = Effect.suspend(() => {
        started++
        return Effect.never
      }).pipe(Effect.onInterrupt(() => Effect.sync(() => interrupted++)))
      yield* Health.check("hangs", hangs, uncached)
      for (const round of [1, 2, 3]) {
        expect(seen(yield* probeFor("800 millis"))).toEqual(["hangs Failed: timed out after 800ms"])
        expect([started, interrupted]).toEqual([round, round])
      }
    }).pipe(Effect.provide(live)))

  it.scoped("one that ignores its interruption is not started again while it is stuck; then it is", () =>
    Effect.gen(function*() {
      let started = 0
      const released = yield* Deferred.make<void>()
      const stuck = Effect.suspend(() => {
        started++
        return Deferred.await(released)
      })
      yield* Health.check("stuck", Effect.uninterruptible(stuck), uncached)
      expect(seen(yield* probeFor("800 millis"))).toEqual(["stuck Failed: timed out after 800ms"])
      yield* TestClock.adjust("59200 millis")
      for (let i = 0; i < 20; i++) {
        // no time passes: the answer is there at once
        expect(seen(yield* probe())).toEqual(["stuck Failed: timed out after 800ms, and still running after 1m"])
      }
      expect(started).toBe(1)
      yield* Deferred.succeed(released, undefined)
      yield* TestClock.adjust(0)
      expect(seen(yield* probe())).toEqual(["stuck Passed"])
      expect(started).toBe(2)
    }).pipe(Effect.provide(live)))

  it.scoped("leave no fiber behind, whatever they do and however often they are asked", () =>
    Effect.gen(function*() {
      const count = new FiberCount()
      const released = yield* Deferred.make<void>()
      yield* Effect.gen(function*() {
        yield* Health.check("stuck", Effect.uninterruptible(Deferred.await(released)), uncached)
        yield* Health.check("hangs", Effect.never, uncached)
        yield* Health.check("dies", Effect.dieMessage("a defect"), uncached)
        yield* Health.check("passes", Effect.void, uncached)
        const before = count.running
        for (let i = 0; i < 50; i++) expect((yield* probeFor("1 second")).passed).toBe(false)
        // the stuck one
        expect(count.running - before).toBe(1)
        yield* Deferred.succeed(released, undefined)
        yield* TestClock.adjust(0)
        expect(count.running - before).toBe(0)
      }).pipe(Effect.provide(live), count.under)
    }))

  it.scoped("probes at the same time share a run, and a client that goes does not end it for the others", () =>
    Effect.gen(function*() {
      let started = 0
      const gate = yield* Deferred.make<void>()
      yield* Health.check("slow", Effect.suspend(() => Effect.as(Deferred.await(gate), ++started)), uncached)
      const fibers = yield* Effect.replicateEffect(Effect.fork(probe()), 10)
      yield* TestClock.adjust("500 millis")
      yield* Fiber.interrupt(fibers[0]!)
      yield* Deferred.succeed(gate, undefined)
      for (const fiber of fibers.slice(1)) {
        expect(seen(yield* real("the answer", Fiber.join(fiber)))).toEqual(["slow Passed"])
      }
      expect(started).toBe(1)
    }).pipe(Effect.provide(live)))

  it.scoped("a late probe of a running check waits for what is left of the timeout", () =>
    Effect.gen(function*() {
      yield* Health.check("hangs", Effect.never)
      const first = yield* Effect.fork(probe())
      yield* TestClock.adjust("600 millis")
      expect(seen(yield* probeFor("200 millis"))).toEqual(["hangs Failed: timed out after 800ms"])
      yield* real("the first answer", Fiber.join(first))
    }).pipe(Effect.provide(live)))

  it.scoped("an outcome, good or bad, is kept for the time of its cache", () =>
    Effect.gen(function*() {
      let broken = false
      let started = 0
      const check = Effect.suspend(() => {
        started++
        return broken ? Effect.fail("broken") : Effect.void
      })
      yield* Health.check("a", check, { cache: "5 seconds" })
      expect(seen(yield* probe())).toEqual(["a Passed"])
      broken = true
      yield* TestClock.adjust("4999 millis")
      expect(seen(yield* probe())).toEqual(["a Passed"])
      expect(started).toBe(1)
      yield* TestClock.adjust("1 millis")
      expect(seen(yield* probe())).toEqual(["a Failed: broken"])
      broken = false
      yield* TestClock.adjust("4999 millis")
      expect(seen(yield* probe())).toEqual(["a Failed: broken"])
      yield* TestClock.adjust("1 millis")
      expect(seen(yield* probe())).toEqual(["a Passed"])
      expect(started).toBe(3)
    }).pipe(Effect.provide(live)))

  it.scoped("startup asks no check again that has passed once", () =>
    Effect.gen(function*() {
      let outcome: Effect.Effect<void, string> = Effect.fail("migrating")
      yield* Health.check("migrations", Effect.suspend(() => outcome), { on: ["startup", "live"], cache: 0 })
      expect(seen(yield* probe("startup"))).toEqual(["migrations Failed: migrating"])
      outcome = Effect.void
      expect(seen(yield* probe("startup"))).toEqual(["migrations Passed"])
      outcome = Effect.fail("gone")
      expect(seen(yield* probe("startup"))).toEqual(["migrations Passed"])
      expect(seen(yield* probe("live"))).toEqual(["migrations Failed: gone"])
    }).pipe(Effect.provide(live)))

  it.scoped("are taken back when their scope closes, before what they use is released", () =>
    Effect.gen(function*() {
      const order: Array<string> = []
      const scope = yield* Scope.make()
      const note = (what: string) => Effect.sync(() => order.push(what))
      const running = yield* Deferred.make<void>()
      yield* Effect.gen(function*() {
        yield* Effect.addFinalizer(() => note("pool released"))
        yield* Health.check(
          "pool",
          Effect.zipRight(Deferred.succeed(running, undefined), Effect.never).pipe(
            Effect.onInterrupt(() => Effect.zipRight(Effect.sleep("10 millis"), note("check ended")))
          )
        )
      }).pipe(Scope.extend(scope))
      const fiber = yield* Effect.fork(probe())
      yield* Deferred.await(running)
      const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
      yield* TestClock.adjust("10 millis")
      yield* real("the scope to close", Fiber.join(closing))
      expect(order).toEqual(["check ended", "pool released"])
      expect(seen(yield* real("the answer", Fiber.join(fiber)))).toEqual(["pool Failed: no longer registered"])
      expect(seen(yield* probe())).toEqual([])
    }).pipe(Effect.provide(live)))

  it.scoped("one that is stuck holds its scope up for no longer than it may take", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      yield* Health.check("stuck", Effect.uninterruptible(Effect.never)).pipe(Scope.extend(scope))
      expect(seen(yield* probeFor("800 millis"))).toEqual(["stuck Failed: timed out after 800ms"])
      // as runMain does: in a fiber that is interrupted
      const closing = yield* Effect.fork(Effect.onInterrupt(Effect.never, () => Scope.close(scope, Exit.void)))
      yield* TestClock.adjust(0)
      yield* Effect.sync(() => closing.unsafeInterruptAsFork(closing.id()))
      yield* TestClock.adjust("800 millis")
      yield* real("the scope to close", Fiber.await(closing))
    }).pipe(Effect.provide(live)))

  it.scoped("a name is that of one check", () =>
    Effect.gen(function*() {
      yield* Health.check("a", Effect.void)
      for (const name of ["a", "", "ping", "shutdown"]) {
        expect(yield* Effect.flip(Health.check(name, Effect.void))).toMatchObject({
          _tag: "InvalidPolicy",
          value: name
        })
      }
      yield* Effect.scoped(Health.check("b", Effect.void))
      yield* Health.check("b", Effect.void)
    }).pipe(Effect.provide(live)))

  it.scoped("a duration that is none is an error that names the check", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(Health.check("db", Effect.void, { timeout: -1 }))
      expect(error.message).toMatch(/^timeout of the health check "db" is -1, and must be a duration/)
      expect(yield* Effect.flip(Health.check("db", Effect.void, { cache: Duration.infinity })))
        .toMatchObject({ field: `cache of the health check "db"` })
    }).pipe(Effect.provide(live)))
})

describe("shutdown", () => {
  it.scoped("readiness is false from its first moment on, liveness and startup stay true", () =>
    Effect.gen(function*() {
      const server = yield* Server.Server
      expect((yield* probe("ready")).passed).toBe(true)
      // no turn of the event loop between
      yield* server.drainNow
      const answer = yield* probe("ready")
      expect(answer.passed).toBe(false)
      expect(answer.checks.at(-1)).toEqual({
        name: "shutdown",
        outcome: "Failed",
        reason: "the server is shutting down"
      })
      expect((yield* probe("live")).passed).toBe(true)
      expect((yield* probe("startup")).passed).toBe(true)
      yield* real("the shutdown", server.closed)
      expect((yield* probe("ready")).passed).toBe(false)
    }).pipe(Effect.provide(live)))
})

describe("startup", () => {
  it.scoped("a layer that has not been built yet is not ready, and not started", () =>
    Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      const building = yield* Effect.fork(
        Layer.build(Layer.effectDiscard(Deferred.await(gate)).pipe(Health.startup("app")))
      )
      yield* TestClock.adjust(0)
      expect(seen(yield* probe("startup"))).toEqual(["app Failed: it has not been built yet"])
      expect(seen(yield* probe("ready"))).toEqual(["app Failed: it has not been built yet"])
      expect((yield* probe("live")).passed).toBe(true)
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(building)
      expect(seen(yield* probe("startup"))).toEqual(["app Passed"])
      expect((yield* probe("ready")).passed).toBe(true)
    }).pipe(Effect.provide(live)))
})
