import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"
import { Signal } from "../../../src/internal/effect/signal.js"
import { now } from "../../support/wait.js"

const hour = 3_600_000

const timers = () => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length

describe("a signal", () => {
  it.live("ends all that wait for it, and who comes later does not wait", () =>
    Effect.gen(function*() {
      const signal = new Signal()
      const before = timers()
      const waiting = yield* Effect.all([signal.await, signal.within(hour), signal.within(Infinity)], {
        concurrency: "unbounded"
      }).pipe(Effect.fork)
      yield* Effect.sleep(1)
      expect(timers()).toBe(before + 1)
      signal.open()
      yield* Fiber.join(waiting)
      yield* signal.await
      yield* signal.within(hour)
      expect(timers()).toBe(before)
    }))

  it.live("is waited for again when it was closed, no longer than the limit", () =>
    Effect.gen(function*() {
      const signal = new Signal()
      signal.open()
      signal.close()
      const begun = now()
      yield* signal.within(20)
      expect(now() - begun).toBeGreaterThanOrEqual(19)
      yield* signal.within(-1)
    }))

  it.live("leaves no timer to who is interrupted", () =>
    Effect.gen(function*() {
      const signal = new Signal()
      const before = timers()
      const fiber = yield* Effect.fork(signal.within(hour))
      yield* Effect.sleep(1)
      yield* Fiber.interrupt(fiber)
      expect(timers()).toBe(before)
    }))

  it.effect("is limited by the clock of whoever waits", () =>
    Effect.gen(function*() {
      const signal = new Signal()
      const fiber = yield* Effect.fork(signal.within(hour))
      yield* TestClock.adjust(hour)
      yield* Fiber.join(fiber)
    }))
})
