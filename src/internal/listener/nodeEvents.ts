/**
 * What a Node server emits: it is seen, and may be held back, before the server's own listeners hear of it.
 */
import { EventEmitter } from "node:events"
import type * as Http from "node:http"
import type * as Http2 from "node:http2"
import type * as Net from "node:net"
import type * as Tls from "node:tls"
import type { NodeServer } from "../model/listener.js"
import * as Patch from "../node/patch.js"
import { whenSending } from "../node/sentSocket.js"
import { emitOf } from "../node/serverEmit.js"
import { nextTick, setImmediate } from "../node/timers.js"
import { parseRest } from "../node/unusedUpgrade.js"
import { handOverSpoken, isSpokenBy } from "../node/upgrades.js"
import type { Pipeline } from "../protocol/pipeline.js"
import { AcceptedElsewhere } from "./acceptedElsewhere.js"
import type { AcceptQueue } from "./acceptQueue.js"
import { type ClosedByOthers, replaceClosed, replaceClosing } from "./nodeClose.js"
import { watched } from "./watchedServers.js"

/** What a Node server tells us about, before its own listeners, which do not hear of it if we say `false`. */
export interface NodeServerEvents extends ClosedByOthers {
  readonly connection: (socket: Net.Socket) => void
  /** Somebody has sent a socket of this server to another process, the first one to that one. */
  readonly sendsSockets: () => void
  readonly secureConnection: (socket: Tls.TLSSocket) => void
  readonly session: (session: Http2.ServerHttp2Session) => void
  readonly stream: (stream: Http2.ServerHttp2Stream, headers: Http2.IncomingHttpHeaders) => boolean
  /** Otherwise what is to be answered before it on its connection, or `true` where there is nothing. */
  readonly request: (request: Http.IncomingMessage, response: Http.ServerResponse) => Pipeline | boolean
  /** The server's own listeners have seen the request. */
  readonly giveToApp: (request: Http.IncomingMessage, response: Http.ServerResponse) => boolean
  /** Reads no more from its connection until it has been answered. */
  readonly stopReading: (request: Http.IncomingMessage) => void
  /** Nobody listens for requests: answers in place of a handler. */
  readonly answerUnheard: (response: Http.ServerResponse) => void
  /** A request that a server was answering when it was adopted. */
  readonly adoptedRequest: (request: Http.IncomingMessage, response: Http.ServerResponse) => void
  /** A connection that was there before its server was adopted owes nobody an answer. */
  readonly adoptedIdle: (socket: Net.Socket) => void
  /** The deadline has passed. */
  readonly isTooLate: () => boolean
  readonly reject503: (response: Http.ServerResponse) => void
  readonly refuseStream: (stream: Http2.ServerHttp2Stream) => void
  readonly upgrade: (
    event: "upgrade" | "connect",
    request: Http.IncomingMessage,
    socket: Net.Socket,
    head: Buffer
  ) => boolean
  readonly clientError: (error: Error, socket: Net.Socket) => void
  readonly tlsClientError: (error: Error, socket: Tls.TLSSocket) => void
  readonly acceptFailed: (error: Error) => void
}

/** Whether a server has been listened with or adopted, and has not closed since. */
export const isWatched = (server: Net.Server): boolean => watched.has(server)

/** Calls `then` when a server that is watched no longer is. */
export const whenUnwatched = (server: Net.Server, then: () => void): void => void watched.get(server)?.push(then)

type Args = ReadonlyArray<unknown>

type HoldingQueue = Pick<AcceptQueue, "accepted" | "hold" | "isFull" | "isHolding">

/** Gives what a server emits to those who listen to it, now or later. */
class Delivery {
  readonly #server: NodeServer
  readonly #watcher: NodeServerEvents
  readonly #queue: HoldingQueue
  readonly #emit: NodeServer["emit"]
  /** It calls listeners, and does nothing else. */
  readonly #isPlain: boolean

  constructor(server: NodeServer, watcher: NodeServerEvents, queue: HoldingQueue, emit: NodeServer["emit"]) {
    this.#server = server
    this.#watcher = watcher
    this.#queue = queue
    this.#emit = emit
    this.#isPlain = emit === EventEmitter.prototype.emit
  }

  /** `request`, `checkContinue` or `checkExpectation`. */
  request(args: Args): boolean {
    const watcher = this.#watcher
    const request = args[1] as Http.IncomingMessage
    const response = args[2] as Http.ServerResponse
    // of HTTP/2: its stream has been looked at
    if (request.httpVersionMajor > 1) return this.#deliver(args, request, response)
    const before = watcher.request(request, response)
    if (before === false) return true
    const isCrowded = before !== true && before.isCrowded
    if (!isCrowded && !this.#queue.isHolding() && !watcher.isClosing()) return this.#deliver(args, request, response)
    this.#later(request, isCrowded ? before : undefined, () => {
      // it may have been cut by now
      if (!request.socket.writable) return
      if (watcher.isTooLate()) watcher.reject503(response)
      else this.#deliver(args, request, response)
    })
    return true
  }

  /** A stream of HTTP/2: true where nobody else is to hear of it, or not yet. */
  stream(args: Args): boolean {
    const [, stream, headers] = args as [string, Http2.ServerHttp2Stream, Http2.IncomingHttpHeaders]
    if (!this.#watcher.stream(stream, headers)) return true
    if (!this.#queue.isHolding()) return false
    // nobody listens yet for the error that a client may reset it with, which would end the process
    stream.on("error", ignore)
    this.#queue.hold(() => {
      if (stream.destroyed) return
      if (this.#watcher.isTooLate()) this.#watcher.refuseStream(stream)
      else Reflect.apply(this.#emit, this.#server, args)
    })
    return true
  }

  /** A connection that has been accepted. */
  socket(args: Args): boolean {
    const heard = Reflect.apply(this.#emit, this.#server, args)
    parseRest(args[1] as Net.Socket)
    return heard
  }

  #later(request: Http.IncomingMessage, crowded: Pipeline | undefined, deliver: () => void): void {
    if (this.#queue.isHolding()) {
      this.#queue.hold(deliver)
      if (this.#queue.isFull()) this.#watcher.stopReading(request)
    } else if (crowded !== undefined) crowded.wait(deliver)
    // when all that came with it has been parsed: an answer must know whether it is the last
    else setImmediate(deliver)
  }

  #deliver(args: Args, request: Http.IncomingMessage, response: Http.ServerResponse): boolean {
    // an app has no listener here
    const isUnheard = this.#isPlain && this.#server.listenerCount(args[0] as string) === 0
    const heard: boolean = !isUnheard && Reflect.apply(this.#emit, this.#server, args)
    // whoever listens for the others answers them, or hands them on as a request
    if (args[0] !== "request") return heard
    if (!this.#watcher.giveToApp(request, response) && !heard) this.#watcher.answerUnheard(response)
    return true
  }
}

/** What stands in for the `emit` of a server: `onClose` says whether nobody else is to hear of its end. */
export const observedEmit = (
  server: NodeServer,
  watcher: NodeServerEvents,
  queue: HoldingQueue,
  emit: NodeServer["emit"],
  onClose: () => boolean,
  elsewhere?: AcceptedElsewhere
): (this: NodeServer, ...args: Args) => boolean => {
  const delivery = new Delivery(server, watcher, queue, emit)
  return function(this: NodeServer, ...args: Args): boolean {
    switch (args[0]) {
      case "request":
      case "checkContinue":
      case "checkExpectation":
        return delivery.request(args)
      case "stream":
        if (delivery.stream(args)) return true
        break
      case "session":
        watcher.session(args[1] as Http2.ServerHttp2Session)
        break
      case "connection":
        queue.accepted()
        elsewhere?.add(args[1] as Net.Socket)
        watcher.connection(args[1] as Net.Socket)
        return delivery.socket(args)
      case "secureConnection":
        elsewhere?.add(args[1] as Net.Socket)
        watcher.secureConnection(args[1] as Tls.TLSSocket)
        return delivery.socket(args)
      case "upgrade":
      case "connect": {
        const [event, request, socket, head] = args as unknown as Parameters<NodeServerEvents["upgrade"]>
        // CONNECT of HTTP/2 is a stream like any other
        if (request.httpVersionMajor > 1) break
        if (!watcher.upgrade(event, request, socket, head)) return true
        break
      }
      case "clientError":
        watcher.clientError(args[1] as Error, args[2] as Net.Socket)
        break
      case "tlsClientError":
        watcher.tlsClientError(args[1] as Error, args[2] as Tls.TLSSocket)
        break
      case "close":
        if (onClose()) return false
    }
    return Reflect.apply(emit, this, args)
  }
}

/**
 * Sees what the server emits, and decides what its listeners see. An event emitter calls its listeners one by one
 * and none can hold back an event from the next, which is what refusing a request takes; so `emit` itself is ours
 * until the server has closed.
 */
export const watch = (
  server: NodeServer,
  watcher: NodeServerEvents,
  queue: AcceptQueue,
  life: { readonly isComing: () => boolean; readonly hasListened: () => boolean }
): () => void => {
  const emit = emitOf(server)
  watched.set(server, [])
  let closed = false
  let emitsCloseAgain = false
  const onClose = (): boolean => {
    if (emitsCloseAgain) {
      emitsCloseAgain = false
      return true
    }
    if (closed) return false
    closed = true
    // its last connection is gone: only the class's own `close` stops the timer that looks for request timeouts, and
    // tells of its end once more
    emitsCloseAgain = true
    Reflect.get(Object.getPrototypeOf(server), "close").call(server)
    setImmediate(() =>
      elsewhere.whenNone(() => {
        unwatch()
        replaceClosed(server)
      })
    )
    return false
  }
  const elsewhere = new AcceptedElsewhere(server)
  const watching = observedEmit(server, watcher, queue, emit, onClose, elsewhere)
  const isSpoken = (request: Http.IncomingMessage) => isSpokenBy(server.listeners("upgrade"), request)
  const isOver = () => closed || !life.hasListened()
  const restores = [
    Patch.serverEmit(server, watching),
    handOverSpoken(server, isSpoken),
    whenSending(server, () => watcher.sendsSockets()),
    ...replaceClosing(server, watcher, { isComing: life.isComing, isOver })
  ]
  const unwatch = () => {
    const waiting = watched.get(server) ?? []
    watched.delete(server)
    // who has called it may go on with the server
    for (const then of waiting) nextTick(then)
    server.off("error", watcher.acceptFailed)
    for (const restore of restores) restore()
  }
  return unwatch
}

const ignore = () => {}
