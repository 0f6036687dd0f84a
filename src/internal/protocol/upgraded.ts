/**
 * A connection that a handler took over (Go's Hijacked): a WebSocket, whatever else was negotiated, or one of a server
 * that speaks no HTTP. Unlike Go, which forgets it (rule F8), it is told when draining starts, awaited, and cut at the
 * deadline.
 */
import type { TrackedConnection } from "../core/connection.js"
import type { Exchange } from "../core/exchange.js"
import { ExchangeList } from "../core/exchangeList.js"
import type { Grace } from "../core/lifecycle.js"
import type { Protocol } from "../core/protocol.js"
import { webSocketOf } from "../node/internals.js"
import { Http1 } from "./http1.js"
import { SentFrames } from "./sentFrames.js"

export class Upgraded implements Protocol {
  readonly name: string
  readonly parseFailed = false
  /** Calls of RPC. */
  readonly exchanges = new ExchangeList<Exchange>()
  readonly #connection: TrackedConnection
  #goingAwaySent = false
  /** It has had its last message, or takes none. */
  #isAnnounced = false
  #frames: SentFrames | undefined = undefined
  /** How to ask the peer to leave, once something knows how. */
  #sendGoingAway: (() => void) | undefined = undefined
  #onGoingAway: (() => void) | undefined = undefined
  #onDeadline: (() => void) | undefined = undefined

  constructor(connection: TrackedConnection, name: string) {
    this.#connection = connection
    this.name = name
  }

  /** The peer has been asked to leave. */
  get goingAwaySent(): boolean {
    return this.#goingAwaySent
  }

  get sendGoingAway(): (() => void) | undefined {
    return this.#sendGoingAway
  }

  /** Something knows how to ask this peer to leave; if it is already time to, it is asked. */
  goAwayBy(send: () => void): void {
    this.#sendGoingAway = send
    this.gracefulClose()
  }

  /** A handler serves it: nobody else asks it to leave. */
  served(): void {
    this.#sendGoingAway = undefined
  }

  /** What it speaks is known to nobody but its handler, or to calls of RPC: a message of ours would break it. */
  takesNoMessage(): void {
    this.#isAnnounced = true
  }

  /** A handler of the user's own answers: where no library that we know takes it over, its peer is told by a frame. */
  watchFrames(): void {
    if (offersWebSocket(this.name)) this.#frames = new SentFrames(this.#connection.socket)
  }

  /** It has been asked before it had anything to do; now it has, and is asked again. */
  goAwayAgain(): void {
    this.#goingAwaySent = false
    this.gracefulClose()
  }

  /** Whoever runs calls over it hears that its peer has been asked to leave, and that the time is up. */
  watch(on: { readonly goingAway: () => void; readonly deadline: () => void }): void {
    this.#onGoingAway = on.goingAway
    this.#onDeadline = on.deadline
  }

  /** A user's own listener takes it over before anything else has seen the request (Go's rule A1: Active → Hijacked). */
  opened(): void {
    const connection = this.#connection
    if (connection.state !== "Active") connection.become("Active")
    connection.become("Hijacked")
    this.gracefulClose()
  }

  keepUntil(grace: Grace): number {
    const connection = this.#connection
    // it has not shown yet what it is, and is not passed on before it has
    if (connection.registry.passesOn && this.#isSilent) return connection.connectedAt + grace.newConnection
    // an upgrade that was still under way when draining started is told once it is through
    if (!connection.isClosing) this.gracefulClose()
    return connection.isClosing ? connection.lingersUntil : Number.POSITIVE_INFINITY
  }

  gracefulClose(): boolean {
    // who is in the middle of a call is asked when it has had its answer
    if (this.#goingAwaySent || this.exchanges.size > 0) return false
    // its client left in the middle of a call, which ends only now
    if (this.#connection.state === "Closed") return false
    if (!this.#connection.endsLongLived) return false
    this.announce()
    if (this.#sendGoingAway === undefined) this.#goingAwaySent = this.goAway()
    else {
      this.#goingAwaySent = true
      this.#sendGoingAway()
    }
    if (this.#goingAwaySent) this.#onGoingAway?.()
    return this.#goingAwaySent
  }

  announce(): boolean {
    const { registry, state } = this.#connection
    const { message } = registry.goingAway
    if (this.#isAnnounced || this.#goingAwaySent || message === undefined) return false
    if (this.exchanges.size > 0 || state === "Closed") return false
    const webSocket = this.#webSocket
    if (webSocket === undefined) return false
    this.#isAnnounced = true
    webSocket.send(message)
    return true
  }

  /** Closes a WebSocket: of `ws` and what is built on it, or whose frames are seen. False where there is none. */
  goAway(): boolean {
    const { code, reason } = this.#connection.registry.goingAway
    const webSocket = this.#webSocket
    if (webSocket === undefined) return this.#frames?.close(code, reason) === true
    webSocket.close(code, reason)
    return true
  }

  get #webSocket(): ReturnType<typeof webSocketOf> {
    return this.name === "websocket" ? webSocketOf(this.#connection.socket) : undefined
  }

  closeIdle(): void {
    this.#connection.socket.destroy()
  }

  abort(): void {
    this.#connection.socket.destroy()
  }

  onDeadline(): void {
    this.#onDeadline?.()
  }

  onDestroyed(): boolean {
    return true
  }

  onEnded(): boolean {
    return false
  }

  onClosed(): void {}

  get #isSilent(): boolean {
    const { socket } = this.#connection
    return this.name === "tcp" && socket.bytesRead === 0 && socket.bytesWritten === 0
  }
}

/** A client may offer several protocols (RFC 9110 §7.8); the answer says which of them it is. */
const offersWebSocket = (upgrade: string): boolean => upgrade.split(",").some((name) => name.trim() === "websocket")

/** The connection is no longer Node's: its request is answered by the upgrade itself. */
export const hijack = (connection: TrackedConnection, name: string): Upgraded => {
  const { protocol } = connection
  if (protocol instanceof Http1) protocol.release()
  const upgraded = new Upgraded(connection, name)
  connection.speak(upgraded)
  upgraded.opened()
  return upgraded
}

/** What a connection that was taken over is known as; `undefined` where it was not, or is none of ours. */
export const upgradedOf = (connection: TrackedConnection | undefined): Upgraded | undefined =>
  connection?.protocol instanceof Upgraded ? connection.protocol : undefined
