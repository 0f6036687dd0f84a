import { describe, expect, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as TestClock from "effect/TestClock"
import { Shutdown } from "../../../src/index.js"
import { withRandom } from "../../support/effect/testServices.js"
import { makeApp } from "../../support/handlers.js"
import { client, get, send, serving, until } from "../../support/running.js"

const turns = Effect.repeat(Effect.async<void>((resume) => void setImmediate(() => resume(Effect.void))), { times: 20 })

/** The moments at which a drain that has nothing to wake it looks. */
const looksOf = (pollSchedule: Schedule.Schedule<unknown>, forMillis: number) =>
  Effect.gen(function*() {
    const looks: Array<number> = []
    const start = yield* TestClock.currentTimeMillis
    const { app, gate } = makeApp()
    const running = yield* serving(app, {
      timeout: Duration.infinity,
      pollSchedule: pollSchedule.pipe(
        Schedule.tapOutput(() => Effect.map(TestClock.currentTimeMillis, (now) => looks.push(now - start)))
      )
    })
    const busy = yield* client(running.target)
    yield* send(busy, get("/hold"))
    yield* gate.untilStarted(1)
    yield* running.drain
    yield* until("the first look", () => looks.length > 0)
    // a look takes turns of the event loop, in which the clock must not run ahead of the next sleep
    for (let at = 0; at < forMillis;) {
      const step = Math.min(Math.max(1, Math.floor(at * 0.04)), forMillis - at)
      yield* TestClock.adjust(step)
      yield* turns
      at += step
    }
    const seen = looks.slice()
    yield* gate.open
    yield* running.report
    return seen
  }).pipe(Effect.scoped)

const law = [0, 1, 3, 7, 15, 31, 63, 127, 255, 511, 1011, 1511, 2011]

describe("the poll schedule", () => {
  it.effect("is exactly Go's law where the jitter is none", () =>
    Effect.gen(function*() {
      expect(yield* looksOf(Shutdown.pollSchedule, 2100)).toEqual(law)
    }).pipe(withRandom(0)))

  it.effect("is never more than a tenth later with the jitter, and in whole milliseconds", () =>
    Effect.gen(function*() {
      for (const random of [0.25, 0.5, 1 - Number.EPSILON]) {
        const looks = yield* withRandom(random)(looksOf(Shutdown.pollSchedule, 2300))
        expect(looks.length).toBeGreaterThanOrEqual(law.length)
        law.forEach((millis, index) => {
          expect(looks[index]).toBeGreaterThanOrEqual(millis)
          expect(looks[index]).toBeLessThanOrEqual(millis * 1.1)
          expect(Number.isInteger(looks[index])).toBe(true)
        })
      }
      // and there is a jitter
      const most = yield* withRandom(1 - Number.EPSILON)(looksOf(Shutdown.pollSchedule, 600))
      expect(most.slice(0, 10)).not.toEqual(law.slice(0, 10))
    }))

  it.effect("can be replaced", () =>
    Effect.gen(function*() {
      expect(yield* looksOf(Schedule.spaced("100 millis"), 350)).toEqual([0, 100, 200, 300])
    }))
})
