import { setTimeout } from "../node/timers.js"
import type { Open } from "./connections.js"

/** Go's `rstAvoidanceDelay` (rule C11): how long a connection is read from after its last answer and our FIN. */
export const lingerMillis = 500

/**
 * What the drain needs to know of a protocol: what is it doing now, ask it to leave, cut it; and what to do when
 * the socket is gone. A new protocol
 * is a new file in `protocol/`.
 */
export interface Protocol {
  /** As it is called in `connections` and in the report. */
  readonly name: string
  /** What is it doing now? Until when may a drain leave it alone: `Infinity` while it is owed something. */
  readonly staysUntil: (open: Open, grace: Grace) => number
  /**
   * Ask it to leave. Called when keep-alives are turned off, when a shutdown begins, and when draining starts; and
   * for a connection that appears after that.
   */
  readonly leave: (open: Open) => void
  /** Close it: it is owed nothing, and its grace is over. */
  readonly dismiss: (open: Open) => void
  /**
   * Cut it, and tell the peer what can still be told; step by step where that takes long, with turns of the event loop
   * between the steps.
   */
  readonly cut: (open: Open) => Iterable<void> | void
  /** Its socket is about to be destroyed with answers still owed: false where a handler has given its own answer up. */
  readonly destroyed: (open: Open) => boolean
  /**
   * Our side of its socket is about to be ended with answers still owed: whether other code does that, in the middle of
   * one. Absent where a handler has the socket.
   */
  readonly ended?: (open: Open) => boolean
  /** Its socket has closed with answers still owed. */
  readonly closed: (open: Open) => void
}

/** How long connections that are owed nothing may stay, in milliseconds, and since when we are draining. */
export interface Grace {
  readonly newConnection: number
  readonly idle: number | "promised"
  readonly since: number
}

/** Closes what needs no word of farewell. */
export const destroy = ({ socket }: Open): void => {
  socket.destroy()
}

/** Other code has ended our side in the middle of an answer: whatever the peer does now, it gets no more. */
export const destroyEnded = ({ socket }: Open): void => {
  socket.once("finish", () => setTimeout(() => socket.destroy(), lingerMillis))
}
