import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as RealTime from "./realTime.js"

export const unsafeInterrupt = (fiber: Fiber.Fiber<unknown, unknown>): void => {
  fiber.interruptUnsafe()
}

export const inheritFiberRefs = (_fiber: Fiber.Fiber<unknown, unknown>): Effect.Effect<void> => Effect.void

export const unsafeMakeDeferred = <A, E = never>(): Deferred.Deferred<A, E> => Deferred.makeUnsafe()

export const yieldNow: Effect.Effect<void> = Effect.yieldNow

/** Those that were forked just before a phase is entered have run by then. */
export const forkedFirst: Effect.Effect<void> = Effect.void

export const runApart: <A, E>(effect: Effect.Effect<A, E>) => Fiber.Fiber<A, E> = Effect.runForkWith(
  RealTime.onTimers(Context.empty())
)

export const hasEnded = (fiber: Fiber.Fiber<unknown, unknown>): boolean => fiber.pollUnsafe() !== undefined
