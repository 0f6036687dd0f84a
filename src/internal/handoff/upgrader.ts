/**
 * When a program may hand over: while it serves, and to one successor at a time.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import Cluster from "node:cluster"
import { unsafeMakeDeferred, yieldNow } from "../effect/fibers.js"
import type { HandoffService, Successor } from "../model/handoff.js"
import { type HandoffFailed, notServing } from "../model/handoffFailed.js"
import type { Handover } from "./handover.js"
import { handOver } from "./predecessor.js"

export type Run = <A, E>(effect: Effect.Effect<A, E>) => Fiber.RuntimeFiber<A, E>

export class Upgrader {
  readonly #run: Run
  readonly #attempt: Effect.Effect<Successor, HandoffFailed>
  readonly #done = unsafeMakeDeferred<void>()
  #state: "Starting" | "Serving" | "Ending" = "Starting"
  #running: Fiber.RuntimeFiber<Successor, HandoffFailed> | undefined = undefined

  /** `run` runs a hand-over in a fiber of its own: no caller who is interrupted stops it. */
  constructor(handover: Handover, command: ReadonlyArray<string>, timeout: number, run: Run) {
    this.#run = run
    this.#attempt = handOver(handover, command, timeout, () => this.#state === "Serving").pipe(
      Effect.tap(() => {
        this.#state = "Ending"
        return Deferred.succeed(this.#done, undefined)
      }),
      Effect.ensuring(Effect.sync(() => {
        this.#running = undefined
      })),
      Effect.annotateLogs("role", Cluster.isWorker ? "worker" : "predecessor")
    )
  }

  get isStarting(): boolean {
    return this.#state === "Starting"
  }

  get isEnding(): boolean {
    return this.#state === "Ending"
  }

  get isUpgrading(): boolean {
    return this.#running !== undefined
  }

  readonly upgrade: HandoffService["upgrade"] = Effect.suspend(() => {
    if (this.#state !== "Serving") return notServing
    this.#running ??= this.#run(Effect.zipRight(yieldNow, this.#attempt))
    return Effect.flatMap(Fiber.await(this.#running), (exit) => Exit.isInterrupted(exit) ? notServing : exit)
  })

  /** Serves until the scope closes. A successor that is not wanted any more is stopped in `outer`. */
  serve(outer: Scope.Scope): Effect.Effect<void, never, Scope.Scope> {
    return Effect.acquireRelease(
      Effect.sync(() => {
        this.#state = "Serving"
      }),
      () =>
        Effect.suspend(() => {
          this.#state = "Ending"
          // the drain does not wait for a successor that is stopped
          return this.#running === undefined
            ? Effect.void
            : Effect.forkIn(Effect.uninterruptible(Fiber.interrupt(this.#running)), outer)
        })
    )
  }

  /** Until a successor accepts. */
  get handedOver(): Effect.Effect<void> {
    return Deferred.await(this.#done)
  }
}
