/**
 * Tells connections to leave one after the other, so that their clients do not come back, and find another server, in the
 * same moment.
 */
import * as Effect from "effect/Effect"
import type { TrackedConnection } from "../core/connection.js"
import type { ConnectionRegistry } from "../core/connectionRegistry.js"
import type { Grace } from "../core/lifecycle.js"
import * as RealTime from "../effect/realTime.js"
import type { ResolvedPolicy } from "../policy/policy.js"
import type { ServerContext } from "./serverContext.js"
import { closeAsDue, inBatches } from "./settle.js"
import { pauseBeforeRest, type Spread, spreadOfRest, turnAt, turnsUntil } from "./spread.js"

/** Those whose turns are nearer to each other than this have them together: each wake-up of a process costs. */
const leastMillis = 10

/** What was meant, where a lame duck has begun with it, and when it would have gone on. */
export interface Turns {
  spread: Spread | undefined
  nextAt: number
}

/**
 * During a lame duck: its last part, so that load balancers have noticed by then. A stream that ends has not said that its
 * connection closes: that is closed behind it, when its grace is over. Goes on until interrupted.
 */
export const takeTurnsInLameDuck = Effect.fnUntraced(function*(server: ServerContext, turns: Turns, lameDuck: number) {
  const { policy: { idleGrace, spread, webSocket }, registry } = server
  if (spread === 0) return
  const since = registry.now()
  yield* RealTime.sleep(Math.max(0, lameDuck - spread - webSocket.grace))
  const all = inOrder(registry)
  turns.spread = { count: all.length, millis: spread }
  // it still accepts: a connection that has sent nothing is about to
  const lameDuckGrace = { newConnection: Number.POSITIVE_INFINITY, idle: idleGrace, since }
  yield* Effect.raceFirst(
    Effect.zipRight(
      takeTurns(server, all, { spread: turns.spread, grace: webSocket.grace, lameDuckGrace, turns }),
      Effect.never
    ),
    closeAsDue(registry, server.woken)
  )
})

/** While draining: all that have not had theirs. `room` is how long that may take, in milliseconds. */
export const takeTurnsInDrain = (server: ServerContext, turns: Turns, room: number): Effect.Effect<void> =>
  Effect.suspend(() => {
    const { policy, registry } = server
    if (policy.spread === 0 && policy.webSocket.grace === 0) return Effect.void
    const all = inOrder(registry).filter(({ endsLongLived }) => !endsLongLived)
    const meant = turns.spread ?? { count: all.length, millis: policy.spread }
    const grace = Math.min(policy.webSocket.grace, Math.max(0, room))
    const pause = pauseBeforeRest(turns.nextAt - registry.now(), all.length, room - grace)
    const spread = spreadOfRest(all.length, meant, room - grace - pause)
    return Effect.zipRight(
      pause === 0 ? Effect.void : RealTime.sleep(pause),
      takeTurns(server, all, { spread, grace, lameDuckGrace: undefined, turns })
    )
  })

/** The oldest connection first. */
const inOrder = ({ connections }: ConnectionRegistry): ReadonlyArray<TrackedConnection> =>
  Array.from(connections).sort((a, b) => a.id - b.id)

interface Round {
  readonly spread: Spread
  readonly grace: number
  readonly lameDuckGrace: Grace | undefined
  readonly turns: Turns
}

/** Each is announced in its turn, and asked to leave when its grace is over. */
const takeTurns = Effect.fnUntraced(function*(
  { policy, registry }: { readonly policy: ResolvedPolicy; readonly registry: ConnectionRegistry },
  all: ReadonlyArray<TrackedConnection>,
  { grace, lameDuckGrace, spread, turns }: Round
) {
  const startedAt = registry.now()
  let announced = policy.webSocket.message === undefined ? all.length : 0
  let told = 0
  while (told < all.length) {
    const elapsed = registry.now() - startedAt
    const toAnnounce = Math.max(announced, turnsUntil(elapsed, spread))
    const toTell = turnsUntil(elapsed - grace, spread)
    turns.nextAt = startedAt + turnAt(toTell, spread)
    yield* inBatches(all.slice(announced, toAnnounce), (connection) => connection.protocol.announce())
    yield* leaveInBatches(registry, all.slice(told, toTell), lameDuckGrace)
    announced = toAnnounce
    told = toTell
    if (told === all.length) return
    const next = Math.min(
      announced < all.length ? turnAt(announced, spread) : Number.POSITIVE_INFINITY,
      turnAt(told, spread) + grace
    )
    yield* RealTime.sleep(Math.max(leastMillis, Math.ceil(next - (registry.now() - startedAt))))
  }
})

const leaveInBatches = Effect.fnUntraced(function*(
  registry: ConnectionRegistry,
  connections: ReadonlyArray<TrackedConnection>,
  lameDuck: Grace | undefined
) {
  // what is in the middle of a message is looked up once for all
  registry.parserCache = new Map()
  yield* inBatches(connections, (connection) => {
    const isTold = leave(registry, connection, lameDuck)
    return closeIfIdle(registry, connection) || isTold
  }, () => {
    registry.parserCache = new Map()
  })
  registry.parserCache = undefined
})

/** What never ends by itself is ended on it; true where its peer has been told something. */
export const leave = (registry: ConnectionRegistry, connection: TrackedConnection, lameDuck?: Grace): boolean => {
  let ended = 0
  connection.takeTurn(lameDuck)
  if (registry.endsEventStreams && connection.exchanges.size > 0) {
    // what a handler does when it sees its client leave may be anything
    for (const exchange of Array.from(connection.exchanges)) {
      if (exchange.endEventStream(registry.goingAway.lastLine)) ended++
    }
  }
  const isTold = connection.protocol.gracefulClose()
  return ended > 0 || isTold
}

/** One that is idle, and has kept us waiting for its turn, is closed if its grace is over; else that closes it. */
const closeIfIdle = (registry: ConnectionRegistry, connection: TrackedConnection): boolean => {
  const { grace } = connection
  if (grace === undefined || connection.state !== "Idle" || connection.socket.destroyed) return false
  const until = connection.protocol.keepUntil(grace)
  if (until <= registry.now()) {
    connection.closeIdle()
    return true
  }
  registry.wakeFor(until)
  return false
}
