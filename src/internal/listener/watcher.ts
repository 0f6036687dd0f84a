/**
 * What the events of a Node server mean to its connections: the protocol that each speaks hears of them.
 */
import type * as Http from "node:http"
import type { IncomingHttpHeaders, ServerHttp2Session, ServerHttp2Stream } from "node:http2"
import type * as Net from "node:net"
import * as Tls from "node:tls"
import { connectionOf, type TrackedConnection } from "../core/connection.js"
import type { ConnectionRegistry } from "../core/connectionRegistry.js"
import type { Protocol } from "../core/protocol.js"
import type { NodeServer } from "../model/listener.js"
import { isHttp } from "../node/httpServers.js"
import { serverOf } from "../node/internals.js"
import { whenTaken } from "../node/sentSocket.js"
import { http1Of } from "../protocol/http1.js"
import * as Http2 from "../protocol/http2.js"
import type { Pipeline } from "../protocol/pipeline.js"
import { protocolOf } from "../protocol/protocols.js"
import { reject503, rejectUpgrade503 } from "../protocol/reject503.js"
import { Handshake, rejectPlain, secured } from "../protocol/tls.js"
import { hijack } from "../protocol/upgraded.js"
import type { App } from "./app.js"
import type { NodeServerEvents } from "./nodeEvents.js"

export interface Watched extends Pick<NodeServerEvents, "isStopping" | "acceptFailed"> {
  readonly app: App | undefined
  readonly registry: ConnectionRegistry
  /** Other code wants that Node server closed; it may close those of its connections that are idle. */
  readonly nodeCloseCalled: (node: NodeServer, closeIdle: () => void) => void
  /** Other code has cut so many requests, outside of a shutdown. */
  readonly cutAll: (requests: number) => void
}

const handshake = (connection: TrackedConnection) => new Handshake(connection)

export const watcherOf = (server: Watched) => (node: NodeServer, withApp: boolean): NodeServerEvents =>
  new Watcher(server, node, withApp)

class Watcher implements NodeServerEvents {
  readonly acceptFailed: Watched["acceptFailed"]
  readonly isStopping: Watched["isStopping"]
  readonly reject503 = reject503
  readonly refuseStream = Http2.refuseStream
  readonly #server: Watched
  readonly #registry: ConnectionRegistry
  readonly #node: NodeServer
  readonly #withApp: boolean
  readonly #isTls: boolean
  readonly #speaksHttp: boolean
  readonly #protocol: (connection: TrackedConnection) => Protocol
  /** Its sockets are sent to other processes. */
  #isSending = false

  constructor(server: Watched, node: NodeServer, withApp: boolean) {
    this.acceptFailed = server.acceptFailed
    this.isStopping = server.isStopping
    this.#server = server
    this.#registry = server.registry
    this.#node = node
    this.#withApp = withApp
    this.#isTls = node instanceof Tls.Server
    this.#speaksHttp = isHttp(node)
    this.#protocol = protocolOf(node)
  }

  sendsSockets(): void {
    this.#isSending = true
    this.#registry.prune()
    for (const { socket } of this.#registry.connections) whenTaken(socket, release)
  }

  connection(socket: Net.Socket): void {
    if (this.#isSending) whenTaken(socket, release)
    if (this.#isTls && !(socket instanceof Tls.TLSSocket)) this.#accept(socket, handshake)
    else this.#accept(socket, this.#protocol).protocol.opened()
  }

  secureConnection(socket: Tls.TLSSocket): void {
    // whoever has made it of a raw socket passes it on
    const known = connectionOf(socket) === undefined ? secured(socket) : undefined
    known?.speak(this.#protocol(known))
    const connection = known ?? this.#accept(socket, this.#protocol)
    connection.protocol.opened()
  }

  session(session: ServerHttp2Session): void {
    const connection = connectionOf(session.socket)
    if (connection !== undefined) Http2.attachSession(connection, session)
  }

  stream(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): boolean {
    const connection = connectionOf(stream.session?.socket)
    return connection === undefined || Http2.beginStream(connection, stream, headers, this.#withApp)
  }

  request(request: Http.IncomingMessage, response: Http.ServerResponse): Pipeline | boolean {
    const http1 = http1Of(request.socket)
    if (http1 === undefined) return true
    return http1.begin(request, response, this.#withApp) && (http1.pipeline ?? true)
  }

  stopReading(request: Http.IncomingMessage): void {
    http1Of(request.socket)?.stopReading()
  }

  giveToApp(request: Http.IncomingMessage, response: Http.ServerResponse): boolean {
    if (!this.#withApp) return false
    this.#server.app?.request(request, response)
    return true
  }

  answerUnheard(response: Http.ServerResponse): void {
    reject503(response)
  }

  adoptedRequest(request: Http.IncomingMessage, response: Http.ServerResponse): void {
    http1Of(request.socket)?.beginAdopted(request, response, this.#withApp)
  }

  adoptedIdle(socket: Net.Socket): void {
    http1Of(socket)?.markIdleIfUsed()
  }

  isClosing(): boolean {
    return this.#registry.lifecycle.asksToLeave
  }

  isTooLate(): boolean {
    return this.#registry.lifecycle.isAborting
  }

  nodeCloseCalled(): void {
    this.#server.nodeCloseCalled(this.#node, () => this.closeIdle())
  }

  closeIdle(): void {
    const now = this.#registry.now()
    for (const connection of this.#connections()) {
      const until = connection.state === "Idle" ? http1Of(connection.socket)?.keepUntil(noGrace) : undefined
      if (until !== undefined && until <= now) connection.closeIdle()
    }
  }

  closeAll(close: () => void): void {
    const requests = this.#connections().reduce((sum, { exchanges }) => sum + exchanges.size, 0)
    close()
    if (requests > 0) this.#server.cutAll(requests)
  }

  upgrade(event: "upgrade" | "connect", request: Http.IncomingMessage, socket: Net.Socket, head: Buffer): boolean {
    // with a body still to come, Node 26 hands over a stream around the socket
    const connection = connectionOf(request.socket)
    if (connection === undefined) return true
    // Node has taken its own listener off, and a reset would end the process
    socket.on("error", ignore)
    if (this.#withApp && event === "upgrade") {
      if (http1Of(request.socket)?.beginUpgrade(request) === true) this.#server.app?.upgrade(request, socket, head)
      else rejectUpgrade503(request, socket)
      return true
    }
    if (connection.isClosing) {
      socket.destroy()
      return false
    }
    if (this.isTooLate()) {
      rejectUpgrade503(request, socket)
      return false
    }
    hijack(connection, event === "connect" ? "connect" : request.headers.upgrade?.toLowerCase() ?? "upgrade")
      .watchFrames()
    return true
  }

  clientError(error: Error, socket: Net.Socket): void {
    http1Of(socket)?.onParseError(error)
  }

  tlsClientError(error: Error, socket: Tls.TLSSocket): void {
    if (this.#speaksHttp) rejectPlain(error, socket)
  }

  #accept(socket: Net.Socket, protocol: (connection: TrackedConnection) => Protocol): TrackedConnection {
    // another Node server may have passed it on to this one: from now on it is a connection of this one
    const known = connectionOf(socket)
    return known === undefined
      ? this.#registry.accept(socket, protocol)
      : this.#registry.receive(known, socket, protocol)
  }

  /** Node writes on a socket which server has accepted it. */
  #connections(): ReadonlyArray<TrackedConnection> {
    return Array.from(this.#registry.connections).filter(({ socket }) => serverOf(socket) === this.#node)
  }
}

/** What other code wants closed is closed as soon as it is idle. */
const noGrace = { newConnection: Number.POSITIVE_INFINITY, idle: 0, since: 0 }

const release = (socket: Net.Socket): void => {
  const connection = connectionOf(socket)
  if (connection !== undefined) connection.registry.release(connection)
}

const ignore = () => {}
