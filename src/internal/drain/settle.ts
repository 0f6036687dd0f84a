/**
 * How the connections of a server are let go: closed as their graces run out, until nothing is owed to anybody.
 */
import * as Effect from "effect/Effect"
import type { ConnectionRegistry } from "../core/connectionRegistry.js"
import * as RealTime from "../effect/realTime.js"
import { nextMacrotask } from "../node/turn.js"
import type { ResolvedPolicy } from "../policy/policy.js"
import type { ServerContext } from "./serverContext.js"
import type { TimedLatch } from "./timedLatch.js"

/** Connections are closed in batches, with a turn of the event loop between: 9,000 at once stalled it for 190 ms. */
const batch = 64

/** Nothing is open, and nothing runs. */
export const isQuiescent = ({ background, handlers, hooks, registry }: ServerContext): boolean =>
  registry.isEmpty && handlers.idle && hooks.idle && background.idle

/** From the moment on in which nothing is left, no background work is taken in: nobody would wait for it. */
export const hasSettled = (server: ServerContext): boolean => {
  if (!isQuiescent(server)) return false
  server.background.refuse()
  return true
}

/**
 * Closes connections as their graces run out, and returns when all have closed and every handler, hook and background task
 * has ended.
 * Looks again at each tick of the poll schedule, when the earliest grace runs out, and when the last one has ended.
 */
export const awaitDrained = Effect.fnUntraced(function*(server: ServerContext, isOver = isQuiescent) {
  const { policy, registry, woken } = server
  if (registry.connections.size === 0 && isOver(server)) return
  yield* Effect.fork(ticks(policy, woken))
  while (true) {
    woken.close()
    // a process that was not scheduled for a while finds its timers due, and requests that it has not read; woken
    // while it reads, it needs a second turn to read the rest
    if (registry.connections.size > 0) yield* Effect.zipRight(nextMacrotask, nextMacrotask)
    const next = yield* closeDue(registry)
    if (isOver(server)) return
    yield* woken.within(next - registry.now())
  }
})

/** A schedule that has ended, or is broken, leaves the wake-ups; one that never waits, the event loop. */
const ticks = ({ pollSchedule }: ResolvedPolicy, woken: TimedLatch): Effect.Effect<void> =>
  Effect.zipRight(nextMacrotask, Effect.sync(() => woken.open())).pipe(
    Effect.schedule(pollSchedule),
    Effect.catchAllCause(() => Effect.void),
    Effect.asVoid
  )

export const until = (millis: number): Effect.Effect<void> =>
  Number.isFinite(millis) ? RealTime.sleep(Math.max(0, Math.ceil(millis))) : Effect.never

/**
 * With keep-alives off, outside of a shutdown: closes connections as their graces run out (Go's rule C9), until
 * interrupted.
 */
export const closeIdleConnections = Effect.fnUntraced(
  function*(policy: ResolvedPolicy, registry: ConnectionRegistry, woken: TimedLatch) {
    const first = { newConnection: policy.newConnectionGrace, idle: policy.idleGrace, since: registry.now() }
    registry.advance({ to: "KeepAlivesOff", grace: first })
    yield* closeDue(registry)
    // the server still accepts: what is new from now on is about to send, and its answer will say close
    if (registry.lifecycle.grace === first) {
      registry.advance({ to: "KeepAlivesOff", grace: { ...first, newConnection: Number.POSITIVE_INFINITY } })
    }
    yield* closeAsDue(registry, woken)
  }
)

/** While the server still accepts: closes connections as their graces run out, until interrupted. */
export const closeAsDue = Effect.fnUntraced(function*(registry: ConnectionRegistry, woken: TimedLatch) {
  while (true) {
    woken.close()
    const next = yield* closeDue(registry)
    yield* woken.within(next - registry.now())
    yield* nextMacrotask
  }
})

/** Closes every connection that is owed nothing and whose grace is over; returns when the next grace will be. */
const closeDue = Effect.fnUntraced(function*(registry: ConnectionRegistry) {
  let next = Number.POSITIVE_INFINITY
  registry.prune()
  let now = 0
  yield* inBatches(registry.connections, (connection) => {
    const { grace } = connection
    if (grace === undefined) return false
    const stays = connection.protocol.keepUntil(grace)
    if (stays > now) next = Math.min(next, stays)
    else if (!connection.socket.destroyed) {
      connection.closeIdle()
      return true
    }
    return false
  }, (visitBatch) => {
    now = registry.now()
    return registry.withParserCache(visitBatch)
  })
  registry.nextSweepAt = next
  return next
})

/**
 * Visits all, with a turn of the event loop after every batch: closing a connection takes some sixteen times as long
 * as looking at it. What holds for a batch, and for none of those turns, is put around it.
 */
export const inBatches = Effect.fnUntraced(
  function*<A>(
    all: Iterable<A>,
    visit: (a: A) => boolean,
    aroundBatch: (visitBatch: () => boolean) => boolean = (visitBatch) => visitBatch()
  ) {
    const rest = all[Symbol.iterator]()
    const visitBatch = () => visitSome(rest, visit)
    while (aroundBatch(visitBatch)) yield* nextMacrotask
  }
)

/** True where it has stopped before the end. */
const visitSome = <A>(rest: Iterator<A>, visit: (a: A) => boolean): boolean => {
  let work = 0
  for (let next = rest.next(); next.done !== true; next = rest.next()) {
    work += visit(next.value) ? 16 : 1
    if (work >= batch * 16) return true
  }
  return false
}
