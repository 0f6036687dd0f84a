/**
 * How a server stops, from top to bottom in the order in which things happen (DESIGN: LameDuck, Draining, deadline,
 * Closed).
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { ConnectionRegistry } from "../core/connectionRegistry.js"
import { recallCut, watchSocket } from "../core/cutElsewhere.js"
import type { RequestFibers } from "../core/requestFibers.js"
import type { BoundListener } from "../listener/listener.js"
import type { Phase } from "../model/policy.js"
import type { Report } from "../model/report.js"
import * as RealTime from "../node/realTime.js"
import type { ResolvedPolicy } from "../policy/policy.js"
import { step } from "../telemetry/shutdownSpans.js"
import type { Telemetry } from "../telemetry/telemetry.js"
import type { Hooks } from "./hooks.js"
import { abortRemaining, lostElsewhere } from "./kill.js"
import { endLongLived } from "./longLived.js"
import { awaitDrained, inBatches, isQuiescent } from "./settle.js"

export interface ServerContext {
  readonly policy: ResolvedPolicy
  readonly registry: ConnectionRegistry
  readonly handlers: RequestFibers
  readonly hooks: Hooks
  readonly listeners: ReadonlySet<BoundListener>
  readonly telemetry: Telemetry
  /** Requests that wait for an app to be attached wait in vain. */
  readonly rejectPending: () => void
  /** The event streams of an Effect app end, if the policy says so. */
  readonly endEventStreams: () => void
  readonly enter: (phase: Phase) => Effect.Effect<void>
  /** Suspends until the drain may want to look again; opened by the registry, the handlers and the hooks. */
  readonly woken: Effect.Latch
  /** Suspends until a lame duck is to end early: `drainNow` or `close` is called. */
  readonly lameDuckOver: Effect.Effect<void>
  /** Suspends until `close` is called. */
  readonly closeCalled: Effect.Effect<void>
  readonly isCloseCalled: () => boolean
  /** Whether whatever answers has been there: the app that is to be attached, or what needs none. */
  readonly hasApp: () => boolean
  /** In milliseconds. Nobody has been sent to a server that has failed to start. */
  readonly lameDuck: () => number
}

export const drain = Effect.fnUntraced(function*(server: ServerContext) {
  const { handlers, hooks, listeners, policy, registry } = server
  const { now } = registry
  const startedAt = now()
  const open = registry.connections.size
  const { accepted, closed, dismissed, served } = registry

  recallCut(registry)
  yield* closeGracefully(registry)
  const lameDuck = server.lameDuck()
  if (lameDuck > 0 && !server.isCloseCalled()) {
    yield* server.enter("LameDuck")
    yield* Effect.raceFirst(RealTime.sleep(lameDuck), server.lameDuckOver).pipe(step("lame_duck"))
  }

  const drainingAt = now()
  const graceful = !server.isCloseCalled()
  if (graceful) {
    yield* server.enter("Draining")
    const deadline = Effect.raceFirst(
      server.closeCalled,
      Number.isFinite(policy.timeout) ? RealTime.sleep(policy.timeout) : Effect.never
    )
    // said before the drain lets go of what it holds
    const tooLate = Effect.sync(() => {
      registry.advance({ to: "Aborting" })
    })
    yield* Effect.raceFirst(drained(server, drainingAt), Effect.zipRight(deadline, tooLate)).pipe(
      step("draining", {
        onStart: (span) => {
          server.telemetry.draining = span
        }
      })
    )
  }
  for (const listener of listeners) listener.closeNow()
  server.rejectPending()
  if (graceful) hooks.start()

  const killingAt = now()
  const lost = lostElsewhere(registry, startedAt)
  const killed = yield* abortRemaining(server, drainingAt).pipe(
    isQuiescent(server) ? (nothing) => nothing : step("kill")
  )

  registry.wake = () => {}
  const endedAt = now()
  const report: Report = {
    outcome: server.isCloseCalled()
      ? "Closed"
      : killed.requests.length > 0
      ? "DeadlineExceeded"
      : lost.requests.length > 0
      ? "Cut"
      : "Drained",
    startedAt,
    duration: Duration.millis(endedAt - startedAt),
    lameDuck: Duration.millis(drainingAt - startedAt),
    draining: Duration.millis(killingAt - drainingAt),
    killing: Duration.millis(endedAt - killingAt),
    served: registry.served - served,
    connections: {
      open,
      accepted: registry.accepted - accepted,
      left: (registry.closed - closed) - (registry.dismissed - dismissed) - killed.connections - lost.connections,
      dismissed: registry.dismissed - dismissed,
      cut: killed.connections + lost.connections
    },
    cut: [...lost.requests, ...killed.requests],
    endedStreams: registry.endedStreams.map(({ endedAt, since, ...stream }) => ({
      ...stream,
      age: Duration.millis(endedAt - since)
    })),
    forced: killed.forced,
    handlers: { interrupted: killed.interrupted, abandoned: handlers.fibers.size },
    hooks: hooks.finish()
  }
  return report
})

/** Stops accepting, starts the hooks, and waits until nothing is owed to anybody. */
const drained = Effect.fnUntraced(function*(server: ServerContext, since: number) {
  yield* Effect.forEach(server.listeners, (listener) => listener.close, { concurrency: "unbounded", discard: true })
    .pipe(step("close_listeners", { attributes: { "quiesce.listeners": server.listeners.size } }))
  server.rejectPending()
  server.registry.advance({
    to: "Draining",
    grace: { newConnection: server.policy.newConnectionGrace, idle: server.policy.idleGrace, since }
  })
  yield* closeGracefully(server.registry)
  server.hooks.start()
  yield* Effect.raceFirst(awaitDrained(server), Effect.zipRight(endLongLived(server), Effect.never)).pipe(step("wait"))
})

const closeGracefully = (registry: ConnectionRegistry) =>
  inBatches(registry.connections, (connection) => {
    watchSocket(connection)
    return connection.protocol.gracefulClose()
  })
