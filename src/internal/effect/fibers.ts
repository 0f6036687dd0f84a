/**
 * Fibers. On Effect 3 a fiber has an id, which its interruption names, and values of its own, which another can inherit.
 * On Effect 4 it has neither.
 */
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as FiberRefs from "effect/FiberRefs"
import * as Runtime from "effect/Runtime"
import * as RuntimeFlags from "effect/RuntimeFlags"
import * as RealTime from "./realTime.js"

/** Interrupts a fiber, and does not wait for its end. */
export const unsafeInterrupt = (fiber: Fiber.RuntimeFiber<unknown, unknown>): void =>
  fiber.unsafeInterruptAsFork(FiberId.none)

/** Sets in this fiber what a fiber that has ended has set for itself. */
export const inheritFiberRefs = (fiber: Fiber.RuntimeFiber<unknown, unknown>): Effect.Effect<void> =>
  Fiber.inheritAll(fiber)

/** Made at once, outside of any fiber. */
export const unsafeMakeDeferred = <A, E = never>(): Deferred.Deferred<A, E> => Deferred.unsafeMake(FiberId.none)

/** Lets other fibers run first. A function on Effect 3, an effect on Effect 4. */
export const yieldNow: Effect.Effect<void> = Effect.yieldNow()

/** Lets fibers run first that were forked just before. On Effect 4 they have run by then. */
export const forkedFirst: Effect.Effect<void> = yieldNow

/** Runs it apart from the program: no supervisor, logger or tracer of its own hears of it, and no metric of fibers. */
export const runApart: <A, E>(effect: Effect.Effect<A, E>) => Fiber.RuntimeFiber<A, E> = Runtime.runFork(
  RealTime.onTimers(Runtime.make({
    context: Context.empty(),
    fiberRefs: FiberRefs.empty(),
    runtimeFlags: RuntimeFlags.disable(Runtime.defaultRuntimeFlags, RuntimeFlags.RuntimeMetrics)
  }))
)

/** It runs no more. */
export const hasEnded = (fiber: Fiber.RuntimeFiber<unknown, unknown>): boolean => fiber.unsafePoll() !== null
