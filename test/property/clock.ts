/**
 * A clock that moves when it is told to. Unlike Effect's `TestClock` it needs no time of its own to move (that one waits
 * until all fibers have been suspended for some milliseconds): ten thousand histories have a hundred moments each.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { Time } from "../support/effect/clocks.js"

interface Sleep {
  readonly at: number
  readonly wake: () => void
}

export class VirtualClock implements Time {
  readonly #sleeps = new Set<Sleep>()
  #now = 1_700_000_000_000
  /** Counts what has begun or ended to sleep: while this moves, something is going on. */
  moves = 0

  get sleeping(): number {
    return this.#sleeps.size
  }

  readonly now = () => this.#now

  readonly sleep = (duration: Duration.Duration): Effect.Effect<void> =>
    Effect.async<void>((resume) => {
      this.moves++
      const millis = Duration.toMillis(duration)
      const wake = () => resume(Effect.void)
      if (millis <= 0) {
        // as a timer of Node: not before the event loop has turned
        const immediate = setImmediate(wake)
        return Effect.sync(() => clearImmediate(immediate))
      }
      const sleep = { at: this.#now + millis, wake }
      this.#sleeps.add(sleep)
      return Effect.sync(() => void this.#sleeps.delete(sleep))
    })

  /** Moves on by `millis`, and waits at each moment at which something wakes. */
  async advance(millis: number, settle: () => Promise<void>): Promise<void> {
    const target = this.#now + millis
    while (true) {
      const next = Math.min(...Array.from(this.#sleeps, ({ at }) => at))
      if (!(next <= target)) break
      this.#now = next
      for (const sleep of Array.from(this.#sleeps).filter(({ at }) => at <= next)) {
        this.#sleeps.delete(sleep)
        this.moves++
        sleep.wake()
      }
      await settle()
    }
    this.#now = target
    await settle()
  }
}
