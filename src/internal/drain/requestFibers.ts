/**
 * The request fibers of a server that are alive: its drain awaits them, and interrupts them at the deadline.
 */
import type * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type { ConnectionOwner, TrackedConnection } from "../core/connection.js"

type AnyFiber = Fiber.RuntimeFiber<unknown, unknown>

const ofOwners = new WeakMap<ConnectionOwner, RequestFibers>()

/** The fibers of the server that a connection belongs to. */
export const fibersOf = ({ registry }: TrackedConnection): RequestFibers => {
  const fibers = ofOwners.get(registry)
  if (fibers === undefined) throw new Error("a connection of a server that has no fibers")
  return fibers
}

interface Served {
  readonly connection: TrackedConnection
  readonly isCall: boolean
}

export class RequestFibers {
  readonly fibers = new Map<AnyFiber, Served>()
  /** What we run on behalf of a connection: a close frame, the finalizers of its scope. */
  readonly #background = new Set<AnyFiber>()
  readonly #run: (effect: Effect.Effect<unknown>) => AnyFiber
  /** Something that a drain may be waiting for has happened. */
  readonly #wake: () => void

  constructor(owner: ConnectionOwner, run: (effect: Effect.Effect<unknown>) => AnyFiber, wake: () => void) {
    ofOwners.set(owner, this)
    this.#run = run
    this.#wake = wake
  }

  add(fiber: AnyFiber, connection: TrackedConnection, onEnd: () => void): void {
    this.#add(fiber, { connection, isCall: false }, onEnd)
  }

  /** One that works for a call which was made over a connection that another one serves. */
  addCall(fiber: AnyFiber, connection: TrackedConnection, onEnd: () => void): void {
    this.#add(fiber, { connection, isCall: true }, onEnd)
  }

  #add(fiber: AnyFiber, served: Served, onEnd: () => void): void {
    if (this.fibers.has(fiber)) return
    const { connection } = served
    this.fibers.set(fiber, served)
    connection.fiberStarted()
    fiber.addObserver(() => {
      this.fibers.delete(fiber)
      onEnd()
      connection.fiberEnded()
      if (this.fibers.size === 0) this.#wake()
    })
  }

  /** Runs what is left to do for a connection. */
  fork(effect: Effect.Effect<unknown>): AnyFiber {
    const fiber = this.#run(effect)
    this.#background.add(fiber)
    fiber.addObserver(() => {
      this.#background.delete(fiber)
      if (this.#background.size === 0) this.#wake()
    })
    return fiber
  }

  get backgroundFibers(): number {
    return this.#background.size
  }

  get idle(): boolean {
    return this.fibers.size === 0 && this.#background.size === 0
  }

  /** All that is alive now. */
  get alive(): ReadonlyArray<AnyFiber> {
    return [...this.fibers.keys(), ...this.#background]
  }

  /** Those that serve connections with calls in flight: without them, no result of these can be sent. */
  get carriers(): ReadonlySet<AnyFiber> {
    const all = [...this.fibers]
    const calling = new Set(all.flatMap(([, { connection, isCall }]) => isCall ? connection : []))
    return new Set(all.flatMap(([fiber, { connection, isCall }]) => !isCall && calling.has(connection) ? fiber : []))
  }
}
