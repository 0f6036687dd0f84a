/**
 * A request of HTTP/1.1 and its response: what of it has gone to the kernel, and how it ends before its handler ends it.
 */
import type * as Http from "node:http"
import type * as Net from "node:net"
import { Exchange } from "../core/exchange.js"
import { endEarly, endsWithEncoder } from "../node/earlyEnd.js"
import { headOf, isHeadWaiting, isKept, isWritten } from "../node/internals.js"
import * as Patch from "../node/patch.js"
import { endsByItself, isEncodedHead, isEventStreamHead, wantsEventStream } from "./eventStream.js"

/** The connection that it has come on. */
export interface Pipelined {
  readonly socket: Net.Socket
  /** Nothing more of what is in flight goes out: what has left by now is all that has. */
  freezeOutcomes(): void
  /** What listens for the close of a response. */
  readonly onResponseClose: (this: Http.ServerResponse) => void
}

export class Http1Exchange extends Exchange {
  readonly stream = undefined
  readonly on: Pipelined
  readonly request: Http.IncomingMessage
  /** Absent while a handler decides about an upgrade: then the answer, if any, is the handler's own. */
  response: Http.ServerResponse | undefined
  /** Its server was adopted while it was in flight: behind it its client may have sent others, which wait in Node. */
  isAdopted = false
  /** Its response will ask its client to leave, if that is still wanted when its head is written. */
  asksToLeave = false
  /** What its connection had of its response when nothing more was written to it: the status, and whether that was all. */
  #last: { readonly status: number | undefined; readonly isWhole: boolean } | undefined
  /** Nothing of its response had left then, and its head may leave yet. */
  #isWaiting = false

  constructor(
    on: Pipelined,
    request: Http.IncomingMessage,
    response: Http.ServerResponse | undefined,
    path: string | undefined,
    fromEffectApp: boolean,
    since: number
  ) {
    // as they arrived: a router that is mounted somewhere rewrites `url` for the handlers below it
    super(request.method ?? "", path ?? "", fromEffectApp, since)
    this.on = on
    this.request = request
    this.response = response
  }

  get status(): number | undefined {
    return this.#last === undefined ? this.#written : this.#last.status
  }

  /** The status of the head that its handler has written. */
  get #written(): number | undefined {
    const { response } = this
    return response?.headersSent === true && !isHeld(response) ? response.statusCode : undefined
  }

  /** The handler of a request that asked for an upgrade answers it as it would any request. */
  answerUpgrade(response: Http.ServerResponse): void {
    this.response = response
    this.markResponse()
  }

  /** Makes it known on its response. */
  markResponse(): void {
    if (this.response !== undefined) (this.response as Indexed)[key] = this
  }

  get isFrozen(): boolean {
    return this.#last !== undefined
  }

  /**
   * Its connection is about to be destroyed: nothing more goes out, although Node hands the answers that it has kept to
   * the dead socket, one after the other.
   */
  freezeOutcome(): void {
    if (this.isFrozen) return
    const { response } = this
    const isSent = response?.writableFinished === true
    const isWithSocket = response?.writableEnded === true && response.socket !== null && !response.destroyed &&
      !isKept(response)
    this.#isWaiting = response !== undefined && isHeadWaiting(this.on.socket, response)
    this.#last = { status: this.#isWaiting ? undefined : this.#written, isWhole: isSent || isWithSocket }
    this.markFlushed(isSent || (isWithSocket && isWritten(this.on.socket)))
  }

  /** What has just been written has left, although Node has not said so yet. */
  noteWritten(): void {
    const { response } = this
    if (response === undefined || this.#last === undefined) return
    if (this.#isWaiting && !isHeadWaiting(this.on.socket, response)) {
      this.#last = { ...this.#last, status: this.#written }
    }
    if (!this.#last.isWhole) return
    const { socket } = this.on
    this.markFlushed(isFlushed(socket, response) || (!response.destroyed && isWritten(socket)))
  }

  /** Its response has finished, or closed. What a handler has ended since nothing is written any more goes nowhere. */
  responseDone(response: Http.ServerResponse): void {
    if (this.#last?.isWhole !== false) this.markFlushed(isFlushed(this.on.socket, response))
  }

  /** Whether all of its response has gone to the kernel. */
  markFlushed(whole: boolean): void {
    if (this.rejected) this.answered503 ||= whole
    else this.answered ||= whole
  }

  endEventStream(lastLine: string): boolean {
    const { on, request, response } = this
    if (this.endedEarly || response?.headersSent !== true || response.writableEnded || response.destroyed) return false
    if (!wantsEventStream(request.method, request.headers.accept)) return false
    const head = wholeHeadOf(response)
    if (!isEventStreamHead(head) || endsByItself(response)) return false
    if (isEncodedHead(head) && !endsWithEncoder(response)) return false
    this.endedEarly = true
    endEarly(response, lastLine, () => this.markFlushed(isFlushed(on.socket, response)), on.onResponseClose)
    return true
  }

  abortOnEnd(onCut: () => void): void {
    const { on, request, response } = this
    const { destroy } = request
    // a reader of its body that is interrupted destroys it, and with it the connection that its 503 is to be sent on
    Patch.requestDestroy(request, (error) => request.socket.destroyed ? destroy.call(request, error) : request)
    if (response === undefined || !response.headersSent || response.writableEnded) return
    const { destroy: destroyResponse } = response
    const cut = () => {
      onCut()
      // one that waits for its turn takes the connection with it when that has come
      if (response.socket === null) response.once("socket", () => freezeAndDestroy(on))
      else on.freezeOutcomes()
      return destroyResponse.call(response)
    }
    // Effect 3 ends a stream that is interrupted as if it were whole; Effect 4, and some handlers, destroy its response
    Patch.end(response, cut)
    Patch.responseDestroy(response, (error) => on.socket.destroyed ? destroyResponse.call(response, error) : cut())
  }
}

const key = Symbol("quiesce/request")

interface Indexed {
  [key]?: Http1Exchange
}

/** That of a response, where it was made known on it. */
export const exchangeOf = (response: Http.ServerResponse): Http1Exchange | undefined => (response as Indexed)[key]

/** Before Node writes to it what it has kept. */
const freezeAndDestroy = (on: Pipelined): void => {
  on.freezeOutcomes()
  on.socket.destroy()
}

/**
 * Node has the head, and its client nothing: an answer that was given before its turn (pipelining) is kept until those
 * before it have left, and a head until the first bytes of its body.
 */
const isHeld = (response: Http.ServerResponse): boolean =>
  !response.writableFinished && (response.socket === null || isKept(response))

/**
 * Whether all of a response has gone to the kernel. Node says so (`writableFinished`) of one whose socket was destroyed
 * under it, too: it has nothing left to write. A socket that Node ended with its last response has itself finished.
 */
export const isFlushed = (socket: Net.Socket, response: Http.ServerResponse): boolean =>
  response.writableFinished && (!socket.destroyed || socket.writableFinished)

/** The head of a response as it goes out; where Node does not say, what was set of it. */
export const wholeHeadOf = (response: Http.ServerResponse): string => {
  const head = headOf(response)
  if (head !== undefined) return head
  const headers = Object.entries(response.getHeaders())
  return headers.map(([name, value]) => `${name}: ${String(value)}`).join("\r\n")
}

/**
 * A handler has destroyed its response before its turn has come (pipelining): it takes the connection with it when that
 * has come, and nothing that arrives until then could be answered. Up to Node 22 `destroy` itself sees to that, and says
 * `close` when it is done; since Node 24 it says so in the next tick, and what is behind would wait for ever.
 */
export const failsAtItsTurn = (exchange: Http1Exchange, first: Http1Exchange | undefined): boolean => {
  const { endedEarly, on, response } = exchange
  // one that was ended early has been sent
  if (response === undefined || endedEarly || response.writableFinished || on.socket.destroyed) return false
  // its turn has come between the two
  if (response.socket !== null && response.destroyed) freezeAndDestroy(on)
  else if (response.socket !== null || exchange === first) return false
  else response.once("socket", () => freezeAndDestroy(on))
  return true
}

/**
 * Whether the first of them that has not been sent had been destroyed before its turn, and has taken the connection with
 * it: up to Node 22 nobody says so before.
 */
export const isCutByNext = (exchanges: Iterable<Http1Exchange>): boolean => {
  for (const { response } of exchanges) {
    if (response?.writableFinished !== true) return response?.destroyed === true && response.socket !== null
  }
  return false
}
