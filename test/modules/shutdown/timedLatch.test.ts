import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"
import { createHook } from "node:async_hooks"
import { TimedLatch } from "../../../src/internal/drain/timedLatch.js"
import { now, timerGrain } from "../../support/wait.js"

const hour = 3_600_000

/** Nobody else of the process has a timer of that length. */
const limit = hour + 17

/** The timers of that limit that have been started since, and are not over. */
const timersOfLimit = Effect.acquireRelease(
  Effect.sync(() => {
    const started: Array<{ readonly _destroyed: boolean }> = []
    const hook = createHook({
      init: (_, type, __, timer) => {
        if (type !== "Timeout") return
        const timeout = timer as { readonly _destroyed: boolean; readonly _idleTimeout: number }
        if (timeout._idleTimeout === limit) started.push(timeout)
      }
    }).enable()
    return { hook, ticking: () => started.filter((timer) => !timer._destroyed).length }
  }),
  ({ hook }) => Effect.sync(() => hook.disable())
)

describe("a latch", () => {
  it.scopedLive("ends all that wait for it, and who comes later does not wait", () =>
    Effect.gen(function*() {
      const latch = new TimedLatch()
      const { ticking } = yield* timersOfLimit
      const waiting = yield* Effect.all([latch.await, latch.within(limit), latch.within(Infinity)], {
        concurrency: "unbounded"
      }).pipe(Effect.fork)
      yield* Effect.sleep(1)
      expect(ticking()).toBe(1)
      latch.open()
      yield* Fiber.join(waiting)
      yield* latch.await
      yield* latch.within(limit)
      expect(ticking()).toBe(0)
    }))

  it.live("is waited for again when it was closed, no longer than the limit", () =>
    Effect.gen(function*() {
      const latch = new TimedLatch()
      latch.open()
      latch.close()
      const begun = now()
      yield* latch.within(20)
      expect(now() - begun).toBeGreaterThanOrEqual(20 - timerGrain)
      yield* latch.within(-1)
    }))

  it.scopedLive("leaves no timer to who is interrupted", () =>
    Effect.gen(function*() {
      const latch = new TimedLatch()
      const { ticking } = yield* timersOfLimit
      const fiber = yield* Effect.fork(latch.within(limit))
      yield* Effect.sleep(1)
      expect(ticking()).toBe(1)
      yield* Fiber.interrupt(fiber)
      expect(ticking()).toBe(0)
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
