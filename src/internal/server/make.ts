/**
 * Puts a server together: one registry, its listeners, its hooks, and the one shutdown that all callers share.
 */
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Runtime from "effect/Runtime"
import type * as Scope from "effect/Scope"
import { snapshot, TrackedConnection } from "../core/connection.js"
import { ConnectionRegistry } from "../core/connectionRegistry.js"
import { Exchange } from "../core/exchange.js"
import { Background } from "../drain/background.js"
import { Hooks } from "../drain/hooks.js"
import { RequestFibers } from "../drain/requestFibers.js"
import { TimedLatch } from "../drain/timedLatch.js"
import { monotonicMillis } from "../effect/clock.js"
import { comparedByIdentity } from "../effect/identity.js"
import { loggers } from "../effect/logs.js"
import * as RealTime from "../effect/realTime.js"
import type { App } from "../listener/app.js"
import type { BoundListener } from "../listener/listener.js"
import * as Line from "../log/line.js"
import type { InvalidPolicy } from "../model/errors.js"
import type { Policy } from "../model/policy.js"
import type { PlainService, ServerService } from "../model/server.js"
import { resolve, type ResolvedPolicy } from "../policy/policy.js"
import { serverClosed } from "../signals/lateFailures.js"
import { isUnderRunMain } from "../signals/otherListeners.js"
import { Program } from "../signals/program.js"
import { warnAboutNpm } from "../supervisor/npm.js"
import { backgroundFailed, moreFailed } from "../telemetry/backgroundLog.js"
import * as KeepAliveGrace from "../telemetry/keepAliveGrace.js"
import { hookEnded } from "../telemetry/log.js"
import { Telemetry, withView } from "../telemetry/telemetry.js"
import { background as runInBackground } from "./background.js"
import { ServerEvents } from "./events.js"
import * as KeepAlives from "./keepAlives.js"
import * as Listeners from "./listeners.js"
import { onShutdown } from "./onShutdown.js"
import * as Rehearsal from "./rehearsal.js"
import * as Shutdown from "./shutdown.js"

/** A server, and what an app needs of it beyond what a user sees. */
export interface ServerHandle<A> {
  readonly service: PlainService
  readonly events: ServerEvents
  readonly telemetry: Telemetry
  readonly app: A
  /** Listens, and answers with the app even where the Node server has listeners of its own. */
  readonly listenApp: ServerService["listen"]
  /** Shuts down as a finalizer does: dies with what was cut, but only the first of several finalizers. */
  readonly finalize: Effect.Effect<void>
  readonly isStopping: () => boolean
}

export interface MakeOptions<A> {
  /** Says what is no failure at the level of debugging only. */
  readonly quiet: boolean
  /**
   * Other code that closes a Node server does so for a reason of its own, and without this one would wait for as long as
   * it takes: no lame duck, and no deadline before somebody asks for a shutdown.
   */
  readonly unhurried?: boolean
  /** The app that answers where a Node server has no `request` listener of its own. It outlives the connections. */
  readonly app: (handlers: RequestFibers) => Effect.Effect<A, never, Scope.Scope>
}

export const make = <A extends App | undefined>(
  policyInput: Policy,
  options: MakeOptions<A>
): Effect.Effect<ServerHandle<A>, InvalidPolicy, Scope.Scope> =>
  Effect.gen(function*() {
    const policy = yield* resolve(policyInput)
    const clock = yield* Effect.clock
    const now = monotonicMillis(clock)
    const program = yield* Program
    const run = runnerOf(yield* RealTime.runtime)
    if (!options.quiet) yield* warnAboutNpm

    const woken = new TimedLatch()
    const wake = () => {
      woken.open()
    }
    const registry = registryOf(policy, now, wake, run)
    const handlers = new RequestFibers(registry, run, wake)
    const listeners = new Set<BoundListener>()
    const telemetry = new Telemetry(options.quiet)
    const events = new ServerEvents(registry)
    const hooks = new Hooks(now, Math.min(policy.timeout, 2 ** 31), run, (hook) => {
      events.emit({ _tag: "HookEnded", hook })
      run(hookEnded(shutdown.server, hook))
      wake()
    })
    const background = new Background(now, wake, (name, cause) => {
      events.emit({ _tag: "BackgroundFailed", name, cause })
      const { server } = shutdown
      const isPrinted = telemetry.failures.isPrinted(name, () => void run(moreFailed(server)))
      if (isPrinted) run(backgroundFailed(server, name, cause))
    })
    const app = yield* options.app(handlers)
    const keepAliveGrace = KeepAliveGrace.make(policy)
    const keepAlives = KeepAlives.make(policy, registry, woken, run)
    const parts = { app, background, events, handlers, hooks, listeners, policy, registry, run, telemetry, woken }
    const rehearsal = RealTime.isReplaced(clock)
      ? Rehearsal.none
      : Rehearsal.make(policy, (wake) => registryOf(policy, now, wake, run))
    const shutdown = yield* Shutdown.make({
      ...parts,
      unhurried: options.unhurried === true,
      begunToWait: rehearsal.play,
      before: keepAliveGrace.checkAll,
      onStart: keepAlives.giveWay,
      onDrained: () => listening.stopWatching(),
      onClosed: () => program?.closed(service)
    })
    const isAlone = program === undefined && isUnderRunMain()
    yield* Effect.addFinalizer((why) =>
      Effect.onExit(shutdown.finalize, (exit) => Effect.sync(() => isAlone && serverClosed(why, exit, run)))
    )
    yield* rehearsal.playWhenIdle(registry)
    const listening = Listeners.make({
      ...parts,
      scope: yield* Effect.scope,
      keepAliveGrace,
      shutdown,
      onAcceptFailed: acceptFailed(telemetry, events, run)
    })
    const service = serviceOf(registry, { background, events, hooks, keepAlives, listening, shutdown, telemetry })
    program?.add(service, {
      drainMillis: drainMillisOf(policy),
      loggers: yield* loggers,
      run,
      follow: (tell) => telemetry.follow(tell)
    })
    return {
      service: withView(service, shutdown.server),
      events,
      telemetry,
      app,
      listenApp: listening.listenApp,
      finalize: shutdown.finalize,
      isStopping: () => registry.lifecycle.isStopping
    }
  })

const registryOf = (policy: ResolvedPolicy, now: () => number, wake: () => void, run: Run): ConnectionRegistry => {
  comparedByIdentity(TrackedConnection.prototype)
  comparedByIdentity(Exchange.prototype)
  return new ConnectionRegistry({
    now,
    wake,
    keepHeads: policy.idleGrace === "keepAliveTimeout",
    endsEventStreams: policy.endEventStreams,
    takesTurns: policy.spread > 0,
    goingAway: { ...policy.webSocket, lastLine: lastLineOf(policy) },
    onObserverError: (error) => run(Line.warning("A connection observer threw", {}, error))
  })
}

/** Behind half a line, it is a part of that; behind half an event, it completes none: the field counts as it is read. */
const lastLineOf = ({ eventStreamRetry }: ResolvedPolicy): string =>
  eventStreamRetry === 0 ? "" : `retry: ${eventStreamRetry}\n`

/** What a supervisor has to wait for. */
const drainMillisOf = ({ killTimeout, lameDuck, timeout }: ResolvedPolicy): number => lameDuck + timeout + killTimeout

/** What its owner sees of it. */
const serviceOf = (
  registry: ConnectionRegistry,
  { background, events, hooks, keepAlives, listening, shutdown, telemetry }: {
    readonly background: Background
    readonly events: ServerEvents
    readonly hooks: Hooks
    readonly keepAlives: KeepAlives.KeepAlives
    readonly listening: Listeners.Listeners
    readonly shutdown: Shutdown.Shutdown
    readonly telemetry: Telemetry
  }
): PlainService => ({
  listen: listening.listen,
  adopt: listening.adopt,
  onShutdown: onShutdown(shutdown.server, hooks),
  background: runInBackground(background),
  shutdown: shutdown.shutdown,
  drainNow: shutdown.drainNow,
  close: shutdown.close,
  closed: shutdown.closed,
  shuttingDown: shutdown.shuttingDown,
  phase: { get: Effect.sync(() => telemetry.phase) },
  observe: events.observe,
  connections: Effect.sync(() => {
    registry.prune()
    return Array.from(registry.connections, snapshot)
  }),
  setKeepAlives: keepAlives.set
})

const acceptFailed = (telemetry: Telemetry, events: ServerEvents, run: Run) => (error: Error): void => {
  telemetry.acceptErrors++
  events.emit({ _tag: "AcceptFailed", error })
  run(Line.warning("The system could not accept a connection; the server goes on", {}, error))
}

type Run = (effect: Effect.Effect<unknown>) => unknown

/** A runtime that was taken in an uninterruptible region starts uninterruptible fibers. */
const runnerOf = (runtime: Runtime.Runtime<never>) => <A, E>(effect: Effect.Effect<A, E>): Fiber.RuntimeFiber<A, E> =>
  Runtime.runFork(runtime)(Effect.interruptible(effect))
