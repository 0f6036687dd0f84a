/**
 * What the events of a Node server mean to its connections: the protocol that each speaks hears of them.
 */
import * as Net from "node:net"
import * as Tls from "node:tls"
import { connectionOf, type TrackedConnection } from "../core/connection.js"
import type { ConnectionRegistry } from "../core/connectionRegistry.js"
import { watchSocket } from "../core/cutElsewhere.js"
import type { Protocol } from "../core/protocol.js"
import type { NodeServer } from "../model/listener.js"
import { serverOf } from "../node/internals.js"
import { whenTaken } from "../node/sentSocket.js"
import { Http1, http1Of } from "../protocol/http1.js"
import * as Http2 from "../protocol/http2.js"
import { reject503, rejectUpgrade503 } from "../protocol/reject503.js"
import { Handshake, rejectPlain, secured } from "../protocol/tls.js"
import { hijack } from "../protocol/upgraded.js"
import type { App } from "./app.js"
import { isHttp } from "./listener.js"
import type { NodeServerEvents } from "./nodeEvents.js"

export interface Watched extends Pick<NodeServerEvents, "isStopping" | "acceptFailed"> {
  readonly app: App | undefined
  readonly registry: ConnectionRegistry
  /** Other code wants that Node server closed; it may close those of its connections that are idle. */
  readonly nodeCloseCalled: (node: NodeServer, closeIdle: () => void) => void
  /** Other code has cut so many requests, outside of a shutdown. */
  readonly cutAll: (requests: number) => void
}

const http1 = (connection: TrackedConnection) => new Http1(connection)

const handshake = (connection: TrackedConnection) => new Handshake(connection)

export const watcherOf = (server: Watched) => (node: NodeServer, withApp: boolean): NodeServerEvents => {
  const { app, registry } = server
  const isTls = node instanceof Tls.Server
  const speaksHttp = isHttp(node)
  const accept = (socket: Net.Socket, protocol: (connection: TrackedConnection) => Protocol) => {
    // another Node server may have passed it on to this one: from now on it is a connection of this one
    const known = connectionOf(socket)
    const connection = known === undefined
      ? registry.accept(socket, protocol)
      : registry.receive(known, socket, protocol)
    connection.setSecure(socket instanceof Tls.TLSSocket)
    return connection
  }
  const speak = (connection: TrackedConnection) => {
    if (registry.lifecycle.isStopping) watchSocket(connection)
    if (!speaksHttp) hijack(connection, "tcp")
    else if (registry.lifecycle.asksToLeave) connection.protocol.gracefulClose()
  }
  /** Its sockets are sent to other processes. */
  let isSending = false
  const release = (socket: Net.Socket) => {
    const connection = connectionOf(socket)
    if (connection !== undefined) connection.registry.release(connection)
  }
  const closeIdle = () => {
    const now = registry.now()
    const grace = { newConnection: Number.POSITIVE_INFINITY, idle: 0, since: 0 }
    for (const connection of connectionsOf(registry, node)) {
      const { protocol, state } = connection
      if (state === "Idle" && protocol instanceof Http1 && protocol.keepUntil(grace) <= now) connection.closeIdle()
    }
  }
  return {
    sends: () => {
      isSending = true
      registry.prune()
      for (const { socket } of registry.connections) whenTaken(socket, release)
    },
    connection: (socket) => {
      if (isSending) whenTaken(socket, release)
      if (isTls && !(socket instanceof Tls.TLSSocket)) accept(socket, handshake)
      else speak(accept(socket, http1))
    },
    secureConnection: (socket) => {
      // whoever has made it of a raw socket passes it on
      const known = connectionOf(socket) === undefined ? secured(socket) : undefined
      known?.speak(new Http1(known))
      speak(known ?? accept(socket, http1))
    },
    session: (session) => {
      const connection = connectionOf(session.socket)
      if (connection !== undefined) Http2.attachSession(connection, session)
    },
    stream: (stream, headers) => {
      const connection = connectionOf(stream.session?.socket)
      return connection === undefined || Http2.beginStream(connection, stream, headers, withApp)
    },
    request: (request, response) => {
      if (connectionOf(request.socket) === undefined) return true
      const spoken = http1Of(request.socket)
      return spoken === undefined || spoken.begin(request, response, withApp)
    },
    pipeline: (request) => http1Of(request.socket)?.pipeline,
    stopReading: (request) => http1Of(request.socket)?.stopReading(),
    answer: (request, response) => {
      if (!withApp) return false
      app?.request(request, response)
      return true
    },
    onUnhandled: reject503,
    underWay: (request, response, path) => {
      http1Of(request.socket)?.begin(request, response, withApp, path)
    },
    resting: (socket) => http1Of(socket)?.markIdleIfUsed(),
    isClosing: () => registry.lifecycle.asksToLeave,
    isStopping: server.isStopping,
    isTooLate: () => registry.lifecycle.isAborting,
    reject503: reject503,
    refuseStream: Http2.refuseStream,
    nodeCloseCalled: () => server.nodeCloseCalled(node, closeIdle),
    closeIdle,
    closeAll: (close) => {
      const requests = connectionsOf(registry, node).reduce((sum, { exchanges }) => sum + exchanges.size, 0)
      close()
      if (requests > 0) server.cutAll(requests)
    },
    upgrade: (event, request, socket, head) => {
      // with a body still to come, Node 26 hands over a stream around the socket
      const connection = connectionOf(request.socket)
      if (connection === undefined) return true
      // Node has taken its own listener off, and a reset would end the process
      socket.on("error", ignore)
      if (withApp && event === "upgrade") {
        if (http1Of(request.socket)?.beginUpgrade(request) === true) app?.upgrade(request, socket, head)
        else rejectUpgrade503(request, socket)
      } else if (connection.isClosing) {
        socket.destroy()
        return false
      } else if (registry.lifecycle.isAborting) {
        rejectUpgrade503(request, socket)
        return false
      } else {
        hijack(connection, event === "connect" ? "connect" : request.headers.upgrade?.toLowerCase() ?? "upgrade")
      }
      return true
    },
    clientError: (error, socket) => http1Of(socket)?.onParseError(error),
    tlsClientError: (error, socket) => {
      if (speaksHttp) rejectPlain(error, socket)
    },
    acceptFailed: server.acceptFailed
  }
}

const connectionsOf = (registry: ConnectionRegistry, node: NodeServer): ReadonlyArray<TrackedConnection> =>
  Array.from(registry.connections).filter(({ socket }) => serverOf(socket) === node)

const ignore = () => {}
