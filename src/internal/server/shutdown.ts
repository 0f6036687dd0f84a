/**
 * The one shutdown of a server, which all callers share: who starts it, what surrounds its drain, who gets its report.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import { drain } from "../drain/drain.js"
import type { ServerContext } from "../drain/serverContext.js"
import { TimedLatch } from "../drain/timedLatch.js"
import { forkedFirst } from "../effect/fibers.js"
import type { App } from "../listener/app.js"
import { holdOutputs } from "../log/outputs.js"
import { DeadlineExceeded } from "../model/errors.js"
import type { Phase } from "../model/policy.js"
import { isFailure, type Report } from "../model/report.js"
import type { ServerService } from "../model/server.js"
import { inOwnContext } from "../node/asyncContext.js"
import { begins, isOver } from "../signals/processEnd.js"
import { enters, withShutdownLog } from "../telemetry/log.js"
import { observerOf } from "../telemetry/observer.js"
import { shutdownSpan } from "../telemetry/shutdownSpans.js"
import type { Telemetry, WatchedServer } from "../telemetry/telemetry.js"
import type { ServerEvents } from "./events.js"

export interface Shutdown extends Pick<ServerService, "close" | "closed" | "drainNow" | "shutdown" | "shuttingDown"> {
  readonly server: WatchedServer
  readonly start: Effect.Effect<void>
  /** What other code begins that closes a Node server. */
  readonly startByHand: Effect.Effect<void>
  /** Shuts down as a finalizer does: dies with what was cut, but only the first of several finalizers. */
  readonly finalize: Effect.Effect<void>
}

interface Parts extends
  Pick<
    ServerContext,
    "background" | "handlers" | "hooks" | "listeners" | "policy" | "registry" | "woken"
  >
{
  readonly app: App | undefined
  /** As `make` was told. */
  readonly unhurried: boolean
  readonly events: ServerEvents
  readonly begunToWait: () => void
  readonly telemetry: Telemetry
  readonly run: (effect: Effect.Effect<unknown>) => unknown
  /** Goes before the drain. */
  readonly before: Effect.Effect<void>
  readonly onStart: () => void
  /** The report is known, and nothing is open any more. */
  readonly onDrained: () => void
  readonly onClosed: () => void
}

export const make = (parts: Parts): Effect.Effect<Shutdown> =>
  Effect.map(Deferred.make<Report>(), (done) => {
    const { background, hooks, listeners, registry, telemetry } = parts
    const shuttingDown = Effect.unsafeMakeLatch(false)
    const lameDuckOver = new TimedLatch()
    const closeCalled = new TimedLatch()
    const bounded = new TimedLatch()
    let boundedSince = Number.POSITIVE_INFINITY
    const bound = () => {
      boundedSince = Math.min(boundedSince, registry.now())
      bounded.open()
    }
    const server = watchedServer(parts, {
      lameDuckOver,
      closeCalled,
      bounded,
      boundedSince: () => boundedSince
    })
    const runDrain = drainRunner(server, parts, done)
    const begin = () => {
      if (registry.lifecycle.isStopping) return
      registry.advance({ to: "Stopping" })
      const releaseOutputs = holdOutputs()
      begins(server)
      hooks.expect()
      background.expect()
      parts.onStart()
      telemetry.startedAt = registry.now()
      for (const listener of listeners) listener.offerSocket()
      runDrain(releaseOutputs)
      // whoever waits for it is to find that the drain has begun
      shuttingDown.unsafeOpen()
    }
    const start = Effect.sync(() => {
      bound()
      begin()
    })
    const closed = Effect.flatMap(
      Deferred.await(done),
      (report) => isFailure(report) ? new DeadlineExceeded({ report }) : Effect.succeed(report)
    )
    const shutdown = Effect.zipRight(start, closed)
    let raised = false
    return {
      server,
      start,
      startByHand: parts.unhurried ? Effect.sync(begin) : start,
      shutdown,
      closed,
      shuttingDown: shuttingDown.await,
      drainNow: Effect.suspend(() => {
        lameDuckOver.open()
        return start
      }),
      close: Effect.suspend(() => {
        closeCalled.open()
        lameDuckOver.open()
        return Effect.zipRight(start, Deferred.await(done))
      }),
      finalize: Effect.catchAll(Effect.asVoid(shutdown), (error) => {
        if (raised) return Effect.void
        raised = true
        return Effect.die(error)
      })
    }
  })

/** What the drain, and the telemetry, see of the server. */
const watchedServer = (
  { app, background, begunToWait, events, handlers, hooks, listeners, policy, registry, telemetry, woken }: Parts,
  orders: Pick<ServerContext, "bounded" | "boundedSince" | "closeCalled" | "lameDuckOver">
): WatchedServer => {
  const hasApp = () => app === undefined || app.taken() || registry.served > 0
  const server: WatchedServer = {
    ...orders,
    policy,
    registry,
    handlers,
    hooks,
    background,
    listeners,
    telemetry,
    woken,
    observer: observerOf(() => server),
    enter: (phase) => enter(server, events, phase),
    begunToWait,
    rejectPending: () => app?.rejectPending(),
    hasApp,
    lameDuck: () => hasApp() && Number.isFinite(orders.boundedSince()) ? policy.lameDuck : 0
  }
  return server
}

/** Runs the drain: its hooks, its log and its timers have nothing to do with the request whose handler calls for it. */
const drainRunner = (server: WatchedServer, parts: Parts, done: Deferred.Deferred<Report>) =>
  inOwnContext((releaseOutputs: () => void) =>
    parts.run(
      Effect.zipRight(parts.before, drain(server)).pipe(
        withShutdownLog(server),
        shutdownSpan(server),
        Effect.tap((report) => {
          server.telemetry.report(report)
          parts.onDrained()
          server.registry.advance({ to: "Closed" })
          return server.enter("Closed")
        }),
        Effect.tap(() =>
          Effect.sync(() => {
            parts.onClosed()
            isOver(server)
          })
        ),
        Effect.intoDeferred(done),
        Effect.ensuring(Effect.sync(releaseOutputs))
      )
    )
  )

const enter = (server: WatchedServer, events: ServerEvents, phase: Phase): Effect.Effect<void> =>
  // who was forked to read the events just before is told of this, too
  Effect.zipRight(
    forkedFirst,
    Effect.suspend(() => {
      const at = server.registry.now()
      server.telemetry.enter(phase, at)
      events.emit({ _tag: "PhaseChanged", phase, at })
      return enters(server, phase)
    })
  )
