import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"
import { TimedLatch } from "../../../src/internal/drain/timedLatch.js"
import { now } from "../../support/wait.js"

const hour = 3_600_000

/** How many there are, as a timer sees it. */
const timers = Effect.map(
  Effect.sleep(1),
  () => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length
)

/** How many there are while a fiber waits without a limit: Effect 4 has one for that. */
const timersBefore = Effect.zipRight(Effect.fork(Effect.never), timers)

describe("a latch", () => {
  it.live("ends all that wait for it, and who comes later does not wait", () =>
    Effect.gen(function*() {
      const latch = new TimedLatch()
      const before = yield* timersBefore
      const waiting = yield* Effect.all([latch.await, latch.within(hour), latch.within(Infinity)], {
        concurrency: "unbounded"
      }).pipe(Effect.fork)
      expect(yield* timers).toBe(before + 1)
      latch.open()
      yield* Fiber.join(waiting)
      yield* latch.await
      yield* latch.within(hour)
      expect(yield* timers).toBe(before)
    }))

  it.live("is waited for again when it was closed, no longer than the limit", () =>
    Effect.gen(function*() {
      const latch = new TimedLatch()
      latch.open()
      latch.close()
      const begun = now()
      yield* latch.within(20)
      expect(now() - begun).toBeGreaterThanOrEqual(19)
      yield* latch.within(-1)
    }))

  it.live("leaves no timer to who is interrupted", () =>
    Effect.gen(function*() {
      const latch = new TimedLatch()
      const before = yield* timersBefore
      const fiber = yield* Effect.fork(latch.within(hour))
      yield* Effect.sleep(1)
      yield* Fiber.interrupt(fiber)
      expect(yield* timers).toBe(before)
    }))

  it.live("lets whoever opens it finish first", () =>
    Effect.gen(function*() {
      const latch = new TimedLatch()
      const order: Array<string> = []
      const fiber = yield* Effect.fork(Effect.zipRight(latch.await, Effect.sync(() => order.push("resumed"))))
      yield* Effect.sleep(1)
      yield* Effect.async<void>((resume) =>
        void setImmediate(() => {
          latch.open()
          order.push("opened")
          resume(Effect.void)
        })
      )
      yield* Fiber.join(fiber)
      expect(order).toEqual(["opened", "resumed"])
    }))

  it.effect("is limited by the clock of whoever waits", () =>
    Effect.gen(function*() {
      const latch = new TimedLatch()
      const fiber = yield* Effect.fork(latch.within(hour))
      yield* TestClock.adjust(hour)
      yield* Fiber.join(fiber)
      // Node has no timer that long
      const month = yield* Effect.fork(latch.within(30 * 24 * hour))
      yield* TestClock.adjust(30 * 24 * hour)
      yield* Fiber.join(month)
    }))
})
