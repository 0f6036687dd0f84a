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
import { isWatched, type NodeServerEvents, observedEmit } from "./nodeEvents.js"

type ObservedEmit = ReturnType<typeof observedEmit>

/** A server that others have passed connections to. */
interface ForeignServer {
  /** How many of them are open. */
  connections: number
  readonly emits: Map<ConnectionOwner, ObservedEmit>
  readonly emit: NodeServer["emit"]
  readonly restore: Patch.Restore
}

const foreignServers = new WeakMap<Net.Server, ForeignServer>()

const watchers = new Map<ConnectionOwner, (node: NodeServer) => NodeServerEvents>()

// made here, where it can hold no server that has been closed
const hearPassed = (server: Net.Server, _: unknown, socket: Net.Socket): void => passedTo(server, socket)

let stopHearing = (): void => {}

/** Until it is told not to: sees which connections of a registry are passed on, and takes their new protocol for theirs. */
export const watchPassedOn = (
  registry: ConnectionRegistry,
  watcherOf: (node: NodeServer) => NodeServerEvents
): () => void => {
  if (watchers.size === 0) stopHearing = onPassing(hearPassed)
  watchers.set(registry, watcherOf)
  return () => {
    if (watchers.delete(registry) && watchers.size === 0) stopHearing()
  }
}

const lastPassedTo = new WeakMap<Net.Socket, Net.Server>()

const passedTo = (server: Net.Server, socket: Net.Socket): void => {
  const { registry } = connectionOf(socket) ?? {}
  const watcherOf = registry === undefined ? undefined : watchers.get(registry)
  if (registry === undefined || watcherOf === undefined || isWatched(server) || lastPassedTo.get(socket) === server) {
    return
  }
  lastPassedTo.set(socket, server)
  const foreign = foreignServers.get(server) ?? watchForeign(server)
  if (!foreign.emits.has(registry)) {
    foreign.emits.set(registry, observedEmit(server, watcherOf(server), neverHolding, foreign.emit, () => false))
  }
  foreign.connections++
  socket.once("close", () => {
    foreign.connections--
    if (foreign.connections === 0) unwatchForeign(server, foreign)
  })
}

/** Its own `emit` is replaced for as long as it has one of them. */
const watchForeign = (server: Net.Server): ForeignServer => {
  const emit = emitOf(server)
  const restore = Patch.serverEmit(server, function(...args) {
    if (args[0] === "connection" || args[0] === "secureConnection") passedTo(server, args[1] as Net.Socket)
    const connection = connectionOf(socketIn(args))
    const own = connection === undefined ? undefined : foreign.emits.get(connection.registry)
    return Reflect.apply(own ?? emit, this, args)
  })
  const foreign: ForeignServer = { connections: 0, emits: new Map(), emit, restore }
  foreignServers.set(server, foreign)
  return foreign
}

const unwatchForeign = (server: Net.Server, foreign: ForeignServer): void => {
  foreignServers.delete(server)
  foreign.restore()
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
