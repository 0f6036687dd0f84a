/**
 * The request fibers that are alive.
 */
import type * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type { TrackedConnection } from "./connection.js"

type AnyFiber = Fiber.RuntimeFiber<unknown, unknown>

export class RequestFibers {
  readonly fibers = new Set<AnyFiber>()
  /** What we run on behalf of a connection: a close frame, the finalizers of its scope. */
  readonly #errands = new Set<AnyFiber>()
  readonly #run: (effect: Effect.Effect<unknown>) => AnyFiber
  /** Something that a drain may be waiting for has happened. */
  readonly #wake: () => void

  constructor(run: (effect: Effect.Effect<unknown>) => AnyFiber, wake: () => void) {
    this.#run = run
    this.#wake = wake
  }

  add(fiber: AnyFiber, connection: TrackedConnection, onEnd: () => void): void {
    if (this.fibers.has(fiber)) return
    this.fibers.add(fiber)
    connection.fiberStarted()
    fiber.addObserver(() => {
      this.fibers.delete(fiber)
      onEnd()
      connection.fiberEnded()
      if (this.fibers.size === 0) this.#wake()
    })
  }

  fork(effect: Effect.Effect<unknown>): AnyFiber {
    const errand = this.#run(effect)
    this.#errands.add(errand)
    errand.addObserver(() => {
      this.#errands.delete(errand)
      if (this.#errands.size === 0) this.#wake()
    })
    return errand
  }

  get backgroundFibers(): number {
    return this.#errands.size
  }

  get idle(): boolean {
    return this.fibers.size === 0 && this.#errands.size === 0
  }

  /** All that is alive now. */
  get alive(): ReadonlyArray<AnyFiber> {
    return [...this.fibers, ...this.#errands]
  }
}
