/**
 * Answers that other code in the process cuts in spite of us, during a shutdown: it destroys or ends a socket that it
 * has kept (http-terminator, stoppable, terminus, a list of `connection`s), or destroys an HTTP/2 session. They are no
 * clients that have left, and the report names them.
 */
import type * as Net from "node:net"
import { allowsHalfOpen, hasReadEnd } from "../node/internals.js"
import * as Patch from "../node/patch.js"
import { type ConnectionOwner, type CutElsewhere, remoteAddressOf, type TrackedConnection } from "./connection.js"
import type { Exchange } from "./exchange.js"

/** What is known of the socket of a connection since a shutdown has begun. */
interface Watch {
  /** The one whose destruction is watched. */
  socket: Net.Socket | undefined
  /** Its peer, as it was before its socket was destroyed. */
  peer: string | undefined
  destroyedHere: boolean
}

const watches = new WeakMap<TrackedConnection, Watch>()

/** Sees who destroys or ends the socket of a connection from now on, unless nothing can be in flight on it. */
export const watchIfUsed = (connection: TrackedConnection): void => {
  const { socket, state } = connection
  if (state === "New" || state === "Idle" || state === "Closed") return
  const watch = watches.get(connection) ?? { socket: undefined, peer: undefined, destroyedHere: false }
  if (watch.socket === socket) return
  watch.socket = socket
  watches.set(connection, watch)
  Patch.socketEnds(socket, {
    destroy: (error) => {
      // the name of its peer is forgotten with its handle
      const { exchanges, protocol } = connection
      if (exchanges.size > 0) watch.peer = remoteAddressOf(socket)
      if (exchanges.size > 0 && !hasPeerLeft(connection, error) && protocol.onDestroyed()) watch.destroyedHere = true
    },
    final: () => {
      const { exchanges, protocol } = connection
      if (exchanges.size > 0 && !hasPeerLeft(connection, null) && protocol.onEnded()) watch.destroyedHere = true
    }
  })
}

/** What a system call or a parser has to say of a socket is its peer's doing. */
const hasPeerLeft = (connection: TrackedConnection, error: Error | null): boolean => {
  if (connection.protocol.parseFailed) return true
  const { socket } = connection
  // of a server that lets its clients end their side, one that has done so may be waiting for its answer
  if ((socket.readableEnded || hasReadEnd(socket)) && !allowsHalfOpen(socket)) return true
  const { code, syscall } = (error ?? {}) as { readonly code?: unknown; readonly syscall?: unknown }
  return typeof syscall === "string" ||
    (typeof code === "string" && /^(HPE_|ERR_SSL|ERR_TLS|ERR_HTTP_|EPROTO)/.test(code))
}

/** Other code in the process, or a drain, has destroyed it with exchanges in flight. */
export const wasDestroyedHere = (connection: TrackedConnection): boolean =>
  watches.get(connection)?.destroyedHere === true

/** Its answer has not left, and never will, where that is the doing of other code. */
export const noteIfDestroyedHere = (connection: TrackedConnection, exchange: Exchange): void => {
  if (wasDestroyedHere(connection)) noteCutElsewhere(connection, exchange)
}

/** No handler was there for it, and its client was sent a 503. */
export const noteIfRejected = (connection: TrackedConnection, exchange: Exchange): void => {
  const { registry } = connection
  if (!exchange.rejected || !exchange.answered503 || !registry.lifecycle.isStopping) return
  registry.cutElsewhere.set(exchange, cutNow(connection, "noHandler"))
}

/** Its answer has not left, and never will. */
export const noteCutElsewhere = (connection: TrackedConnection, exchange: Exchange): void => {
  if (connection.registry.lifecycle.isStopping && !exchange.answered503) {
    connection.registry.cutElsewhere.set(exchange, cutNow(connection, "application"))
  }
}

/** Calls of RPC that nobody waits for are cut as their peer is asked to leave, or when their server is released. */
export const noteUndrained = (connection: TrackedConnection, exchange: Exchange): void => {
  const { registry } = connection
  if (registry.lifecycle.isStopping) registry.cutElsewhere.set(exchange, cutNow(connection, "rpc"))
  else {
    forgetOld(registry)
    registry.cutBefore.set(exchange, cutNow(connection, "rpc"))
  }
}

/** A shutdown has begun: it is what calls of RPC were cut for just before. */
export const recallCut = (registry: ConnectionOwner): void => {
  forgetOld(registry)
  for (const [exchange, cut] of registry.cutBefore) registry.cutElsewhere.set(exchange, cut)
  registry.cutBefore.clear()
}

/** How long, in milliseconds, the release of a server of RPC may come before the shutdown that it is part of. */
const releaseMillis = 10_000

const forgetOld = ({ cutBefore, now }: ConnectionOwner): void => {
  for (const [exchange, { at, connection }] of cutBefore) {
    if (connection.state === "Closed" && now() - at > releaseMillis) cutBefore.delete(exchange)
  }
}

const cutNow = (connection: TrackedConnection, by: CutElsewhere["by"]) => ({
  connection,
  at: connection.registry.now(),
  remoteAddress: watches.get(connection)?.peer ?? remoteAddressOf(connection.socket),
  by
})
