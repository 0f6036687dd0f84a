/**
 * Effects that are run in the background of a server, each in a fiber of its own.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import type { Background, Task } from "../drain/background.js"
import { unsafeInterrupt } from "../effect/fibers.js"
import type { BackgroundEnd } from "../model/background.js"
import { ServerClosed } from "../model/errors.js"
import type { PlainService } from "../model/server.js"
import { nextMacrotask } from "../node/turn.js"
import { viewOf } from "../telemetry/telemetry.js"

interface Running<A, E> {
  readonly task: Task
  readonly fiber: Fiber.RuntimeFiber<A, E>
}

const start = <A, E, R>(
  all: Background,
  name: string,
  effect: Effect.Effect<A, E, R>
): Effect.Effect<Running<A, E>, ServerClosed, Exclude<R, Scope.Scope>> =>
  Effect.uninterruptible(Effect.suspend(() => {
    let fiber: Fiber.RuntimeFiber<A, E> | undefined
    const task = all.add(name, () => {
      if (fiber !== undefined) unsafeInterrupt(fiber)
    })
    if (task === undefined) return Effect.fail(new ServerClosed({ operation: `background work "${name}"` }))
    return Effect.map(Effect.forkDaemon(Effect.interruptible(Effect.scoped(effect))), (own) => {
      fiber = own
      own.addObserver((exit) => task.end(endOf(task, exit)))
      // the time was up as it started
      if (task.isInterrupted) unsafeInterrupt(own)
      return { task, fiber: own }
    })
  }))

const endOf = (task: Task, exit: Exit.Exit<unknown, unknown>): BackgroundEnd => {
  if (Exit.isSuccess(exit)) return { _tag: "Completed" }
  if (!Cause.isInterruptedOnly(exit.cause)) return { _tag: "Failed", cause: exit.cause }
  return { _tag: task.isInterrupted ? "Interrupted" : "Withdrawn" }
}

export const background = (all: Background): PlainService["background"] => (name, effect) =>
  Effect.map(start(all, name, effect), ({ fiber }) => fiber)

/**
 * Runs it for as long as the scope is open. A scope that closes before a shutdown takes it back. After the beginning of
 * one, what the work uses must outlive it. Scopes of one application close in parallel: the turn gives its server's the
 * time to begin.
 */
export const scopedBackground = <A, E, R>(
  server: PlainService,
  name: string,
  effect: Effect.Effect<A, E, R>
): Effect.Effect<void, ServerClosed, Scope.Scope | Exclude<R, Scope.Scope>> => {
  const all = viewOf(server)?.background
  // a stand-in for a server
  if (all === undefined) return Effect.asVoid(Effect.acquireRelease(server.background(name, effect), Fiber.interrupt))
  return Effect.acquireRelease(
    start(all, name, effect),
    ({ fiber, task }) => Effect.flatMap(nextMacrotask, () => all.isStopping ? all.gone(task) : Fiber.interrupt(fiber))
  ).pipe(Effect.asVoid)
}
