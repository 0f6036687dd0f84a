/** Who counts fibers, as both lines of Effect have it. */
import * as Effect from "effect/Effect"
import * as Supervisor from "effect/Supervisor"

/** Counts the fibers that start under it. */
export class FiberCount {
  started = 0
  /** Those that have not ended. */
  running = 0
  readonly #supervisor = new Counting(this)

  readonly under = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.supervised(effect, this.#supervisor)
}

class Counting extends Supervisor.AbstractSupervisor<void> {
  override readonly value = Effect.void
  readonly #count: FiberCount
  constructor(count: FiberCount) {
    super()
    this.#count = count
  }
  override onStart(): void {
    this.#count.started++
    this.#count.running++
  }
  override onEnd(): void {
    this.#count.running--
  }
}

/** What the class of a fiber is called in a snapshot of the heap. */
export const fiberClass = "FiberRuntime"
