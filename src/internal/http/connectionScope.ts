/**
 * What a handler attaches to a connection. Nothing is made until something is attached: most connections never have
 * a scope.
 */
import * as Effect from "effect/Effect"
import * as ExecutionStrategy from "effect/ExecutionStrategy"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import type { TrackedConnection } from "../core/connection.js"
import { fibersOf } from "../drain/requestFibers.js"
import * as Line from "../log/line.js"

const scopes = new WeakMap<TrackedConnection, Scope.CloseableScope>()

/** The scope of a connection, made when it is first asked for. */
export const scopeOf = (connection: TrackedConnection): Scope.Scope => {
  const known = scopes.get(connection)
  if (known !== undefined) return known
  const scope = Effect.runSync(Scope.make())
  scopes.set(connection, scope)
  connection.onReleased(() => {
    fibersOf(connection).fork(
      Effect.catchAllCause(
        Scope.close(scope, Exit.void),
        (cause) => Line.warning("A finalizer of a connection's scope failed", {}, cause)
      )
    )
  })
  return scope
}

/** One value for each connection, in its scope. */
export const once = <A, E, R>(
  acquire: (scope: Scope.Scope) => Effect.Effect<A, E, R>
): (connection: TrackedConnection) => Effect.Effect<A, E, R> => {
  const slots = new WeakMap<TrackedConnection, { readonly lock: Effect.Semaphore; value: Option.Option<A> }>()
  return (connection) =>
    Effect.suspend(() => {
      const slot = slots.get(connection) ?? { lock: Effect.unsafeMakeSemaphore(1), value: Option.none<A>() }
      slots.set(connection, slot)
      if (Option.isSome(slot.value)) return Effect.succeed(slot.value.value)
      return slot.lock.withPermits(1)(Effect.suspend(() =>
        Option.isSome(slot.value) ? Effect.succeed(slot.value.value) : Effect.tap(
          acquireIn(scopeOf(connection), acquire),
          (value) =>
            Effect.sync(() => {
              slot.value = Option.some(value)
            })
        )
      ))
    })
}

/** What a failed attempt has acquired is released at once, not when the connection closes. */
const acquireIn = <A, E, R>(scope: Scope.Scope, acquire: (scope: Scope.Scope) => Effect.Effect<A, E, R>) =>
  Effect.flatMap(
    Scope.fork(scope, ExecutionStrategy.sequential),
    (child) => Effect.onExit(acquire(child), (exit) => Exit.isFailure(exit) ? Scope.close(child, exit) : Effect.void)
  )
