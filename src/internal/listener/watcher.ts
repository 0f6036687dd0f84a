/**
 * What the events of a Node server mean to its connections: the protocol that each speaks hears of them.
 */
import * as Net from "node:net"
import * as Tls from "node:tls"
import type { NodeServer } from "../../Listener.js"
import type { App } from "../http/dispatch.js"
import { watchSocket } from "../core/cutElsewhere.js"
import { whenTaken } from "../node/sentSocket.js"
import type { Protocol } from "../core/protocol.js"
import { begin, beginUpgrade, http1, misread, pipelineOf, refuse, refuseUpgrade, rest } from "../protocol/http1.js"
import * as Http2 from "../protocol/http2.js"
import { handshake, rejectPlain, secured } from "../protocol/tls.js"
import { hijack } from "../protocol/upgraded.js"
import { type Open, openOf, type Registry } from "../core/connections.js"
import { isHttp } from "./listener.js"
import type { Watcher } from "./nodeEvents.js"

export interface Watched extends Pick<Watcher, "isStopping" | "acceptFailed"> {
  readonly app: App | undefined
  readonly registry: Registry
  /** Other code wants that Node server closed; it may close those of its connections that are idle. */
  readonly closeCalled: (node: NodeServer, closeIdle: () => void) => void
  /** Other code has cut so many requests, outside of a shutdown. */
  readonly cutAll: (requests: number) => void
}

export const watcherOf = (server: Watched) => (node: NodeServer, withApp: boolean): Watcher => {
  const { app, registry } = server
  const isTls = node instanceof Tls.Server
  const speaksHttp = isHttp(node)
  const accept = (socket: Net.Socket, protocol: Protocol) => {
    // another Node server may have passed it on to this one: from now on it is a connection of this one
    const known = openOf(socket)
    const open = known === undefined ? registry.accept(socket, protocol) : registry.receive(known, socket, protocol)
    open.secure = socket instanceof Tls.TLSSocket
    return open
  }
  const speak = (open: Open) => {
    if (registry.stopping) watchSocket(open)
    if (!speaksHttp) hijack(open, "tcp")
    else if (registry.closing) open.protocol.leave(open)
  }
  /** Its sockets are sent to other processes. */
  let isSending = false
  const release = (socket: Net.Socket) => {
    const open = openOf(socket)
    if (open !== undefined) open.registry.release(open)
  }
  const closeIdle = () => {
    const now = registry.now()
    const grace = { newConnection: Number.POSITIVE_INFINITY, idle: 0, since: 0 }
    for (const open of connectionsOf(registry, node)) {
      if (open.state === "Idle" && open.protocol === http1 && http1.staysUntil(open, grace) <= now) {
        registry.dismiss(open)
      }
    }
  }
  return {
    sends: () => {
      isSending = true
      registry.prune()
      for (const { socket } of registry.open) whenTaken(socket, release)
    },
    connection: (socket) => {
      if (isSending) whenTaken(socket, release)
      if (isTls && !(socket instanceof Tls.TLSSocket)) accept(socket, handshake)
      else speak(accept(socket, http1))
    },
    secureConnection: (socket) => {
      // whoever has made it of a raw socket passes it on
      const open = openOf(socket) === undefined ? secured(socket) ?? accept(socket, http1) : accept(socket, http1)
      open.protocol = http1
      speak(open)
    },
    session: (session) => {
      const open = openOf(session.socket)
      if (open !== undefined) Http2.converse(open, session)
    },
    stream: (stream, headers) => {
      const open = openOf(stream.session?.socket)
      return open === undefined || Http2.begin(open, stream, headers, withApp)
    },
    request: (request, response) => {
      const open = openOf(request.socket)
      return open === undefined || begin(open, request, response, withApp)
    },
    pipeline: (request) => openOf(request.socket)?.pipeline,
    stopReading: (request) => {
      const open = openOf(request.socket)
      if (open !== undefined) pipelineOf(open).stop()
    },
    answer: (request, response) => {
      if (!withApp) return false
      app?.request(request, response)
      return true
    },
    unheard: refuse,
    underWay: (request, response, path) => {
      const open = openOf(request.socket)
      if (open !== undefined) begin(open, request, response, withApp, path)
    },
    resting: (socket) => {
      const open = openOf(socket)
      if (open !== undefined) rest(open)
    },
    isClosing: () => registry.closing,
    isStopping: server.isStopping,
    isTooLate: () => registry.killing,
    refuse,
    refuseStream: Http2.refuse,
    closeCalled: () => server.closeCalled(node, closeIdle),
    closeIdle,
    closeAll: (close) => {
      const requests = connectionsOf(registry, node).reduce((sum, { owed }) => sum + owed.size, 0)
      close()
      if (requests > 0) server.cutAll(requests)
    },
    upgrade: (event, request, socket, head) => {
      // with a body still to come, Node 26 hands over a stream around the socket
      const open = openOf(request.socket)
      if (open === undefined) return true
      // Node has taken its own listener off, and a reset would end the process
      socket.on("error", ignore)
      if (withApp && event === "upgrade") {
        if (beginUpgrade(open, request)) app?.upgrade(request, socket, head)
        else refuseUpgrade(request, socket)
      } else if (open.leaving) {
        socket.destroy()
        return false
      } else if (registry.killing) {
        refuseUpgrade(request, socket)
        return false
      } else {
        hijack(open, event === "connect" ? "connect" : request.headers.upgrade?.toLowerCase() ?? "upgrade")
      }
      return true
    },
    clientError: (error, socket) => {
      const open = openOf(socket)
      if (open !== undefined) misread(open, error)
    },
    tlsClientError: (error, socket) => {
      if (speaksHttp) rejectPlain(error, socket)
    },
    acceptFailed: server.acceptFailed
  }
}

/** Node writes on a socket which server has accepted it. */
const connectionsOf = (registry: Registry, node: NodeServer): ReadonlyArray<Open> =>
  Array.from(registry.open).filter(({ socket }) => (socket as { readonly server?: unknown }).server === node)

const ignore = () => {}
