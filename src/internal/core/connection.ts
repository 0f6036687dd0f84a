/**
 * One accepted socket, from accept to close: what every connection has, whatever it speaks. What it is is written here,
 * and nowhere else. This is the hot path.
 */
import type * as Net from "node:net"
import type { Connection, ConnectionState } from "../model/connection.js"
import type { Exchange } from "./exchange.js"
import type { ExchangeList } from "./exchangeList.js"
import type { Grace, Lifecycle } from "./lifecycle.js"
import { type GoingAway, lingerMillis, type Protocol } from "./protocol.js"

/** A request that was lost without a deadline: other code in the process has cut it, or no handler was there for it. */
export interface CutElsewhere {
  readonly connection: TrackedConnection
  readonly at: number
  readonly remoteAddress: string
  readonly by: "application" | "noHandler" | "rpc"
}

/** What a connection, and what it speaks, find of the server that it belongs to. */
export interface ConnectionOwner {
  readonly now: () => number
  /** When it was made. */
  readonly madeAt: number
  /** Where the server is. */
  readonly lifecycle: Lifecycle
  readonly connections: ReadonlySet<TrackedConnection>
  /** Event streams end with the drain: the policy says so. */
  readonly endsEventStreams: boolean
  /** Connections are asked to leave one after the other: the policy spreads that. */
  readonly takesTurns: boolean
  readonly goingAway: GoingAway
  /** Keep the head of each response: the policy waits for what it promised. */
  readonly keepHeads: boolean
  /** What protocols have found out about all connections, while many are looked at with nothing read in between. */
  readonly parserCache: Map<unknown, unknown> | undefined
  /** Requests that were lost during a shutdown, and not by its deadline. */
  readonly cutElsewhere: Map<Exchange, CutElsewhere>
  /** Calls of RPC that were cut by its own release, before a shutdown that may follow. */
  readonly cutBefore: Map<Exchange, CutElsewhere>
  /** When a request last came or was answered, since every client is asked to leave. */
  lastUse: number
  /** One of its Node servers passes connections on, once it has seen what they begin with. */
  passesOn: boolean
  /** How many idle connections it has closed. */
  idleClosed: number
  /** How many requests have been answered. */
  served: number
  /** Something about a connection has changed that an observer sees. */
  readonly changed: (connection: TrackedConnection) => void
  /** Something that a drain may be waiting for will happen at that time, which may be before it looks again. */
  readonly wakeFor: (time: number) => void
  /** An exchange is over. */
  readonly recordEndedStream: (connection: TrackedConnection, exchange: Exchange) => void
  /** Its socket has closed. */
  readonly remove: (connection: TrackedConnection) => void
  /** Its socket is somebody else's from now on. */
  readonly release: (connection: TrackedConnection) => void
}

/** What there is to know of a connection that leaves, or of which something awaits its turn to. */
class Leaving {
  lingersUntil: number | undefined = undefined
  hasTurn = false
  turnGrace: Grace | undefined = undefined
  onTurn: Set<() => void> | undefined = undefined
}

/**
 * Thousands may be idle, and each is this object and that of its protocol. So what few of them have is in an object that
 * is made for those, and no time is since 1970.
 */
export class TrackedConnection {
  readonly id: number
  readonly registry: ConnectionOwner
  #socket: Net.Socket
  #protocol: Protocol
  #state: ConnectionState = "New"
  /** Both since its registry was made. */
  readonly #connectedAfter: number
  #changedAfter: number
  #served = 0
  #isClosing = false
  #fibers = 0
  #leaving: Leaving | undefined = undefined
  #onReleased: (() => void) | undefined = undefined

  constructor(
    registry: ConnectionOwner,
    socket: Net.Socket,
    protocol: (connection: TrackedConnection) => Protocol,
    id: number,
    now: number
  ) {
    this.registry = registry
    this.id = id
    this.#connectedAfter = this.#changedAfter = after(registry, now)
    this.#socket = socket
    this.bindSocket(socket)
    this.#protocol = protocol(this)
  }

  /** What is read from and written to: with TLS, the decrypted side once there is one. */
  get socket(): Net.Socket {
    return this.#socket
  }

  /** It is read and written decrypted: only a socket of TLS has that field. */
  get secure(): boolean {
    return "encrypted" in this.#socket
  }

  get connectedAt(): number {
    return this.registry.madeAt + this.#connectedAfter
  }

  get protocol(): Protocol {
    return this.#protocol
  }

  get state(): ConnectionState {
    return this.#state
  }

  /** Since when it is in its state. */
  get since(): number {
    return this.registry.madeAt + this.#changedAfter
  }

  get served(): number {
    return this.#served
  }

  get exchanges(): ExchangeList<Exchange> {
    return this.#protocol.exchanges
  }

  /** We have begun to close it: whatever arrives now is refused, and never reaches a handler. */
  get isClosing(): boolean {
    return this.#isClosing
  }

  /** What never ends by itself is ended on it: its turn has come, or that of all. */
  get endsLongLived(): boolean {
    return this.#leaving?.hasTurn === true || this.registry.lifecycle.endsLongLived
  }

  /** It is idle, and stays until its turn has come. */
  get awaitsTurn(): boolean {
    const { lifecycle, takesTurns } = this.registry
    return takesTurns && lifecycle.isStopping && !lifecycle.isAborting && !this.endsLongLived
  }

  /** How long it may stay with no exchange: as all may, or since its turn in a lame duck. */
  get grace(): Grace | undefined {
    return this.registry.lifecycle.grace ?? this.#leaving?.turnGrace
  }

  /** It is the one that leaves now: within that grace, where none is in force. */
  takeTurn(grace?: Grace): void {
    const leaving = this.#leaving ??= new Leaving()
    const { onTurn: listeners } = leaving
    leaving.hasTurn = true
    leaving.turnGrace = grace
    leaving.onTurn = undefined
    for (const listener of listeners ?? []) listener()
  }

  /**
   * It is used again. In a lame duck, another turn comes while the server drains: what never ends by itself ends in that,
   * and not with that of all others.
   */
  awaitNextTurn(): void {
    const leaving = this.#leaving
    if (leaving === undefined || this.registry.lifecycle.grace !== undefined) return
    leaving.hasTurn = false
    leaving.turnGrace = undefined
  }

  /** Calls `listener` when its turn has come, once. What is returned takes it off. */
  onTurn(listener: () => void): () => void {
    const leaving = this.#leaving ??= new Leaving()
    const listeners = leaving.onTurn ??= new Set()
    listeners.add(listener)
    return () => void listeners.delete(listener)
  }

  /** It was sent its last answer and a FIN, and is read from until then, so that no RST destroys that answer. */
  get lingersUntil(): number {
    return this.#leaving?.lingersUntil ?? Number.POSITIVE_INFINITY
  }

  get isLingering(): boolean {
    return this.#leaving?.lingersUntil !== undefined
  }

  /** Makes a socket known as the one that it is read from and written to. */
  bindSocket(socket: Net.Socket): void {
    Object.defineProperty(socket, key, { value: this, configurable: true })
    this.#socket = socket
  }

  /** From now on it speaks this. */
  speak(protocol: Protocol): void {
    this.#protocol = protocol
  }

  /** It begins anew: the Node server that has accepted it has passed it on to another one. */
  restart(protocol: (connection: TrackedConnection) => Protocol): void {
    this.exchanges.clear()
    this.#state = "New"
    this.touch()
    this.#isClosing = false
    if (this.#leaving !== undefined) this.#leaving.lingersUntil = undefined
    this.#protocol = protocol(this)
  }

  become(state: ConnectionState, at = this.registry.now()): void {
    if (this.#state === "Closed") return
    this.#state = state
    this.#changedAfter = after(this.registry, at)
    this.registry.changed(this)
  }

  /** What it was used for last has come to its end only now. */
  touch(): void {
    this.#changedAfter = after(this.registry, this.registry.now())
  }

  startClosing(): void {
    this.#isClosing = true
  }

  /** It has its last answer, and our FIN has been sent or is about to be. */
  linger(): void {
    this.#isClosing = true
    const leaving = this.#leaving ??= new Leaving()
    leaving.lingersUntil = this.registry.now() + lingerMillis
    this.closeIfDue()
  }

  /** What it was awaited for is over: it is closed now, or when its grace is over. */
  closeIfDue(): void {
    const { grace, registry } = this
    if (grace === undefined) return
    const until = this.#protocol.keepUntil(grace)
    if (until <= registry.now()) this.closeIdle()
    else registry.wakeFor(until)
  }

  /** No exchange is in flight. `end` would let Node run a handler that can no longer answer. */
  closeIdle(): void {
    this.#isClosing = true
    if (!this.isLingering) this.registry.idleClosed++
    this.#protocol.closeIdle()
  }

  /** An exchange is over: true if its client has received the response. */
  complete(exchange: Exchange): boolean {
    // no handler has seen it, or its handler was interrupted and has answered that it could not answer
    if (exchange.answered && (exchange.rejected || (exchange.interrupted && exchange.status === 503))) {
      exchange.answered = false
      exchange.answered503 = true
    }
    if (!exchange.answered) return false
    this.#served++
    this.registry.served++
    return true
  }

  fiberStarted(): void {
    this.#fibers++
  }

  fiberEnded(): void {
    this.#fibers--
    this.releaseIfDone()
  }

  /** What is left to do when it has closed and its last request fiber has ended. */
  onReleased(release: () => void): void {
    this.#onReleased = release
    this.releaseIfDone()
  }

  releaseIfDone(): void {
    if (this.#state !== "Closed" || this.#fibers > 0 || this.#onReleased === undefined) return
    const release = this.#onReleased
    this.#onReleased = undefined
    release()
  }
}

/**
 * A time, since its registry was made: for 24 days a small integer, which V8 keeps in the field itself. Of any other
 * number it makes an object, and also of a difference of two such; `floor` makes a small integer of that again.
 */
const after = ({ madeAt }: ConnectionOwner, at: number): number => Math.floor(at - madeAt)

const key = Symbol("quiesce/connection")

/** The connection that a socket belongs to, if one of our listeners accepted it. */
export const connectionOf = (socket: Net.Socket | null | undefined): TrackedConnection | undefined =>
  (socket as { readonly [key]?: TrackedConnection } | null | undefined)?.[key]

/** How many of the requests in flight on a connection a snapshot lists: it is made anew for each change. */
const listed = 100

/** What an observer, a report or a handler sees of it. */
export const snapshot = (connection: TrackedConnection): Connection => {
  const { exchanges } = connection
  return {
    id: connection.id,
    state: connection.state,
    protocol: connection.protocol.name,
    secure: connection.secure,
    remoteAddress: remoteAddressOf(connection.socket),
    connectedAt: connection.connectedAt,
    stateSince: connection.since,
    served: connection.served,
    inFlight: exchanges.map(listed, ({ method, path, since, stream }) => ({
      method,
      path,
      since,
      ...(stream === undefined ? undefined : { stream })
    })),
    ...(exchanges.size > listed ? { moreInFlight: exchanges.size - listed } : undefined)
  }
}

/** How a socket that listens on `::` names a peer that came over IPv4 (RFC 4291 §2.5.5.2). */
const mapped = /^::ffff:(?=\d+\.)/i

export const remoteAddressOf = ({ remoteAddress, remoteFamily, remotePort }: Net.Socket): string =>
  remoteAddress === undefined
    ? "unknown"
    : mapped.test(remoteAddress)
    ? `${remoteAddress.replace(mapped, "")}:${remotePort}`
    : remoteFamily === "IPv6"
    ? `[${remoteAddress}]:${remotePort}`
    : `${remoteAddress}:${remotePort}`
