/**
 * Fibers. On Effect 3 a fiber has an id, which its interruption names, and values of its own, which another can inherit.
 * On Effect 4 it has neither.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"

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

/** It runs no more. */
export const hasEnded = (fiber: Fiber.RuntimeFiber<unknown, unknown>): boolean => fiber.unsafePoll() !== null
