/**
 * HTTP/1.1 on Node's own server: what is in flight on a connection, and how it is asked to leave.
 */
import type * as Http from "node:http"
import type * as Net from "node:net"
import { connectionOf, type TrackedConnection } from "../core/connection.js"
import { noteIfDestroyedHere, noteIfRejected } from "../core/cutElsewhere.js"
import { ExchangeList } from "../core/exchangeList.js"
import type { Grace } from "../core/lifecycle.js"
import { destroyEnded, type Protocol } from "../core/protocol.js"
import { completeEnd } from "../node/endCallbacks.js"
import { headOf, isPausedByNode, responseBeingWritten } from "../node/internals.js"
import { originalUrlOf } from "../node/originalUrl.js"
import * as Patch from "../node/patch.js"
import { afterPauseOfNode } from "../node/reading.js"
import { abortHttp1 } from "./abortHttp1.js"
import { closeAfterLast } from "./closeAfterLast.js"
import { closeResponses } from "./closeResponses.js"
import { hasEndedByItself } from "./eventStream.js"
import { exchangeOf, failsAtItsTurn, Http1Exchange, isCutByNext, type Pipelined } from "./http1Exchange.js"
import { isMidMessage, keepUntil, type LastAnswer, restOf } from "./http1Idle.js"
import { lingeringClose } from "./lingeringClose.js"
import { Pipeline } from "./pipeline.js"
import { respond503 } from "./respond503.js"

/** What most connections never have: it is made with the first of it. */
class Rare {
  parseFailed = false
  /** After its last answer it closes as Go's rule C11 wants. */
  lingersAfterLast = false
  /** Node has paused: what its client has sent meanwhile may not have been read. */
  isUnread = false
  /** What its client has sent behind requests that were not answered yet, if it ever has. */
  pipeline: Pipeline | undefined = undefined
  lastAnswer: LastAnswer | undefined = undefined
}

/** It is the list of its exchanges, and has none beside it: thousands may be idle, and a list of each takes its place. */
export class Http1 extends ExchangeList<Http1Exchange> implements Protocol, Pipelined {
  readonly #connection: TrackedConnection
  #rare: Rare | undefined = undefined

  constructor(connection: TrackedConnection) {
    super()
    this.#connection = connection
  }

  get name(): string {
    return "http/1.1"
  }

  get exchanges(): ExchangeList<Http1Exchange> {
    return this
  }

  get socket(): Net.Socket {
    return this.#connection.socket
  }

  get parseFailed(): boolean {
    return this.#rare?.parseFailed === true
  }

  get onResponseClose(): (this: Http.ServerResponse) => void {
    return onResponseClose
  }

  /** The requests of a client that does not wait for its answers. */
  get pipeline(): Pipeline | undefined {
    return this.#rare?.pipeline
  }

  /** A request has arrived: false if the connection has begun to close, and no handler may run for it. */
  begin(
    request: Http.IncomingMessage,
    response: Http.ServerResponse,
    fromEffectApp: boolean
  ): boolean {
    const connection = this.#connection
    if (connection.isClosing) {
      this.#pipelined().dropped()
      return false
    }
    const { registry } = connection
    if (registry.lifecycle.isAborting) {
      connection.startClosing()
      this.#lingerAfterLast()
      respond503(response)
      return false
    }
    // a user's listener for `checkContinue` hands the same one on as a request
    if (this.find(response) !== undefined) return true
    this.#start(new Http1Exchange(this, request, response, request.url, fromEffectApp, registry.now()), response)
    return true
  }

  /** A request that was being answered when its server was adopted. Node says of the next one when this one has left. */
  beginAdopted(request: Http.IncomingMessage, response: Http.ServerResponse, fromEffectApp: boolean): void {
    const now = this.#connection.registry.now()
    const exchange = new Http1Exchange(this, request, response, originalUrlOf(request), fromEffectApp, now)
    exchange.isAdopted = true
    this.#start(exchange, response)
  }

  /** No more is read until what has been read has been answered. */
  stopReading(): void {
    this.#pipelined().stop()
  }

  /** A connection that others have served before: Idle, unless a request has begun to arrive. */
  markIdleIfUsed(): void {
    const connection = this.#connection
    if (connection.state !== "New" || connection.socket.bytesRead === 0 || isMidMessage(connection)) return
    connection.become("Active")
    connection.become("Idle")
  }

  /**
   * What has arrived cannot be read as a request, or not in time: it is Active until it is closed (Go's rule A7). Node
   * answers and closes; a listener of the user's own may wait for the peer to close, and a drain does not.
   */
  onParseError(error: Error): void {
    const connection = this.#connection
    const { code } = error as { readonly code?: unknown }
    const ours = typeof code === "string" && (code.startsWith("HPE_") || code === "ERR_HTTP_REQUEST_TIMEOUT")
    if (!ours || connection.socket.bytesRead === 0) return
    this.#has().parseFailed = true
    if (connection.state === "New" || connection.state === "Idle") connection.become("Active")
    connection.linger()
  }

  /** A request that asks for an upgrade has arrived; its answer is in the hands of the handler. */
  beginUpgrade(request: Http.IncomingMessage): boolean {
    const connection = this.#connection
    const { registry } = connection
    if (connection.isClosing || registry.lifecycle.isAborting) return false
    this.#add(new Http1Exchange(this, request, undefined, request.url, true, registry.now()))
    if (registry.lifecycle.asksToLeave) this.#lingerAfterLast()
    connection.become("Active")
    return true
  }

  /** The request that asked for an upgrade, while its handler decides about it. Node reads none behind it. */
  upgradeOf(request: unknown): Http1Exchange | undefined {
    const { last } = this.exchanges
    return last !== undefined && last.request === request && last.response === undefined ? last : undefined
  }

  /** The request that asked for an upgrade has been answered with 503. */
  upgradeRejected(request: Http.IncomingMessage): void {
    const exchange = this.upgradeOf(request)
    if (exchange !== undefined) {
      exchange.rejected = true
      exchange.answered503 = true
      noteIfRejected(this.#connection, exchange)
    }
    this.exchanges.clear()
    this.#connection.linger()
  }

  /**
   * The handler of a request that asked for an upgrade has ended, and has answered with `response` if it has not
   * upgraded: then its last word is said when that has left.
   */
  endUpgrade(exchange: Http1Exchange, response: () => Http.ServerResponse): void {
    const { socket } = this
    if (exchange.isInFlight) {
      const answer = response()
      exchange.answerUpgrade(answer)
      if (answer.writableFinished || answer.closed) this.#settle(exchange, answer)
      else answer.once("finish", onResponseClose).once("close", onResponseClose)
      if (!answer.writableEnded) socket.end()
    } else if (!socket.writableEnded) return
    this.#connection.linger()
  }

  /** A handler has taken the connection over. */
  release(): void {
    this.exchanges.clear()
    this.pipeline?.release()
  }

  keepUntil(grace: Grace): number {
    const connection = this.#connection
    return this.#rare?.isUnread === true && !connection.isClosing
      ? Number.POSITIVE_INFINITY
      : keepUntil(connection, grace, this.#rare?.lastAnswer)
  }

  opened(): void {
    if (this.#connection.registry.lifecycle.asksToLeave) this.gracefulClose()
  }

  gracefulClose(): boolean {
    // what is idle has nothing to be asked: its next request asks, if it still comes
    if (this.exchanges.size === 0) return false
    this.#lingerAfterLast()
    for (const exchange of this.exchanges) closeAfterLast(this.#connection, this, exchange)
    return false
  }

  announce(): boolean {
    return false
  }

  closeIdle(): void {
    this.socket.destroy()
  }

  abort(): void {
    abortHttp1(this.#connection, this, this.exchanges.first, () => this.#hasMore())
  }

  onDeadline(): void {}

  /** What of their answers has left is known now, and not when it has closed. */
  onDestroyed(): boolean {
    this.exchanges.first?.noteWritten()
    for (const { response } of this.exchanges) if (response?.destroyed === true) return false
    this.freezeOutcomes()
    return true
  }

  onEnded(): boolean {
    if (this.#connection.isClosing || !this.isMidAnswer || !this.onDestroyed()) return false
    destroyEnded(this.socket)
    return true
  }

  onClosed(): void {
    const responses: Array<Http.ServerResponse> = []
    for (const exchange of Array.from(this.exchanges)) {
      const { response } = exchange
      if (response === undefined) {
        noteIfDestroyedHere(this.#connection, exchange)
        continue
      }
      if (exchange.isInFlight) this.#settle(exchange, response)
      if (!response.closed) responses.push(response)
    }
    this.exchanges.clear()
    closeResponses(responses)
  }

  freezeOutcomes(): void {
    const { first, last } = this.exchanges
    // what was being written when they were frozen may have left since
    if (!this.socket.destroyed) first?.noteWritten()
    // those that have come before the last one are frozen with it, or before
    if (last?.isFrozen !== false) return
    for (const exchange of this.exchanges) exchange.freezeOutcome()
  }

  /** Whoever ends a connection now cuts an answer; Node does so after the last one, and we as we tell of a 503. */
  get isMidAnswer(): boolean {
    const { first } = this.exchanges
    return first?.response !== undefined && !first.response.writableEnded && !first.answered503
  }

  /** The request in flight that is answered with `response`. */
  find(response: Http.ServerResponse): Http1Exchange | undefined {
    const { first } = this.exchanges
    if (first === undefined || first.response === response) return first
    const exchange = exchangeOf(response)
    return exchange?.isInFlight === true ? exchange : undefined
  }

  responseClosed(response: Http.ServerResponse): void {
    const exchange = this.find(response)
    if (exchange === undefined) return
    if (failsAtItsTurn(exchange, this.exchanges.first)) this.#connection.startClosing()
    else this.#settle(exchange, response)
  }

  /** The rest of a request has come that was answered before: it is idle from now on. */
  lateEnded(): void {
    const connection = this.#connection
    if (connection.state !== "Idle" || this.exchanges.size > 0) return
    connection.touch()
    connection.closeIfDue()
  }

  #beginNextAdopted(fromEffectApp: boolean): void {
    const next = this.socket.destroyed ? undefined : responseBeingWritten(this.socket)
    if (next === undefined || exchangeOf(next) !== undefined) return
    this.beginAdopted(next.req, next, fromEffectApp)
  }

  #start(exchange: Http1Exchange, response: Http.ServerResponse): void {
    const connection = this.#connection
    const { registry } = connection
    const { asksToLeave } = registry.lifecycle
    this.#add(exchange)
    if (isPausedByNode(this.socket)) this.#pausedByNode()
    if (asksToLeave) {
      registry.lastUse = exchange.since
      if (connection.state === "Idle") connection.awaitNextTurn()
    }
    if (connection.state !== "Active") connection.become("Active", exchange.since)
    response.on("close", onResponseClose)
    if (asksToLeave) {
      this.#lingerAfterLast()
      closeAfterLast(connection, this, exchange)
    }
    if (this.exchanges.size > 1) this.#pipelined().begun()
  }

  #pausedByNode(): void {
    const rare = this.#has()
    if (rare.isUnread) return
    rare.isUnread = true
    afterPauseOfNode(this.socket, () => {
      rare.isUnread = false
      // it may have paused again
      if (isPausedByNode(this.socket)) this.#pausedByNode()
      else if (this.#connection.state === "Idle") this.#connection.closeIfDue()
    })
  }

  #lingerAfterLast(): void {
    const rare = this.#has()
    if (rare.lingersAfterLast) return
    rare.lingersAfterLast = true
    Patch.destroySoon(this.socket, lingeringClose(() => this.isMidAnswer))
  }

  #last(): LastAnswer {
    return this.#has().lastAnswer ??= { head: undefined, rest: undefined }
  }

  #pipelined(): Pipeline {
    return this.#has().pipeline ??= new Pipeline(this.#connection)
  }

  #has(): Rare {
    return this.#rare ??= new Rare()
  }

  /** That a response belongs to a request in flight is written on it, but not on that of the only one. */
  #add(exchange: Http1Exchange): void {
    if (this.exchanges.size > 0) exchange.markResponse()
    this.exchanges.add(exchange)
  }

  #settle(exchange: Http1Exchange, response: Http.ServerResponse): void {
    const connection = this.#connection
    const { registry, socket } = connection
    const { asksToLeave } = registry.lifecycle
    if (socket.destroyed && response.writableFinished && !exchange.isFrozen && isCutByNext(this.exchanges)) {
      this.freezeOutcomes()
    }
    if (exchange.isAdopted) this.#beginNextAdopted(exchange.fromEffectApp)
    this.exchanges.delete(exchange)
    this.#rare?.pipeline?.settled()
    exchange.responseDone(response)
    if (asksToLeave) registry.lastUse = registry.now()
    if (connection.complete(exchange)) {
      if (registry.keepHeads) this.#last().head = headOf(response)
    } else {
      noteIfRejected(connection, exchange)
      noteIfDestroyedHere(connection, exchange)
      if (exchange.fromEffectApp && !exchange.rejected) completeEnd(response)
    }
    if (connection.endsLongLived) {
      exchange.endedEarly ||= hasEndedByItself(response)
      registry.recordEndedStream(connection, exchange)
    }
    if (this.exchanges.size > 0) return
    if (asksToLeave && socket.writableEnded && !socket.destroyed && !connection.isLingering) {
      // it was ended by a handler, or by the platform where the rest of a body is not read
      connection.linger()
    } else if (connection.isClosing) {
      // while it was owed something, its lingering had no end
      connection.closeIfDue()
    } else if (connection.state === "Active" && socket.writable) {
      // else it goes from Active to Closed (Go's rule A8): Node has ended it with its last response, or its peer has gone
      connection.become("Idle")
      // its client finishes what it sends before it asks again
      const { request } = exchange
      if (!request.complete) {
        request.once("end", onLateEnd)
        this.#last().rest = restOf(request, connection)
      }
      connection.closeIfDue()
    }
  }

  mayBeFollowed({ isAdopted }: Http1Exchange): boolean {
    return isAdopted || this.#hasMore()
  }

  /** Its client may have sent what has not been read. */
  #hasMore(): boolean {
    const { pipeline, socket } = this
    return pipeline !== undefined && (pipeline.mayHaveMore || socket.readableLength > 0)
      || this.#rare?.isUnread === true || isPausedByNode(socket)
  }
}

/** What a connection speaks HTTP/1.1 with; `undefined` where it does not, or is none of ours. */
export const http1Of = (socket: Net.Socket | null | undefined): Http1 | undefined => {
  const protocol = connectionOf(socket)?.protocol
  return protocol instanceof Http1 ? protocol : undefined
}

function onResponseClose(this: Http.ServerResponse): void {
  http1Of(this.req.socket)?.responseClosed(this)
}

function onLateEnd(this: Http.IncomingMessage): void {
  http1Of(this.socket)?.lateEnded()
}
