/**
 * A connection that a Node server of ours has passed on to one that is not ours: it is still ours to await and to close,
 * by the protocol of the one that has it now, whose events tell what it is doing. They are seen for as long as it has
 * any such connection, and only those of them.
 */
import type * as Net from "node:net"
import { connectionOf, type ConnectionOwner } from "../core/connection.js"
import type { ConnectionRegistry } from "../core/connectionRegistry.js"
import type { NodeServer } from "../model/listener.js"
import { rawSocketOf } from "../node/internals.js"
import * as Patch from "../node/patch.js"
import { emitOf, onPassing } from "../node/serverEmit.js"
import { isWatched, type NodeServerEvents, seeing } from "./nodeEvents.js"

type Seeing = ReturnType<typeof seeing>

/** A server that others have passed connections to. */
interface Guest {
  /** How many of them are open. */
  connections: number
  readonly seen: Map<ConnectionOwner, Seeing>
  readonly emit: NodeServer["emit"]
  readonly restore: Patch.Restore
}

const guests = new WeakMap<Net.Server, Guest>()

const registries = new Map<ConnectionOwner, (node: NodeServer) => NodeServerEvents>()

// made here, where it can hold no server that has been closed
const hear = (server: Net.Server, _: unknown, socket: Net.Socket): void => notice(server, socket)

let stopHearing = (): void => {}

/** Until it is told not to: sees which connections of a registry are passed on, and takes their new protocol for theirs. */
export const seePassedOn = (
  registry: ConnectionRegistry,
  watcherOf: (node: NodeServer) => NodeServerEvents
): () => void => {
  if (registries.size === 0) stopHearing = onPassing(hear)
  registries.set(registry, watcherOf)
  return () => {
    if (registries.delete(registry) && registries.size === 0) stopHearing()
  }
}

const noticed = new WeakMap<Net.Socket, Net.Server>()

const notice = (server: Net.Server, socket: Net.Socket): void => {
  const { registry } = connectionOf(socket) ?? {}
  const watcherOf = registry === undefined ? undefined : registries.get(registry)
  if (registry === undefined || watcherOf === undefined || isWatched(server) || noticed.get(socket) === server) return
  noticed.set(socket, server)
  const guest = guests.get(server) ?? takeIn(server)
  if (!guest.seen.has(registry)) {
    guest.seen.set(registry, seeing(server, watcherOf(server), neverHolding, guest.emit, () => false))
  }
  guest.connections++
  socket.once("close", () => {
    guest.connections--
    if (guest.connections === 0) leave(server, guest)
  })
}

/** Its own `emit` is replaced for as long as it has one of them. */
const takeIn = (server: Net.Server): Guest => {
  const emit = emitOf(server)
  const restore = Patch.serverEmit(server, function(...args) {
    if (args[0] === "connection" || args[0] === "secureConnection") notice(server, args[1] as Net.Socket)
    const connection = connectionOf(socketIn(args))
    const own = connection === undefined ? undefined : guest.seen.get(connection.registry)
    return Reflect.apply(own ?? emit, this, args)
  })
  const guest: Guest = { connections: 0, seen: new Map(), emit, restore }
  guests.set(server, guest)
  return guest
}

const leave = (server: Net.Server, guest: Guest): void => {
  guests.delete(server)
  guest.restore()
}

/** The socket that an event of a Node server is about, or the one below it that was accepted. */
const socketIn = ([event, first, second]: ReadonlyArray<unknown>): Net.Socket | undefined => {
  switch (event) {
    case "request":
    case "checkContinue":
    case "checkExpectation":
    case "upgrade":
    case "connect":
    case "session":
      return (first as { readonly socket?: Net.Socket }).socket
    case "stream":
      return (first as { readonly session?: { readonly socket?: Net.Socket } }).session?.socket
    case "connection":
    case "secureConnection":
      return known(first as Net.Socket)
    case "clientError":
    case "tlsClientError":
      return known(second as Net.Socket)
    default:
      return undefined
  }
}

const known = (socket: Net.Socket | undefined): Net.Socket | undefined =>
  connectionOf(socket) === undefined ? rawSocketOf(socket) : socket

/** It does not listen, or not for these. */
const neverHolding = {
  accepted: () => {},
  isHolding: () => false,
  isFull: () => false,
  hold: (deliver: () => void) => deliver()
}
