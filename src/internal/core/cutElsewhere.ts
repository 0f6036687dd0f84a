/**
 * Answers that other code in the process cuts in spite of us, during a shutdown: it destroys or ends a socket that it
 * has kept (http-terminator, stoppable, terminus, a list of `connection`s), or destroys an HTTP/2 session. They are no
 * clients that have left, and the report names them.
 */
import type * as Net from "node:net"
import { type Open, type Owed, type Registry, remoteAddressOf } from "./connections.js"

interface Internals {
  _destroy: (error: Error | null, callback: (error?: Error | null) => void) => void
  _final: (callback: (error?: Error | null) => void) => void
}

/**
 * Sees who destroys or ends the socket of a connection from now on. `_destroy` and `_final` are what every way of doing
 * so calls.
 */
export const watchSocket = (open: Open): void => {
  const { socket } = open
  if (open.watchedSocket === socket) return
  open.watchedSocket = socket
  const internals = socket as unknown as Internals
  const { _destroy: destroy, _final: final } = internals
  if (typeof destroy !== "function" || typeof final !== "function") return
  internals._destroy = function(this: Net.Socket, error, callback) {
    // the name of its peer is forgotten with its handle
    if (open.owed.size > 0) open.peer = remoteAddressOf(socket)
    if (open.owed.size > 0 && !hasPeerLeft(open, error) && open.protocol.destroyed(open)) open.destroyedHere = true
    Reflect.apply(destroy, this, [error, callback])
  }
  internals._final = function(this: Net.Socket, callback) {
    if (open.owed.size > 0 && !hasPeerLeft(open, null) && open.protocol.ended?.(open) === true) {
      open.destroyedHere = true
    }
    Reflect.apply(final, this, [callback])
  }
}

interface Peer {
  readonly readableEnded: boolean
  readonly _readableState?: { readonly ended?: boolean }
  readonly server?: { readonly httpAllowHalfOpen?: boolean }
}

/** What a system call or a parser has to say of a socket is its peer's doing. */
const hasPeerLeft = (open: Open, error: Error | null): boolean => {
  if (open.isMisread) return true
  const { _readableState, readableEnded, server } = open.socket as unknown as Peer
  // of a server that lets its clients end their side, one that has done so may be waiting for its answer
  if ((readableEnded || _readableState?.ended === true) && server?.httpAllowHalfOpen !== true) return true
  const { code, syscall } = (error ?? {}) as { readonly code?: unknown; readonly syscall?: unknown }
  return typeof syscall === "string" ||
    (typeof code === "string" && /^(HPE_|ERR_SSL|ERR_TLS|ERR_HTTP_|EPROTO)/.test(code))
}

/** Its answer has not left, and never will. */
export const noteCutElsewhere = (open: Open, owed: Owed): void => {
  if (open.registry.stopping && !owed.told503) open.registry.cutElsewhere.set(owed, cutNow(open, "application"))
}

/** Calls of RPC that nobody waits for are cut as their peer is asked to leave, or when their server is released. */
export const noteUndrained = (open: Open, owed: Owed): void => {
  const { registry } = open
  if (registry.stopping) registry.cutElsewhere.set(owed, cutNow(open, "rpc"))
  else {
    forgetOld(registry)
    registry.cutBefore.set(owed, cutNow(open, "rpc"))
  }
}

/** A shutdown has begun: it is what calls of RPC were cut for just before. */
export const recallCut = (registry: Registry): void => {
  forgetOld(registry)
  for (const [owed, cut] of registry.cutBefore) registry.cutElsewhere.set(owed, cut)
  registry.cutBefore.clear()
}

/** How long, in milliseconds, the release of a server of RPC may come before the shutdown that it is part of. */
const releaseMillis = 10_000

const forgetOld = ({ cutBefore, now }: Registry): void => {
  for (const [owed, { at, open }] of cutBefore) {
    if (open.state === "Closed" && now() - at > releaseMillis) cutBefore.delete(owed)
  }
}

const cutNow = (open: Open, by: "application" | "rpc") => ({
  open,
  at: open.registry.now(),
  remoteAddress: open.peer ?? remoteAddressOf(open.socket),
  by
})
