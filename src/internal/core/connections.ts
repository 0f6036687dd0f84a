/**
 * The connections that are open, as plain mutable data: this is the hot path. Nothing here knows Effect, and nothing
 * here knows a protocol; both reach in from outside.
 */
import type * as Effect from "effect/Effect"
import type * as Net from "node:net"
import type { Connection, ConnectionState } from "../../Connection.js"
import type { Handlers } from "./requestFibers.js"
import { InFlight, type Linked } from "./exchangeList.js"
import { isTaken } from "../node/sentSocket.js"
import { nextTick } from "../node/timers.js"
import type { Grace, Protocol } from "./protocol.js"
import type { Pipeline } from "../protocol/pipeline.js"

/** A request that has been received and whose answer has not left yet. */
export interface Owed extends Linked<Owed> {
  readonly method: string
  readonly path: string
  /** The HTTP/2 stream that it came on. */
  readonly stream: number | undefined
  /** It went to an Effect app, and not to a listener of the user's own. */
  readonly ofApp: boolean
  readonly since: number
  /** The whole answer has left. */
  answered: boolean
  /** It was cut before its head was written, and its client was sent a 503. */
  told503: boolean
  /** Its handler was interrupted before it had begun to answer: a 503 is no answer of the handler's own. */
  interrupted: boolean
  /** The head of its answer has been written, with this status. */
  readonly status: number | undefined
  /** An event stream that a drain has ended before its handler did. */
  readonly endedEarly: boolean
  /** Ends its answer if that is an event stream, and its client is one that connects again; false if it is not. */
  readonly endEventStream: () => boolean
  /** From now on an answer that ends midway is cut, as `onCut` is told: it must not look as if it were whole. */
  readonly guard: (onCut: () => void) => void
}

/** One accepted socket, from accept to close. */
export class Open {
  readonly id: number
  readonly registry: Registry
  /** What is read from and written to: with TLS, the decrypted side once there is one. */
  socket: Net.Socket
  secure = false
  readonly connectedAt: number
  protocol: Protocol
  state: ConnectionState = "New"
  since: number
  served = 0
  /** Oldest first; more than one with pipelining. */
  readonly owed = new InFlight<Owed>()
  /** We have begun to close it: whatever arrives now is refused, and never reaches a handler. */
  leaving = false
  /** It was sent its last answer and a FIN, and is read from until then, so that no RST destroys that answer. */
  lingersUntil = Number.POSITIVE_INFINITY
  /** The raw head of its last response, kept where the policy needs to know what it promised. */
  lastHead: string | undefined = undefined
  /** Request fibers that are alive. */
  handlers = 0
  /** What is left to do when it has closed and its last request fiber has ended. */
  finalizer: Effect.Effect<void> | undefined = undefined
  /** What its client has sent behind requests that were not answered yet, if it ever has. */
  pipeline: Pipeline | undefined = undefined
  /** Its client may still be sending the rest of a request that was answered before. */
  late: Late | undefined = undefined
  /** How to ask an upgraded peer to leave, once something knows how. */
  tell: (() => void) | undefined = undefined
  /** An upgraded peer has been asked to leave. */
  told = false
  /** Hears that it has. */
  onAsked: (() => void) | undefined = undefined
  /** Hears that the time is up, before what is in flight is listed. */
  onDeadline: (() => void) | undefined = undefined

  /** It begins anew with another protocol: the Node server that has accepted it has passed it on to another one. */
  restart(protocol: Protocol): void {
    this.protocol = protocol
    this.state = "New"
    this.since = this.registry.now()
    this.owed.clear()
    this.late = undefined
    this.leaving = false
    this.lingersUntil = Number.POSITIVE_INFINITY
    this.tell = undefined
    this.told = false
    this.onAsked = undefined
    this.onDeadline = undefined
  }
  /** What its peer has sent could not be read. */
  isMisread = false
  /** The socket whose destruction is watched. */
  watchedSocket: Net.Socket | undefined = undefined
  /** Its peer, where that was asked before its socket was destroyed. */
  peer: string | undefined = undefined
  /** Other code in the process, or a drain, has destroyed it with answers still owed. */
  destroyedHere = false

  constructor(registry: Registry, protocol: Protocol, socket: Net.Socket, id: number, now: number) {
    this.registry = registry
    this.protocol = protocol
    this.socket = socket
    this.id = id
    this.connectedAt = now
    this.since = now
  }
}

const key = Symbol("quiesce/connection")

/** The connection that a socket belongs to, if one of our listeners accepted it. */
export const openOf = (socket: Net.Socket | null | undefined): Open | undefined =>
  (socket as { readonly [key]?: Open } | null | undefined)?.[key]

/** Makes a socket known as the one that a connection is read from and written to. */
export const attach = (open: Open, socket: Net.Socket): void => {
  Object.defineProperty(socket, key, { value: open, configurable: true })
  open.socket = socket
}

/** How many of the requests in flight on a connection a snapshot lists: it is made anew for each change. */
const listed = 100

/** What an observer, a report or a handler sees of it. */
export const snapshot = (open: Open): Connection => ({
  id: open.id,
  state: open.state,
  protocol: open.protocol.name,
  secure: open.secure,
  remoteAddress: remoteAddressOf(open.socket),
  connectedAt: open.connectedAt,
  since: open.since,
  served: open.served,
  serving: open.owed.map(listed, ({ method, path, since, stream }) => ({
    method,
    path,
    since,
    ...(stream === undefined ? undefined : { stream })
  })),
  ...(open.owed.size > listed ? { moreInFlight: open.owed.size - listed } : undefined)
})

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

const noop = () => {}

/** The rest of a request that has been answered, and how far its client had come with it when it was looked at last. */
export interface Late {
  readonly request: { readonly complete: boolean }
  bytesRead: number
  until: number
}

interface CutElsewhere {
  readonly open: Open
  readonly at: number
  readonly remoteAddress: string
  readonly by: "application" | "rpc"
}

interface EndedBy {
  readonly connection: number
  readonly remoteAddress: string
  readonly endedAt: number
}

/** How many connections there have to be before one that nobody tells of is looked for as another one comes. */
const leastToPrune = 64

/** All open connections of one server. */
export class Registry {
  readonly now: () => number
  readonly open = new Set<Open>()
  readonly observers = new Set<(connection: Connection) => void>()
  /** Every response asks its client to leave. */
  closing = false
  /** A shutdown has begun. */
  stopping = false
  /** Its deadline has passed: whatever arrives now is answered with 503, and never reaches a handler. */
  killing = false
  /**
   * What never ends by itself is ended, in a drain: the hooks have had their time for a last message. Peers of upgraded
   * connections are asked to leave, and event streams end.
   */
  endingLongLived = false
  /** Event streams end with the drain: the policy says so. */
  endsEventStreams = false
  /** The event streams that have been ended, and received in full. */
  readonly endedStreams: Array<Connection["serving"][number] & EndedBy> = []
  /** What protocols have found out about all connections in this turn of the event loop, while all are looked at. */
  look: Map<unknown, unknown> | undefined = undefined
  /** Connections that are owed nothing are closed, after these graces. */
  grace: Grace | undefined = undefined
  /** When a request last came or was answered, since every client is asked to leave. */
  lastUse = 0
  /** When the drain looks at all connections next. */
  nextLook = Number.POSITIVE_INFINITY
  /** Keep the head of each response: the policy waits for what it promised. */
  keepHeads = false
  /** Something that a drain may be waiting for has happened. */
  wake: () => void = noop
  /** A fiber works for a connection: a drain awaits it, and interrupts it at the deadline. */
  track: Handlers["add"] = noop
  /** Runs what is left to do for a connection that is gone. */
  finalize: (finalizer: Effect.Effect<void>) => void = noop
  /** Requests that other code in the process has cut during a shutdown. */
  readonly cutElsewhere = new Map<Owed, CutElsewhere>()
  /** Calls of RPC that were cut by its own release, before a shutdown that may follow. */
  readonly cutBefore = new Map<Owed, CutElsewhere>()
  /** One of its Node servers passes connections on, once it has seen what they begin with. */
  passesOn = false
  accepted = 0
  closed = 0
  dismissed = 0
  served = 0
  #lastId = 0
  #pruneAt = leastToPrune
  readonly #onObserverError: (error: unknown) => void

  constructor(now: () => number, onObserverError: (error: unknown) => void) {
    this.now = now
    this.#onObserverError = onObserverError
  }

  accept(socket: Net.Socket, protocol: Protocol): Open {
    if (this.open.size >= this.#pruneAt) this.prune()
    const open = new Open(this, protocol, socket, ++this.#lastId, this.now())
    attach(open, socket)
    this.open.add(open)
    this.accepted++
    socket.on("close", onSocketClose)
    if (this.observers.size > 0) this.#notify(open)
    return open
  }

  /** It is no connection of ours any more. */
  remove(open: Open): void {
    if (!this.open.delete(open)) return
    this.closed++
    this.change(open, "Closed")
    // Node tells the response that it was writing after us, and those queued behind it never
    if (open.owed.size > 0) nextTick(open.protocol.closed, open)
    released(open)
    if (this.open.size === 0) this.wake()
  }

  /** Its socket is somebody else's from now on. */
  release(open: Open): void {
    open.socket.off("close", onSocketClose)
    this.remove(open)
  }

  /** A Node server of this one has been passed a connection that may be of another one. */
  receive(open: Open, socket: Net.Socket, protocol: Protocol): Open {
    const { registry } = open
    registry.passesOn = true
    if (registry === this) {
      open.restart(protocol)
      return open
    }
    // what was attached to it there is let go there
    const { _parent: raw } = socket as { readonly _parent?: Net.Socket | null }
    open.owed.clear()
    registry.release(open)
    const received = this.accept(socket, protocol)
    if (openOf(raw) !== undefined && raw !== null && raw !== undefined) {
      attach(received, raw)
      received.socket = socket
    }
    return received
  }

  /** Those whose sockets somebody has taken by hand, of which nobody tells. */
  prune(): void {
    for (const open of this.open) if (isTaken(open.socket)) this.release(open)
    this.#pruneAt = Math.max(leastToPrune, 2 * this.open.size)
  }

  change(open: Open, state: ConnectionState): void {
    if (open.state === "Closed") return
    open.state = state
    open.since = this.now()
    if (this.observers.size > 0) this.#notify(open)
  }

  /** A connection has done what it was awaited for: it is closed now, or when its grace is over. */
  consider(open: Open): void {
    if (this.grace === undefined) return
    const until = open.protocol.staysUntil(open, this.grace)
    if (until <= this.now()) this.dismiss(open)
    else if (until < this.nextLook) this.wake()
  }

  /** Closes a connection that is owed nothing. `end` would let Node run a handler that can no longer answer. */
  dismiss(open: Open): void {
    open.leaving = true
    if (open.lingersUntil === Number.POSITIVE_INFINITY) this.dismissed++
    open.protocol.dismiss(open)
  }

  /** An exchange is over: true if its client has got the answer that it was owed. */
  serve(open: Open, owed: Owed): boolean {
    if (owed.answered && owed.interrupted && owed.status === 503) {
      owed.answered = false
      owed.told503 = true
    }
    if (!owed.answered) return false
    open.served++
    this.served++
    return true
  }

  /** An exchange is over. */
  ended(open: Open, owed: Owed): void {
    if (!owed.endedEarly || !owed.answered) return
    const { method, path, since, stream } = owed
    this.endedStreams.push({
      connection: open.id,
      remoteAddress: remoteAddressOf(open.socket),
      method,
      path,
      since,
      endedAt: this.now(),
      ...(stream === undefined ? undefined : { stream })
    })
  }

  /** A throwing observer must not take a connection, or the drain, with it. */
  #notify(open: Open): void {
    const connection = snapshot(open)
    for (const observer of this.observers) {
      try {
        observer(connection)
      } catch (error) {
        this.#onObserverError(error)
      }
    }
  }
}

function onSocketClose(this: Net.Socket): void {
  const open = openOf(this)
  if (open === undefined || !open.registry.open.has(open)) return
  open.registry.remove(open)
}

/** Lets go of what was attached to a connection that has closed, once no handler of it is left. */
export const released = (open: Open): void => {
  if (open.state !== "Closed" || open.handlers > 0 || open.finalizer === undefined) return
  const { finalizer } = open
  open.finalizer = undefined
  open.registry.finalize(finalizer)
}
