/**
 * Tells connections to leave one after the other, so that their clients do not come back, and find another server, in the
 * same moment.
 */
import * as Effect from "effect/Effect"
import type { TrackedConnection } from "../core/connection.js"
import type { ConnectionRegistry } from "../core/connectionRegistry.js"
import type { Grace } from "../core/lifecycle.js"
import * as RealTime from "../effect/realTime.js"
import type { ServerContext } from "./serverContext.js"
import { closeAsDue, inBatches } from "./settle.js"
import { pauseBeforeRest, type Spread, spreadOfRest, turnAt, turnsUntil } from "./spread.js"

/** Those whose turns are nearer to each other than this have them together: each wake-up of a process costs. */
const leastMillis = 10

/** When one is announced. It leaves a grace later. */
interface Turn {
  readonly connection: TrackedConnection
  readonly at: number
}

/** What a lame duck has begun with, and how far it has come. */
export interface Turns {
  spread: Spread | undefined
  startedAt: number
  all: ReadonlyArray<Turn>
  /** So many of them have left, or are about to. */
  told: number
}

export const noTurns = (): Turns => ({ spread: undefined, startedAt: 0, all: [], told: 0 })

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
  turns.startedAt = registry.now()
  turns.all = turnsOf(all, turns.startedAt, turns.spread)
  // it still accepts: a connection that has sent nothing is about to
  const lameDuckGrace = { newConnection: Number.POSITIVE_INFINITY, idle: idleGrace, since }
  yield* Effect.raceFirst(
    Effect.zipRight(
      takeTurns(server, turns, { latest: Number.POSITIVE_INFINITY, lameDuckGrace }),
      Effect.never
    ),
    closeAsDue(registry, server.woken)
  )
})

/**
 * While draining: all that have not had theirs. Those that were announced before leave when the grace that they have been
 * given is over. `room` is how long all of it may take, in milliseconds.
 */
export const takeTurnsInDrain = (server: ServerContext, turns: Turns, room: number): Effect.Effect<void> =>
  Effect.suspend(() => {
    const { policy, registry } = server
    if (policy.spread === 0 && policy.webSocket.grace === 0) return Effect.void
    const now = registry.now()
    const announced = turns.all.slice(turns.told).filter(({ at, connection }) => at <= now && !connection.endsLongLived)
    const known = new Set(announced.map(({ connection }) => connection))
    const rest = inOrder(registry).filter((connection) => !connection.endsLongLived && !known.has(connection))
    const grace = Math.min(policy.webSocket.grace, Math.max(0, room))
    const pause = pauseBeforeRest(nextAt(turns, now) - now, rest.length, room - grace)
    const meant = turns.spread ?? { count: rest.length, millis: policy.spread }
    const spread = spreadOfRest(rest.length, meant, room - grace - pause)
    turns.all = [...announced, ...turnsOf(rest, now + pause, spread)]
    turns.told = 0
    return takeTurns(server, turns, { latest: now + Math.max(0, room), lameDuckGrace: undefined })
  })

const turnsOf = (connections: ReadonlyArray<TrackedConnection>, from: number, spread: Spread): ReadonlyArray<Turn> =>
  connections.map((connection, nth) => ({ connection, at: from + turnAt(nth, spread) }))

/** When another one would have been announced. */
const nextAt = ({ spread, startedAt }: Turns, now: number): number =>
  spread === undefined ? now : startedAt + turnAt(turnsUntil(now - startedAt, spread), spread)

/** The oldest connection first. */
const inOrder = ({ connections }: ConnectionRegistry): ReadonlyArray<TrackedConnection> =>
  Array.from(connections).sort((a, b) => a.id - b.id)

interface Round {
  /** When all are to have left, whatever is left of their graces. */
  readonly latest: number
  readonly lameDuckGrace: Grace | undefined
}

/** Each is announced in its turn, and asked to leave when its grace is over. */
const takeTurns = Effect.fnUntraced(function*(
  { policy: { webSocket }, registry }: ServerContext,
  turns: Turns,
  { lameDuckGrace, latest }: Round
) {
  const { all } = turns
  const leavesAt = ({ at }: Turn) => Math.min(at + webSocket.grace, latest)
  let announced = webSocket.message === undefined ? all.length : 0
  while (turns.told < all.length) {
    const now = registry.now()
    const toAnnounce = until(all, announced, ({ at }) => at > now)
    const toTell = until(all, turns.told, (turn) => leavesAt(turn) > now)
    yield* inBatches(connectionsOf(all.slice(announced, toAnnounce)), ({ protocol }) => protocol.announce())
    yield* leaveInBatches(registry, connectionsOf(all.slice(turns.told, toTell)), lameDuckGrace)
    announced = toAnnounce
    turns.told = toTell
    const [nextAnnounced, nextTold] = [all[announced], all[toTell]]
    if (nextTold === undefined) return
    const next = Math.min(nextAnnounced?.at ?? Number.POSITIVE_INFINITY, leavesAt(nextTold))
    yield* RealTime.sleep(Math.max(leastMillis, Math.ceil(next - registry.now())))
  }
})

/** The place of the first from there on that is not due. */
const until = (all: ReadonlyArray<Turn>, from: number, isLater: (turn: Turn) => boolean): number => {
  let to = from
  for (let turn = all[to]; turn !== undefined && !isLater(turn); turn = all[to]) to++
  return to
}

const connectionsOf = (turns: ReadonlyArray<Turn>): ReadonlyArray<TrackedConnection> =>
  turns.map(({ connection }) => connection)

const leaveInBatches = (
  registry: ConnectionRegistry,
  connections: ReadonlyArray<TrackedConnection>,
  lameDuck: Grace | undefined
): Effect.Effect<void> =>
  inBatches(connections, (connection) => {
    const isTold = leave(registry, connection, lameDuck)
    return closeIfIdle(registry, connection) || isTold
  }, registry.withParserCache)

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
