/**
 * The server: one registry, its listeners, its hooks, and the one shutdown that all callers share.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as Runtime from "effect/Runtime"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Subscribable from "effect/Subscribable"
import * as SubscriptionRef from "effect/SubscriptionRef"
import { snapshot } from "../core/connection.js"
import { ConnectionRegistry } from "../core/connectionRegistry.js"
import { drain } from "../drain/drain.js"
import { Hooks } from "../drain/hooks.js"
import { RequestFibers } from "../drain/requestFibers.js"
import { closeIdleConnections } from "../drain/settle.js"
import type { App } from "../listener/app.js"
import * as ByHand from "../listener/byHand.js"
import { adopt, bind, type BoundListener, isHttp, isHttp2 } from "../listener/listener.js"
import { makeNodeServer, seemsToStart, whyNotAdopt, whyNotListen, wrongListenOption } from "../listener/listenErrors.js"
import { seePassedOn } from "../listener/passedOn.js"
import { watcherOf } from "../listener/watcher.js"
import * as Line from "../log/line.js"
import { holdOutputs } from "../log/outputs.js"
import type { Connection } from "../model/connection.js"
import { DeadlineExceeded, type InvalidPolicy, ServerClosed } from "../model/errors.js"
import { type Listener, ListenError, type NodeServer, type Options } from "../model/listener.js"
import type { Phase, Policy } from "../model/policy.js"
import { isFailure, type Report } from "../model/report.js"
import type { Event, ServerService } from "../model/server.js"
import { inOwnContext } from "../node/asyncContext.js"
import { monotonicMillis } from "../node/clock.js"
import * as RealTime from "../node/realTime.js"
import { nextMacrotask } from "../node/turn.js"
import { ofEffectApp } from "../node/upgrades.js"
import { checkNames } from "../policy/optionNames.js"
import { duration, resolve } from "../policy/policy.js"
import { begins, isOver } from "../signals/processEnd.js"
import { Program } from "../signals/program.js"
import { warnAboutNpm } from "../supervisor/npm.js"
import { enters, hookEnded, narrated } from "../telemetry/log.js"
import { observerOf } from "../telemetry/observer.js"
import * as PromisedGrace from "../telemetry/promisedGrace.js"
import { hookSpan, shutdownSpan } from "../telemetry/shutdownSpans.js"
import { Telemetry, type WatchedServer, withInside } from "../telemetry/telemetry.js"

/** How many events a reader may fall behind. */
const eventBuffer = 4096

const forever = Number.POSITIVE_INFINITY

/** A server, and what an app needs of it beyond what a user sees. */
export interface ServerHandle<A> {
  readonly service: ServerService
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
  /** The app that answers where a Node server has no `request` listener of its own. It outlives the connections. */
  readonly app: (handlers: RequestFibers, eventStreamsEnd: Effect.Effect<void>) => Effect.Effect<A, never, Scope.Scope>
}

export const make = <A extends App | undefined>(
  policyInput: Policy,
  options: MakeOptions<A>
): Effect.Effect<ServerHandle<A>, InvalidPolicy, Scope.Scope> =>
  Effect.gen(function*() {
    const policy = yield* resolve(policyInput)
    const clock = yield* Effect.clock
    const runtime = yield* RealTime.runtime
    const program = yield* Program
    if (!options.quiet) yield* warnAboutNpm
    // a runtime that was taken in an uninterruptible region starts uninterruptible fibers
    const run = <A, E>(effect: Effect.Effect<A, E>): Fiber.RuntimeFiber<A, E> =>
      Runtime.runFork(runtime)(Effect.interruptible(effect))

    const now = monotonicMillis(clock)
    const woken = Effect.unsafeMakeLatch(false)
    const wake = () => {
      woken.unsafeOpen()
    }
    const registry = new ConnectionRegistry({
      now,
      wake,
      keepHeads: policy.idleGrace === "promised",
      endsEventStreams: policy.endEventStreams,
      onObserverError: (error) => run(Line.warning("A connection observer threw", {}, error))
    })
    const handlers = new RequestFibers(registry, run, wake)

    const listeners = new Set<BoundListener>()
    const byHand = ByHand.make(listeners)
    const readers = new Set<(event: Event) => void>()
    const emit = (event: Event) => {
      for (const reader of readers) reader(event)
    }
    const hooks = new Hooks(now, Math.min(policy.timeout, 2 ** 31), run, (hook) => {
      wake()
      emit({ _tag: "HookEnded", hook })
      run(hookEnded(server, hook))
    })

    const phase = yield* SubscriptionRef.make<Phase>("Serving")
    const eventStreamsEnd = Effect.unsafeMakeLatch(false)
    const telemetry = new Telemetry(options.quiet)
    const promisedGrace = PromisedGrace.make(policy)
    const enter = (next: Phase) =>
      Effect.zipRight(
        SubscriptionRef.set(phase, next),
        Effect.suspend(() => {
          telemetry.phase = next
          telemetry.phaseSince = now()
          emit({ _tag: "PhaseChanged", phase: next, at: now() })
          return enters(server, next)
        })
      )

    const app = yield* options.app(handlers, eventStreamsEnd.await)
    const ownScope = yield* Effect.scope
    let closeCalled = false
    const shuttingDown = Effect.unsafeMakeLatch(false)
    const lameDuckOver = Effect.unsafeMakeLatch(false)
    const closing = Effect.unsafeMakeLatch(false)
    const done = yield* Deferred.make<Report>()
    let dismissing: Fiber.RuntimeFiber<void> | undefined = undefined

    const hasApp = () => app === undefined || app.taken() || registry.served > 0
    const server: WatchedServer = {
      policy,
      registry,
      handlers,
      hooks,
      listeners,
      telemetry,
      observer: observerOf(() => server),
      woken,
      enter,
      rejectPending: () => app?.rejectPending(),
      endEventStreams: () => {
        eventStreamsEnd.unsafeOpen()
      },
      lameDuckOver: lameDuckOver.await,
      closeCalled: closing.await,
      isCloseCalled: () => closeCalled,
      hasApp,
      lameDuck: () => hasApp() ? policy.lameDuck : 0
    }
    // its hooks, its log and its timers have nothing to do with the request whose handler shuts the server down
    const runDrain = inOwnContext(() =>
      run(
        Effect.zipRight(promisedGrace.checkAll, drain(server)).pipe(
          narrated(server),
          shutdownSpan(server),
          Effect.tap((report) => telemetry.report(report)),
          Effect.tap(() => Effect.sync(() => stopSeeing())),
          Effect.tap(() => {
            registry.advance({ to: "Closed" })
            return enter("Closed")
          }),
          Effect.tap(() =>
            Effect.sync(() => {
              program?.servers.delete(service)
              isOver(server)
            })
          ),
          Effect.intoDeferred(done),
          Effect.ensuring(Effect.sync(() => releaseOutputs()))
        )
      )
    )
    let releaseOutputs = () => {}
    const start = Effect.sync(() => {
      if (registry.lifecycle.isStopping) return
      registry.advance({ to: "Stopping" })
      releaseOutputs = holdOutputs()
      begins(server)
      hooks.expect()
      dismissing?.unsafeInterruptAsFork(FiberId.none)
      telemetry.startedAt = now()
      shuttingDown.unsafeOpen()
      for (const listener of listeners) listener.makeWay()
      runDrain()
    })
    const closed = Effect.flatMap(
      Deferred.await(done),
      (report) => isFailure(report) ? new DeadlineExceeded({ report }) : Effect.succeed(report)
    )
    const shutdown = Effect.zipRight(start, closed)

    let raised = false
    const finalize = Effect.catchAll(Effect.asVoid(shutdown), (error) => {
      if (raised) return Effect.void
      raised = true
      return Effect.die(error)
    })
    yield* Effect.addFinalizer(() => finalize)

    const watcher = watcherOf({
      app,
      registry,
      isStopping: () => registry.lifecycle.isStopping,
      closeCalled: (node, closeIdle) => {
        const alone = registry.lifecycle.isStopping ? undefined : byHand.alone(node)
        if (alone === undefined) return Effect.runSync(start)
        run(Effect.zipRight(
          alone,
          Effect.sync(() => {
            // as Node's own `close` does; a shutdown has rules of its own for them
            if (!registry.lifecycle.isStopping) closeIdle()
          })
        ))
      },
      cutAll: (requests) => {
        run(
          Line.warning(
            `closeAllConnections() of the Node server was called outside of a shutdown, and has cut ${requests} `
              + `request${requests === 1 ? "" : "s"} in flight: to stop the server, close it, or call shutdown`
          )
        )
      },
      acceptFailed: (error) => {
        telemetry.acceptErrors++
        emit({ _tag: "AcceptFailed", error })
        run(Line.warning("The system could not accept a connection; the server goes on", {}, error))
      }
    })

    const stopSeeing = seePassedOn(registry, (node) => watcher(node, false))

    /** Scopes of one application close in parallel: where a shutdown has begun by now, the order is its own. */
    const leaveOrClose = (bound: BoundListener) =>
      Effect.suspend(() =>
        registry.lifecycle.isStopping ? Effect.void : Effect.zipRight(
          bound.close,
          Effect.sync(() => {
            listeners.delete(bound)
            bound.letGo()
          })
        )
      )
    const opened = (bound: Effect.Effect<BoundListener, ListenError>) =>
      Effect.acquireRelease(
        Effect.suspend(() =>
          registry.lifecycle.isStopping ? new ServerClosed({ operation: "listen" }) : Effect.flatMap(bound, (bound) => {
            if (registry.lifecycle.isStopping) {
              bound.closeNow()
              return new ServerClosed({ operation: "listen" })
            }
            listeners.add(bound)
            return Effect.succeed(bound)
          })
        ),
        (bound) =>
          Effect.flatMap(Effect.scope, (scope) =>
            // it closes with its server, and so the server's lame duck comes first
            scope === ownScope
              ? finalize
              : Effect.zipRight(nextMacrotask, leaveOrClose(bound)))
      ).pipe(Effect.map((bound): Listener => ({
        get address() {
          return bound.address
        },
        close: Effect.suspend(() => {
          byHand.ending(bound)
          return bound.close
        })
      })))
    const listen = (alwaysApp: boolean) => (evaluate: () => NodeServer, options: Options) =>
      opened(Effect.suspend(() => {
        const wrong = wrongListenOption(options)
        if (wrong !== undefined) return wrong
        const node = makeNodeServer(evaluate)
        if (node instanceof ListenError) return node
        return Effect.zipRight(
          // then it will listen in the next turn
          seemsToStart(node) ? nextMacrotask : Effect.void,
          Effect.suspend(() => listenWith(node, options, alwaysApp))
        )
      }))
    const listenWith = (node: NodeServer, options: Options, alwaysApp: boolean) => {
      const unusable = whyNotListen(node, options)
      if (unusable !== undefined) return unusable
      const unheard = node.listenerCount("request") + node.listenerCount("stream") === 0
      const withApp = app !== undefined && isHttp(node) && (alwaysApp || unheard)
      // Node hands over a request to upgrade, and makes requests of streams, only where somebody listens for them
      if (withApp) node.on("upgrade", ofEffectApp)
      if (withApp && isHttp2(node)) node.on("request", ignore)
      return Effect.tap(bind(node, options, watcher(node, withApp)), (bound) => {
        byHand.listensWith(node, bound)
        return promisedGrace.check(node)
      })
    }

    const service: ServerService = {
      listen: listen(false),
      adopt: (node) =>
        opened(Effect.suspend(() =>
          whyNotAdopt(node) ?? Effect.tap(adopt(node, watcher(node, false)), () => promisedGrace.check(node))
        )),
      onShutdown: (name, hook, options) =>
        Effect.gen(function*() {
          if (options !== undefined) {
            yield* checkNames(`options of the hook "${name}"`, options, ["timeout"], ` of the hook "${name}"`)
          }
          const limit = options?.timeout === undefined
            ? Number.POSITIVE_INFINITY
            : yield* duration(`timeout of the hook "${name}"`, options.timeout)
          const around = yield* Effect.runtime<Effect.Effect.Context<typeof hook>>()
          yield* Effect.acquireRelease(
            Effect.sync(() =>
              hooks.add(
                name,
                limit,
                inOwnContext(() =>
                  Runtime.runFork(around)(Effect.interruptible(hookSpan(server, name)(hook)))
                )
              )
            ),
            (hook) => hooks.remove(hook)
          )
        }),
      shutdown,
      drainNow: Effect.suspend(() => {
        lameDuckOver.unsafeOpen()
        return start
      }),
      close: Effect.suspend(() => {
        closeCalled = true
        lameDuckOver.unsafeOpen()
        closing.unsafeOpen()
        return Effect.zipRight(start, Deferred.await(done))
      }),
      closed,
      phase: Subscribable.make({ get: SubscriptionRef.get(phase), changes: phase.changes }),
      shuttingDown: shuttingDown.await,
      connections: Effect.sync(() => {
        registry.prune()
        return Array.from(registry.connections, snapshot)
      }),
      observe: (observer: (connection: Connection) => void) =>
        Effect.acquireRelease(
          Effect.sync(() => {
            // the same function may observe twice
            const own = (connection: Connection) => observer(connection)
            registry.observers.add(own)
            return own
          }),
          (own) => Effect.sync(() => registry.observers.delete(own))
        ).pipe(Effect.asVoid),
      events: Stream.asyncPush<Event>((push) =>
        Effect.acquireRelease(
          Effect.map(SubscriptionRef.get(phase), (phase) => {
            // whoever reads goes on in the context of whoever wakes it
            const reader = inOwnContext((event: Event) => {
              push.single(event)
              if (event._tag === "PhaseChanged" && event.phase === "Closed") push.end()
            })
            const observer = (connection: Connection) => reader({ _tag: "ConnectionChanged", connection })
            readers.add(reader)
            registry.observers.add(observer)
            if (phase === "Closed") push.end()
            return { reader, observer }
          }),
          ({ observer, reader }) =>
            Effect.sync(() => {
              readers.delete(reader)
              registry.observers.delete(observer)
            })
        ), { bufferSize: eventBuffer, strategy: "sliding" }),
      setKeepAlives: (enabled: boolean) =>
        Effect.suspend(() => {
          if (registry.lifecycle.isStopping) return Effect.void
          if (enabled) {
            // what was told to leave is still watched until it has left
            const grace = dismissing === undefined ? undefined : { newConnection: forever, idle: forever, since: now() }
            registry.advance({ to: "Serving", grace })
            return Effect.void
          }
          registry.advance({ to: "KeepAlivesOff", grace: registry.lifecycle.grace })
          const before = dismissing
          for (const connection of registry.connections) connection.protocol.gracefulClose()
          dismissing = run(closeIdleConnections(policy, registry, woken))
          return before === undefined ? Effect.void : Fiber.interrupt(before)
        })
    }
    if (program !== undefined) {
      program.servers.set(service, policy.lameDuck + policy.timeout + policy.killTimeout)
      program.run = run
    }
    return {
      service: withInside(service, server),
      app,
      listenApp: listen(true),
      finalize,
      isStopping: () => registry.lifecycle.isStopping
    }
  })

const ignore = () => {}
