/**
 * The connections of one server: who is open, what has been counted, and who wants to hear of it. This is the hot path:
 * plain collections and plain callbacks.
 */
import type * as Net from "node:net"
import type { Connection } from "../model/connection.js"
import { hasSaidClosed, rawSocketOf } from "../node/internals.js"
import * as Patch from "../node/patch.js"
import { isTaken } from "../node/sentSocket.js"
import { nextTick } from "../node/timers.js"
import {
  connectionOf,
  type ConnectionOwner,
  type CutElsewhere,
  remoteAddressOf,
  snapshot,
  TrackedConnection
} from "./connection.js"
import { watchIfUsed } from "./cutElsewhere.js"
import type { Exchange } from "./exchange.js"
import * as Lifecycle from "./lifecycle.js"
import type { GoingAway, Protocol } from "./protocol.js"

interface EndedBy {
  readonly connection: number
  readonly remoteAddress: string
  readonly endedAt: number
}

/** How many connections there have to be before one that nobody tells of is looked for as another one comes. */
const leastToPrune = 64

export interface RegistryOptions {
  readonly now: () => number
  /** Something that a drain may be waiting for has happened. */
  readonly wake: () => void
  readonly onObserverError: (error: unknown) => void
  readonly keepHeads: boolean
  readonly endsEventStreams: boolean
  readonly takesTurns: boolean
  readonly goingAway: GoingAway
}

/** All open connections of one server. */
export class ConnectionRegistry implements ConnectionOwner {
  readonly now: () => number
  readonly madeAt: number
  readonly connections = new Set<TrackedConnection>()
  readonly observers = new Set<(connection: Connection) => void>()
  lifecycle: Lifecycle.Lifecycle = Lifecycle.serving
  readonly endsEventStreams: boolean
  readonly takesTurns: boolean
  readonly goingAway: GoingAway
  /** The event streams that have been ended, and received in full. */
  readonly endedStreams: Array<Connection["inFlight"][number] & EndedBy> = []
  parserCache: Map<unknown, unknown> | undefined = undefined
  lastUse = 0
  /** When the drain looks at all connections next. */
  nextSweepAt = Number.POSITIVE_INFINITY
  readonly keepHeads: boolean
  readonly cutElsewhere = new Map<Exchange, CutElsewhere>()
  readonly cutBefore = new Map<Exchange, CutElsewhere>()
  passesOn = false
  accepted = 0
  closed = 0
  idleClosed = 0
  served = 0
  #lastId = 0
  /** Those that have closed in this turn of the event loop with exchanges in flight. */
  #unsettled = 0
  #pruneAt = leastToPrune
  readonly #wake: () => void
  readonly #onObserverError: (error: unknown) => void

  constructor({ endsEventStreams, goingAway, keepHeads, now, onObserverError, takesTurns, wake }: RegistryOptions) {
    this.now = now
    this.madeAt = now()
    this.takesTurns = takesTurns
    this.goingAway = goingAway
    this.#wake = wake
    this.#onObserverError = onObserverError
    this.keepHeads = keepHeads
    this.endsEventStreams = endsEventStreams
  }

  advance(step: Lifecycle.Step): void {
    this.lifecycle = Lifecycle.advance(this.lifecycle, step)
  }

  accept(socket: Net.Socket, protocol: (connection: TrackedConnection) => Protocol): TrackedConnection {
    if (this.connections.size >= this.#pruneAt) this.prune()
    const connection = new TrackedConnection(this, socket, protocol, ++this.#lastId, this.now())
    this.connections.add(connection)
    this.accepted++
    hearClose(socket)
    this.changed(connection)
    return connection
  }

  /** It is no connection of ours any more. */
  remove(connection: TrackedConnection): void {
    if (!this.connections.delete(connection)) return
    this.closed++
    connection.become("Closed")
    // Node tells the response that it was writing after us, and those queued behind it never
    if (connection.exchanges.size > 0) {
      this.#unsettled++
      nextTick(onClosed, connection.protocol, this.#settled)
    }
    connection.releaseIfDone()
    if (this.isEmpty) this.#wake()
  }

  /** None is open, and what has become of the requests of those that have closed is known. */
  get isEmpty(): boolean {
    return this.connections.size === 0 && this.#unsettled === 0
  }

  readonly #settled = (): void => {
    this.#unsettled--
    if (this.isEmpty) this.#wake()
  }

  release(connection: TrackedConnection): void {
    connection.socket.off("close", onSocketClose)
    this.remove(connection)
  }

  /** A Node server of this one has been passed a connection that may be of another one. */
  receive(
    connection: TrackedConnection,
    socket: Net.Socket,
    protocol: (connection: TrackedConnection) => Protocol
  ): TrackedConnection {
    const { registry } = connection
    registry.passesOn = true
    if (registry === this) {
      connection.restart(protocol)
      return connection
    }
    // what was attached to it there is let go there
    const raw = rawSocketOf(socket)
    connection.exchanges.clear()
    registry.release(connection)
    const received = this.accept(socket, protocol)
    if (raw !== undefined && connectionOf(raw) !== undefined) {
      received.bindSocket(raw)
      received.bindSocket(socket)
    }
    return received
  }

  /** What is in the middle of a message is looked up once for all in it: nothing is read before it returns. */
  readonly withParserCache = <A>(look: () => A): A => {
    this.parserCache = new Map()
    try {
      return look()
    } finally {
      this.parserCache = undefined
    }
  }

  /** Those are let go of whose sockets somebody has taken by hand, or have closed unheard. */
  prune(): void {
    for (const connection of this.connections) {
      // whoever has replaced `_destroy`, or has taken all listeners off, has kept us from hearing of its close
      if (isTaken(connection.socket) || hasSaidClosed(connection.socket)) this.release(connection)
    }
    this.#pruneAt = Math.max(leastToPrune, 2 * this.connections.size)
  }

  wakeFor(time: number): void {
    if (time < this.nextSweepAt) this.#wake()
  }

  recordEndedStream(connection: TrackedConnection, exchange: Exchange): void {
    if (!exchange.endedEarly || !exchange.answered) return
    const { method, path, since, stream } = exchange
    this.endedStreams.push({
      connection: connection.id,
      remoteAddress: remoteAddressOf(connection.socket),
      method,
      path,
      since,
      endedAt: this.now(),
      ...(stream === undefined ? undefined : { stream })
    })
  }

  /** A throwing observer must not take a connection, or the drain, with it. */
  changed(connection: TrackedConnection): void {
    if (this.lifecycle.isStopping) watchIfUsed(connection)
    if (this.observers.size === 0) return
    const seen = snapshot(connection)
    for (const observer of this.observers) {
      try {
        observer(seen)
      } catch (error) {
        this.#onObserverError(error)
      }
    }
  }
}

function onSocketClose(this: Net.Socket): void {
  const connection = connectionOf(this)
  connection?.registry.remove(connection)
}

const hearClose = Patch.socketClose(onSocketClose)

const onClosed = (protocol: Protocol, settled: () => void): void => {
  try {
    protocol.onClosed()
  } finally {
    settled()
  }
}
