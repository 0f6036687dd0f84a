/**
 * One Node server passes a connection on to another by `other.emit("connection", socket)`, for one port that speaks more
 * than one protocol. The other may be nobody's we know; so, while there is a server of ours, the `emit` that Node servers
 * inherit tells of it, and does nothing else.
 */
import { EventEmitter } from "node:events"
import * as Net from "node:net"

type Emit = Net.Server["emit"]
type Passing = (server: Net.Server, event: "connection" | "secureConnection", socket: Net.Socket) => void

const listeners = new Set<Passing>()

function emit(this: Net.Server, ...args: ReadonlyArray<unknown>): boolean {
  const [event, socket] = args
  if (event === "connection" || event === "secureConnection") {
    for (const listener of listeners) listener(this, event, socket as Net.Socket)
    // whoever has heard of it may have put an `emit` of its own there
    if (Object.hasOwn(this, "emit")) return Reflect.apply(this.emit, this, args)
  }
  return Reflect.apply(inherited, this, args)
}

let inherited: Emit = EventEmitter.prototype.emit

/** Hears of every connection that is passed to a Node server whose `emit` is the inherited one, until it is told not to. */
export const onPassing = (listener: Passing): () => void => {
  const { prototype } = Net.Server
  if (listeners.size === 0 && prototype.emit !== emit) {
    inherited = prototype.emit
    Object.defineProperty(prototype, "emit", { value: emit, configurable: true, writable: true })
  }
  listeners.add(listener)
  return () => {
    listeners.delete(listener)
    if (listeners.size > 0 || prototype.emit !== emit) return
    if (inherited === EventEmitter.prototype.emit) Reflect.deleteProperty(prototype, "emit")
    else prototype.emit = inherited
  }
}

/** The `emit` of a server without what we have put there: what passes through us has been heard of. */
export const emitOf = (server: Net.Server): Emit => server.emit === emit ? inherited : server.emit
