/**
 * What a drain finds of its server, and whom it tells what it does.
 */
import type * as Effect from "effect/Effect"
import type { ConnectionRegistry } from "../core/connectionRegistry.js"
import type { BoundListener } from "../listener/listener.js"
import type { Phase } from "../model/policy.js"
import type { ResolvedPolicy } from "../policy/policy.js"
import type { Background } from "./background.js"
import type { Hooks } from "./hooks.js"
import type { RequestFibers } from "./requestFibers.js"
import type { TimedLatch } from "./timedLatch.js"

/** Sees what a shutdown does. What it does is not the drain's concern: it may harm nothing. */
export interface ShutdownObserver {
  /** Runs a part of the shutdown of that name. */
  readonly step: (
    name: string,
    attributes?: Readonly<Record<string, unknown>>
  ) => <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** The deadline has passed, or `close` was called, and so many handlers have been interrupted. */
  readonly deadlineExceeded: (handlers: number) => Effect.Effect<void>
}

export interface ServerContext {
  readonly policy: ResolvedPolicy
  readonly registry: ConnectionRegistry
  readonly handlers: RequestFibers
  readonly hooks: Hooks
  readonly background: Background
  readonly listeners: ReadonlySet<BoundListener>
  readonly observer: ShutdownObserver
  /** Requests that wait for an app to be attached wait in vain. */
  readonly rejectPending: () => void
  readonly enter: (phase: Phase) => Effect.Effect<void>
  /** The drain is waiting from now on: there is time. */
  readonly begunToWait: () => void
  /** Open when the drain may want to look again: by the registry, handlers, hooks and background work. */
  readonly woken: TimedLatch
  /** Open when a lame duck is to end early: `drainNow` or `close` is called. */
  readonly lameDuckOver: TimedLatch
  /** Since when `timeout` bounds the shutdown; `Infinity` where nobody has asked for one yet. */
  readonly boundedSince: () => number
  /** Open from then on. */
  readonly bounded: TimedLatch
  /** Open when `close` is called. */
  readonly closeCalled: TimedLatch
  /** Whether whatever answers has been there: the app that is to be attached, or what needs none. */
  readonly hasApp: () => boolean
  /** In milliseconds. Nobody has been sent to a server that has failed to start; and whoever closes it by hand closes it now. */
  readonly lameDuck: () => number
}
