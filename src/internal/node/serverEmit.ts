/**
 * One Node server passes a connection on to another by `other.emit("connection", socket)`, for one port that speaks more
 * than one protocol. The other may be nobody's we know; so, while there is a server of ours, the `emit` that Node servers
 * inherit tells of it, and does nothing else.
 */
import * as Net from "node:net"
import * as Patch from "./patch.js"

type Emit = Net.Server["emit"]
type Passing = (server: Net.Server, event: "connection" | "secureConnection", socket: Net.Socket) => void

const listeners = new Set<Passing>()

const telling = (inherited: Emit) =>
  function(this: Net.Server, ...args: ReadonlyArray<unknown>): boolean {
    const [event, socket] = args
    if (event === "connection" || event === "secureConnection") {
      // one that others have called, who stand between us and it
      const hadOwn = Object.hasOwn(this, "emit")
      for (const listener of listeners) listener(this, event, socket as Net.Socket)
      // whoever has heard of it may have put an `emit` of its own there
      if (!hadOwn && Object.hasOwn(this, "emit")) return Reflect.apply(this.emit, this, args)
    }
    return Reflect.apply(inherited, this, args)
  }

let told: { readonly emit: Emit; readonly inherited: Emit; readonly restore: Patch.Restore } | undefined

/** Hears of every connection that is passed to a Node server whose `emit` is the inherited one, until it is told not to. */
export const onPassing = (listener: Passing): () => void => {
  if (listeners.size === 0) {
    const inherited = Net.Server.prototype.emit
    const emit = telling(inherited)
    told = { emit, inherited, restore: Patch.inheritedEmit(emit) }
  }
  listeners.add(listener)
  return () => {
    if (listeners.delete(listener) && listeners.size === 0) told?.restore()
  }
}

/** The `emit` of a server without what we have put there: what passes through us has been heard of. */
export const emitOf = (server: Net.Server): Emit => server.emit === told?.emit ? told.inherited : server.emit
