/**
 * The end that is not graceful: what is interrupted and cut when the time is up, and what its clients got.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { remoteAddressOf, snapshot, type TrackedConnection } from "../core/connection.js"
import type { ConnectionRegistry } from "../core/connectionRegistry.js"
import type { Exchange } from "../core/exchange.js"
import { unsafeInterrupt } from "../effect/fibers.js"
import type { CutRequest } from "../model/report.js"
import { nextMacrotask } from "../node/turn.js"
import { sayGoingAway } from "./longLived.js"
import type { ServerContext } from "./serverContext.js"
import { awaitDrained, inBatches, isQuiescent, until } from "./settle.js"

/** How many turns of the event loop the last word to a peer takes: to be framed, encrypted and written. */
const lastWordTurns = 4

/** How many turns of the event loop a socket that was cut may take to say that it has closed. */
const cutTurns = 1000

/**
 * How many handlers and background tasks are interrupted in the turn in which the deadline passes; the others follow in
 * turns of their own.
 */
const atOnce = 64

/** Nothing is left that more time could help: no handler, no hook, no background work, no answer on its way. */
const nothingLeftToAwait = ({ background, handlers, hooks, registry }: ServerContext): boolean =>
  handlers.idle && hooks.idle && background.idle
  && Array.from(registry.connections).every(({ isClosing, exchanges }) => exchanges.size === 0 && !isClosing)

/**
 * The deadline has passed: interrupts the handlers and background work, gives them `killTimeout` to finish their
 * finalizers, and cuts what is still open. Where `close` was called, what is open is cut first, and the handlers have as
 * long after that.
 */
export const abortRemaining = Effect.fnUntraced(function*(server: ServerContext, drainingAt: number) {
  const { background, handlers, hooks, policy, registry } = server
  background.refuse()
  const none: ReadonlyArray<CutRequest> = []
  if (isQuiescent(server)) return { requests: none, connections: 0, forceClosed: [], interrupted: 0 }

  registry.advance({ to: "Aborting" })
  yield* sayGoingAway(registry)
  const killingAt = registry.now()
  const cutByUs = new Set<unknown>()
  const remaining = yield* exchangesAtDeadline(registry, cutByUs)
  // where `close` was called, what they serve is cut at once
  const carriers = server.closeCalled.isOpen ? new Set<never>() : handlers.carriers
  const interrupted = handlers.fibers.size - carriers.size
  hooks.interrupt()
  const interrupts = [
    ...handlers.alive.filter((fiber) => !carriers.has(fiber)).map((fiber) => () => unsafeInterrupt(fiber)),
    ...background.interrupts
  ]
  for (const interruptOne of interrupts.slice(0, atOnce)) interruptOne()
  // goes on where it was when the time was up
  const interrupt = inBatches(interrupts.slice(atOnce).values(), (interruptOne) => {
    interruptOne()
    return true
  })
  yield* server.observer.deadlineExceeded(interrupted)
  const over = Effect.suspend(() =>
    Effect.raceFirst(
      Effect.zipRight(interrupt, awaitDrained(server, nothingLeftToAwait)),
      until(killingAt + policy.killTimeout - registry.now())
    )
  )
  if (!server.closeCalled.isOpen) {
    registry.advance({
      to: "EndLongLived",
      grace: { newConnection: policy.newConnectionGrace, idle: policy.idleGrace, since: drainingAt }
    })
    yield* Effect.raceFirst(over, server.closeCalled.await)
  }

  yield* interrupt
  yield* inBatches(carriers.values(), (fiber) => {
    unsafeInterrupt(fiber)
    return true
  })
  // an answer that has just been ended is written at the end of this turn
  yield* nextMacrotask
  const left = Array.from(registry.connections)
  // one that has had its last answer and our FIN leaves with those
  const cut = left.filter(({ isLingering }) => !isLingering)
  const forceClosed = cut.filter((connection) => connection.exchanges.size === 0).map(snapshot)
  const cutting = function*() {
    for (const connection of left) {
      cutByUs.add(connection)
      yield* connection.protocol.abort() ?? []
      yield
    }
  }
  yield* inBatches(cutting(), () => true)
  for (let turns = 0; registry.connections.size > 0 && turns < cutTurns; turns++) {
    yield* nextMacrotask
    // the last word to a peer has had its turns
    if (turns === lastWordTurns) { for (const connection of registry.connections) connection.socket.destroy() }
  }
  if (server.closeCalled.isOpen) yield* over

  const now = registry.now()
  const requests = remaining.flatMap((atDeadline) => outcome(atDeadline, cutByUs, now, registry))
  // a response that was ended midway has taken its connection with it, and so has a handler of RPC that was interrupted
  const lost = new Set([
    ...cut.map(({ id }) => id),
    ...requests.flatMap(({ clientReceived, connection, stream }) =>
      clientReceived !== "503" && stream === undefined ? connection : []
    )
  ])
  return { requests, connections: lost.size, forceClosed, interrupted }
})

/** What is in flight at the deadline; from now on a response that ends midway is cut. */
const exchangesAtDeadline = Effect.fnUntraced(function*(registry: ConnectionRegistry, cutByUs: Set<unknown>) {
  registry.prune()
  for (const connection of registry.connections) connection.protocol.onDeadline()
  const remaining = Array.from(registry.connections).flatMap((connection) => {
    const remoteAddress = remoteAddressOf(connection.socket)
    return Array.from(connection.exchanges, (exchange) => exchangeAtDeadline(connection, exchange, remoteAddress))
  })
  yield* inBatches(remaining, ({ begun, connection, exchange }) => {
    exchange.interrupted = exchange.fromEffectApp && !begun
    // an interrupted stream would be ended as if it were whole; with HTTP/1.1 it takes its connection with it
    if (exchange.fromEffectApp) {
      exchange.abortOnEnd(() => cutByUs.add(exchange.stream === undefined ? connection : exchange))
    }
    return false
  })
  return remaining
})

interface ExchangeAtDeadline {
  readonly connection: TrackedConnection
  readonly exchange: Exchange
  readonly begun: boolean
  readonly remoteAddress: string
}

const exchangeAtDeadline = (
  connection: TrackedConnection,
  exchange: Exchange,
  remoteAddress: string
): ExchangeAtDeadline => ({
  connection,
  exchange,
  begun: exchange.status !== undefined,
  remoteAddress
})

/** Its handler was interrupted, and answered in full that it could not answer. */
const isLate503 = ({ begun, exchange: { answered, fromEffectApp, status } }: ExchangeAtDeadline): boolean =>
  answered && fromEffectApp && !begun && status === 503

/** What the client of a request got that was in flight at the deadline; nothing if that was the whole response. */
const outcome = (
  atDeadline: ExchangeAtDeadline,
  cutByUs: ReadonlySet<unknown>,
  now: number,
  { cutElsewhere }: ConnectionRegistry
): ReadonlyArray<CutRequest> => {
  const { begun, connection, exchange, remoteAddress } = atDeadline
  const { answered, answered503, fromEffectApp, rejected, status } = exchange
  const cut = (
    received: CutRequest["clientReceived"]
  ) => [cutRequest(connection, exchange, remoteAddress, now, received)]
  if (isLate503(atDeadline) || answered503 || (answered && rejected)) return cut("503")
  if (answered) return []
  if (!cutByUs.has(connection) && !cutByUs.has(exchange)) {
    // else its client left of its own accord
    return cutElsewhere.has(exchange)
      ? [{ ...cutRequest(connection, exchange, remoteAddress, now, exchange.received), by: "application" }]
      : []
  }
  // its handler answered that it could not, and what was behind it took the connection away before Node said so
  return cut(fromEffectApp && !begun && status === 503 ? "503" : exchange.received)
}

const cutRequest = (
  { id }: TrackedConnection,
  { method, path, since, stream }: Exchange,
  remoteAddress: string,
  now: number,
  clientReceived: CutRequest["clientReceived"]
): CutRequest => ({
  connection: id,
  remoteAddress,
  method,
  path,
  ...(stream === undefined ? undefined : { stream }),
  age: Duration.millis(now - since),
  clientReceived
})

/** What was lost by now, in spite of the drain. */
export const lostElsewhere = ({ cutElsewhere }: ConnectionRegistry, startedAt: number) => {
  const requests = Array.from(
    cutElsewhere,
    ([exchange, { at, by, connection, remoteAddress }]): CutRequest => ({
      ...cutRequest(connection, exchange, remoteAddress, at, exchange.received),
      by
    })
  )
  // what is open yet is counted as it is cut, and what had closed before is not of this shutdown
  const closed = Array.from(cutElsewhere.values()).filter(({ by, connection: { since, state } }) =>
    by !== "noHandler" && state === "Closed" && since >= startedAt
  )
  return { requests, connections: new Set(closed.map(({ connection }) => connection)).size }
}
