/**
 * The scope of a request. It is Effect's own, but for one thing: what it keeps its finalizers in is made when the first
 * is added, and so an unused one is closed by a look at it.
 */
import * as HttpApp from "@effect/platform/HttpApp"
import * as Effect from "effect/Effect"
import * as ExecutionStrategy from "effect/ExecutionStrategy"
import type * as Exit from "effect/Exit"
import { globalValue } from "effect/GlobalValue"
import * as Scope from "effect/Scope"
import type { Span } from "effect/Tracer"

type State =
  | { readonly _tag: "Open"; readonly finalizers: Map<object, Scope.Scope.Finalizer> }
  | { readonly _tag: "Closed"; readonly exit: Exit.Exit<unknown, unknown> }

/** The methods are those of Effect's, which work on a `strategy` and a `state`. */
class Base {
  readonly strategy = ExecutionStrategy.sequential
  /** That of the request, where it has one. */
  span: Span | undefined = undefined
  #state: State | undefined = undefined

  get state(): State {
    return this.#state ??= { _tag: "Open", finalizers: new Map() }
  }

  set state(state: State) {
    this.#state = state
  }

  /** Nobody has added a finalizer, closed it, or looked at what it has. */
  get unused(): boolean {
    return this.#state === undefined
  }
}

export type RequestScope = Base & Scope.CloseableScope

export const isRequestScope = (scope: unknown): scope is RequestScope => scope instanceof Base

/** Where `HttpApp.ejectDefaultScopeClose` remembers the scopes that somebody else is going to close. */
const ejected = globalValue("@effect/platform/HttpApp/ejectedScopes", () => new WeakSet<Scope.Scope>())

/** The class of such scopes, if Effect's are what we take them for; else requests go the platform's way. */
export const scopeClass = (): (new() => RequestScope) | undefined => {
  const example: object = Effect.runSync(Scope.make())
  HttpApp.ejectDefaultScopeClose(example as Scope.CloseableScope)
  const { state, strategy } = example as Partial<Base>
  if (
    Object.keys(example).toSorted().join() !== "state,strategy" || state?._tag !== "Open"
    || !(state.finalizers instanceof Map) || strategy !== ExecutionStrategy.sequential
    || !ejected.has(example as Scope.CloseableScope)
  ) {
    return undefined
  }
  Object.setPrototypeOf(Base.prototype, Object.getPrototypeOf(example) as object)
  return Base as unknown as new() => RequestScope
}

/** Closes the scope of a request that has come to its end: with that effect, or without one where none is needed. */
export const closing = (scope: RequestScope, exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> | undefined => {
  if (ejected.has(scope)) return undefined
  if (!scope.unused) return Scope.close(scope, exit)
  scope.state = { _tag: "Closed", exit }
  return undefined
}
