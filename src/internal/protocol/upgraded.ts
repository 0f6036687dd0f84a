/**
 * A connection that a handler took over (Go's Hijacked): a WebSocket, whatever else was negotiated, or one of a server
 * that speaks no HTTP. Unlike Go, which forgets it (rule F8), it is told when draining starts, awaited, and cut at the
 * deadline.
 */
import { hidden } from "../node/symbols.js"
import { destroy, type Protocol } from "../core/protocol.js"
import type { Open } from "../core/connections.js"

const make = (name: string): Protocol => ({
  name,
  staysUntil: (open, grace) => {
    // it has not shown yet what it is, and is not passed on before it has
    if (open.registry.passesOn && isSilent(open)) return open.connectedAt + grace.newConnection
    // an upgrade that was still under way when draining started is told once it is through
    if (!open.leaving) leave(open)
    return open.leaving ? open.lingersUntil : Number.POSITIVE_INFINITY
  },
  leave: (open) => leave(open),
  dismiss: destroy,
  cut: destroy,
  destroyed: () => true,
  closed: () => {}
})

const leave = (open: Open): void => {
  // who is in the middle of a call is asked when it has had its answer
  if (open.told || open.owed.size > 0 || !open.registry.endingLongLived) return
  if (open.tell === undefined) open.told = goAway(open)
  else {
    open.told = true
    open.tell()
  }
  if (open.told) open.onAsked?.()
}

const isSilent = ({ protocol, socket }: Open): boolean =>
  protocol === tcp && socket.bytesRead === 0 && socket.bytesWritten === 0

const websocket = make("websocket")
const tcp = make("tcp")

/** The connection is no longer Node's: its request is answered by the upgrade itself. */
export const hijack = (open: Open, name: string): void => {
  open.protocol = name === "websocket" ? websocket : name === "tcp" ? tcp : make(name)
  open.owed.clear()
  open.pipeline?.release()
  // a user's own listener takes it over before anything else has seen the request (Go's rule A1: Active → Hijacked)
  if (open.state !== "Active") open.registry.change(open, "Active")
  open.registry.change(open, "Hijacked")
  open.protocol.leave(open)
}

/** Something knows how to ask this peer to leave; if it is already time to, it is asked. */
export const tellWith = (open: Open, ask: () => void): void => {
  open.tell = ask
  open.protocol.leave(open)
}

/** RFC 6455 §7.4.1: what a server says that is going down. */
export const goingAway = { code: 1001, reason: "the server is shutting down" }

/**
 * Closes a WebSocket of `ws`, which whatever is built on `ws` uses too: it keeps itself on its socket, under a symbol
 * of its own. False where there is none.
 */
export const goAway = (open: Open): boolean => {
  const webSocket = open.protocol === websocket ? hidden(open.socket, "websocket") : undefined
  if (!isWebSocket(webSocket)) return false
  webSocket.close(goingAway.code, goingAway.reason)
  return true
}

const isWebSocket = (
  value: unknown
): value is { readonly close: (code: number, reason: string) => void } =>
  typeof value === "object" && value !== null && "close" in value && typeof value.close === "function"
