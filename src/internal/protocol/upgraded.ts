/**
 * A connection that a handler took over (Go's Hijacked): a WebSocket, or whatever else was negotiated. Unlike Go,
 * which forgets it (rule F8), it is told when draining starts, awaited, and cut at the deadline.
 */
import type { Protocol } from "../protocol.js"
import type { Open } from "../registry.js"

const make = (name: string): Protocol => ({
  name,
  staysUntil: (open) => open.leaving ? open.lingersUntil : Number.POSITIVE_INFINITY,
  leave: (open) => {
    if (open.registry.stopping && open.registry.grace !== undefined) tell(open)
  },
  cut: (open) => {
    open.socket.destroy()
  },
  closed: () => {}
})

const websocket = make("websocket")

/** The connection is no longer Node's: its request is answered by the upgrade itself. */
export const hijack = (open: Open, name: string): void => {
  open.protocol = name === "websocket" ? websocket : make(name)
  open.owed.length = 0
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

const tell = (open: Open): void => {
  const ask = open.tell
  open.tell = undefined
  ask?.()
}
