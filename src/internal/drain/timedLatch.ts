/**
 * A latch, as Effect has it, that may be waited for with a time limit, and no fiber for either. A race of two effects starts a fiber for each, and
 * interrupts the one that has lost: in a process that stops, that code runs for the first time, and takes milliseconds.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as RealTime from "../effect/realTime.js"
import { clearTimeout, setTimeout } from "../node/timers.js"

export class TimedLatch {
  #isOpen = false
  readonly #waiting = new Set<() => void>()

  get isOpen(): boolean {
    return this.#isOpen
  }

  /** Who waits goes on after the caller, who may be in the middle of a change: Effect 4 runs a fiber that is resumed at once. */
  open(): void {
    this.#isOpen = true
    if (this.#waiting.size === 0) return
    const waiting = Array.from(this.#waiting)
    this.#waiting.clear()
    // before whatever the caller lets go on after this, which `nextTick` is not
    void Promise.resolve().then(() => {
      for (const resume of waiting) resume()
    })
  }

  close(): void {
    this.#isOpen = false
  }

  /** Suspends until it is open. */
  readonly await: Effect.Effect<void> = Effect.async<void>((resume) => {
    const stop = this.#wait(() => resume(Effect.void))
    return Effect.sync(stop)
  })

  /** Suspends until it is open, but no longer than so many milliseconds. */
  within(limit: number): Effect.Effect<void> {
    const millis = Math.max(0, Math.ceil(limit))
    if (millis === Number.POSITIVE_INFINITY) return this.await
    return Effect.clockWith((clock) =>
      RealTime.isReplaced(clock)
        ? Effect.raceFirst(this.await, clock.sleep(Duration.millis(millis)))
        : millis > RealTime.maxMillis
        ? this.await
        : Effect.async<void>((resume) => {
          const timer = setTimeout(() => {
            stop()
            resume(Effect.void)
          }, millis)
          const stop = this.#wait(() => {
            clearTimeout(timer)
            resume(Effect.void)
          })
          return Effect.sync(() => {
            clearTimeout(timer)
            stop()
          })
        })
    )
  }

  /** Calls it once, when it is open; what is returned takes that back. */
  #wait(resume: () => void): () => void {
    if (this.#isOpen) resume()
    else this.#waiting.add(resume)
    return () => void this.#waiting.delete(resume)
  }
}
