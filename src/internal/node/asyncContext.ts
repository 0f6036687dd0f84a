/**
 * The asynchronous context (`AsyncLocalStorage`, tracing) that work belongs to. What is deferred would run in that of
 * whatever delivers it: a timer of ours, another client's request, the caller of a shutdown. One resource for each
 * piece of work, and none in steady state: `enterWith` in one then stays in that one.
 */
import { AsyncResource } from "node:async_hooks"

/** The same function, which runs in the context of now, whoever calls it and whenever. */
export const inOwnContext = <Args extends ReadonlyArray<unknown>, A>(
  work: (...args: Args) => A
): (...args: Args) => A => {
  const resource = new AsyncResource("quiesce.deferred")
  return (...args) => resource.runInAsyncScope(work, undefined, ...args)
}
