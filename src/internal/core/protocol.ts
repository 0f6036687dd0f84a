/**
 * What can be asked of a connection in the protocol that it speaks. Each protocol is a file in `protocol/`, and an object
 * for each connection, which has what only this protocol has to know.
 */
import type * as Net from "node:net"
import { setTimeout } from "../node/timers.js"
import type { Exchange } from "./exchange.js"
import type { ExchangeList } from "./exchangeList.js"
import type { Grace } from "./lifecycle.js"

/** What peers are told that are asked to leave. */
export interface GoingAway {
  readonly code: number
  readonly reason: string
  /** The last message to a WebSocket, before its close frame. */
  readonly message: string | Uint8Array | undefined
  /** The last line of an event stream, or nothing. */
  readonly lastLine: string
}

/** Go's `rstAvoidanceDelay` (rule C11): how long a connection is read from after its last answer and our FIN. */
export const lingerMillis = 500

export interface Protocol {
  /** As it is called in `connections` and in the report. */
  readonly name: string
  /** What is in flight, oldest first; more than one with pipelining, and with streams. */
  readonly exchanges: ExchangeList<Exchange>
  /** What the peer has sent could not be read. */
  readonly parseFailed: boolean
  /** Its socket is open: what is sent over it is this protocol from now on. The server may be stopping already. */
  opened(): void
  /** Until when a drain may leave it alone: `Infinity` while an exchange is in flight. */
  keepUntil(grace: Grace): number
  /**
   * Asks it to leave. Called when keep-alives are turned off, when a shutdown begins, when draining starts, and when what
   * never ends by itself is ended: whoever has been asked is not asked again. True where the peer has been told something:
   * that costs as much as closing does.
   */
  gracefulClose(): boolean
  /** Tells the peer that it will be asked to leave, where that can be said: true if it has been told. */
  announce(): boolean
  /** Closes it: no exchange is in flight, and its grace is over. */
  closeIdle(): void
  /**
   * Cuts it, and tells the peer what can still be told; step by step where that takes long, with turns of the event loop
   * between the steps.
   */
  abort(): Iterable<void> | void
  /** The time is up, and what is in flight is about to be listed. */
  onDeadline(): void
  /**
   * Its socket is about to be destroyed with exchanges in flight: false where a handler has given its own answer up.
   */
  onDestroyed(): boolean
  /**
   * Our side of its socket is about to be ended with exchanges in flight: whether other code does that, in the middle of
   * an answer. Never where a handler has the socket.
   */
  onEnded(): boolean
  /** Its socket has closed with exchanges in flight. */
  onClosed(): void
}

/** Other code has ended our side in the middle of an answer: whatever the peer does now, it gets no more. */
export const destroyEnded = (socket: Net.Socket): void => {
  socket.once("finish", () => setTimeout(() => socket.destroy(), lingerMillis))
}
