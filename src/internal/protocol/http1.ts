/**
 * HTTP/1.1 on Node's own server: who is owed an answer, and how a connection is asked to leave.
 */
import type * as Http from "node:http"
import * as Net from "node:net"
import { noteCutElsewhere } from "../core/cutElsewhere.js"
import { hidden } from "../node/symbols.js"
import { endEarly, endsWithEncoder } from "../node/earlyEnd.js"
import { callEndCallbacks } from "../node/endCallbacks.js"
import { isPausedByNode } from "../node/paused.js"
import { nextTick, setImmediate } from "../node/timers.js"
import { destroy, destroyEnded, type Grace, lingerMillis, type Protocol } from "../core/protocol.js"
import { type Open, openOf, type Owed, type Registry } from "../core/connections.js"
import { endsByItself, hasEndedByItself, isEncodedHead, isEventStreamHead, wantsEventStream } from "./eventStream.js"
import { Pipeline } from "./pipeline.js"

/**
 * How long a connection that was idle when draining started is given at the least: its next request may be on the
 * wire, in a kernel buffer or behind a busy event loop. Each request that comes on another connection shows that such
 * requests are still coming, and each answer may make its client ask again, on any connection of its pool: they give the
 * rest as long again, for `idleGrace` at the most.
 */
const crossingMillis = 50

/** Node's own allowance on top of the keep-alive timeout that it announces, for the time on the wire. */
const promiseBufferMillis = 1000

/** A request of HTTP/1.1. */
class Request implements Owed {
  readonly stream = undefined
  previous: Owed | undefined = undefined
  next: Owed | undefined = undefined
  isInFlight = false
  answered = false
  told503 = false
  interrupted = false
  readonly request: Http.IncomingMessage
  /** Absent while a handler decides about an upgrade: then the answer, if any, is the handler's own. */
  response: Http.ServerResponse | undefined
  endedEarly = false
  /** It was kept from its handler until it was too late: all that it is owed is to be told so. */
  refused = false
  /** As they arrived: a router that is mounted somewhere rewrites `url` for the handlers below it. */
  readonly method: string
  readonly path: string
  readonly ofApp: boolean
  readonly since: number
  private last: { readonly status: number | undefined } | undefined

  constructor(
    request: Http.IncomingMessage,
    response: Http.ServerResponse | undefined,
    path: string | undefined,
    ofApp: boolean,
    since: number
  ) {
    this.request = request
    this.response = response
    this.method = request.method ?? ""
    this.path = path ?? ""
    this.ofApp = ofApp
    this.since = since
  }

  get status(): number | undefined {
    if (this.last !== undefined) return this.last.status
    const { response } = this
    return response?.headersSent === true && !isKept(response) ? response.statusCode : undefined
  }

  get isSealed(): boolean {
    return this.last !== undefined
  }

  /**
   * Its connection is about to be destroyed: nothing more goes out, although Node hands the answers that it has kept to
   * the dead socket, one after the other.
   */
  seal(): void {
    if (this.isSealed) return
    this.last = { status: this.status }
    // what has just been written has left, although Node has not said so yet
    const { response } = this
    this.left(
      response !== undefined &&
        (response.writableFinished ||
          (response.writableEnded && !response.destroyed && response.socket !== null && isWritten(response.socket)))
    )
  }

  /** Whether all of its answer has gone to the kernel. */
  left(whole: boolean): void {
    if (this.refused) this.told503 ||= whole
    else this.answered ||= whole
  }

  endEventStream(): boolean {
    const { request, response } = this
    if (this.endedEarly || response?.headersSent !== true || response.writableEnded || response.destroyed) return false
    if (!wantsEventStream(request.method, request.headers.accept)) return false
    const head = headOf(response)
    if (!isEventStreamHead(head) || endsByItself(response)) return false
    if (isEncodedHead(head) && !endsWithEncoder(response)) return false
    this.endedEarly = true
    const open = openOf(request.socket)
    endEarly(response, () => {
      if (open !== undefined) this.left(flushed(open, response))
    }, onResponseClose)
    return true
  }

  guard(onCut: () => void): void {
    const { request, response } = this
    const { destroy } = request
    // a reader of its body that is interrupted destroys it, and with it the connection that its 503 is to be sent on
    request.destroy = (error) => request.socket.destroyed ? destroy.call(request, error) : request
    if (response === undefined || !response.headersSent || response.writableEnded) return
    response.end = () => {
      onCut()
      // one that waits for its turn takes the connection with it when that has come
      if (response.socket === null) response.once("socket", sealAndDestroy)
      else sealAll(response.socket)
      return response.destroy()
    }
  }
}

/**
 * Node has the head, and its client nothing: an answer that was given before its turn (pipelining) is kept until those
 * before it have left, and a head until the first bytes of its body.
 */
const isKept = (response: Http.ServerResponse): boolean => {
  if (response.writableFinished) return false
  const { _headerSent, outputSize } = response as { readonly _headerSent?: boolean; readonly outputSize?: number }
  return response.socket === null || _headerSent === false || (outputSize ?? 0) > 0
}

/** Only what this file has put on a connection is on one of its protocol. */
const requestsOf = (open: Open): Iterable<Request> => open.owed as Iterable<Request>
const firstOf = (open: Open): Request | undefined => open.owed.first as Request | undefined
const lastOf = (open: Open): Request | undefined => open.owed.last as Request | undefined

/** Before Node writes to it what it has kept. */
const sealAndDestroy = (socket: Net.Socket): void => {
  sealAll(socket)
  socket.destroy()
}

/** Whether the kernel has all that was ever written to a socket. Of what is still to be encrypted, nobody can tell. */
const isWritten = (socket: Net.Socket): boolean => {
  const { _handle, encrypted } = socket as {
    readonly _handle?: { readonly writeQueueSize?: number; readonly bytesWritten?: number } | null
    readonly encrypted?: boolean
  }
  return encrypted !== true && _handle?.writeQueueSize === 0 && _handle.bytesWritten === socket.bytesWritten
}

const sealAll = (socket: Net.Socket): void => {
  const open = openOf(socket)
  // those that have come before the last one are sealed with it, or before
  if (open === undefined || lastOf(open)?.isSealed !== false) return
  for (const owed of requestsOf(open)) owed.seal()
}

const key = Symbol("quiesce/request")

interface Indexed {
  [key]?: Request
}

/** That a response belongs to a request in flight is written on it, but not on that of the only one. */
const add = (open: Open, owed: Request): void => {
  if (open.owed.size > 0) index(owed)
  open.owed.add(owed)
}

const index = (owed: Request): void => {
  const { response } = owed
  if (response !== undefined) (response as Indexed)[key] = owed
}

/** The request in flight that is answered with `response`. */
const find = (open: Open, response: Http.ServerResponse): Request | undefined => {
  const first = firstOf(open)
  if (first === undefined || first.response === response) return first
  const owed = (response as Indexed)[key]
  return owed?.isInFlight === true ? owed : undefined
}

/** A request has arrived: false if the connection has begun to close, and no handler may run for it. */
export const begin = (
  open: Open,
  request: Http.IncomingMessage,
  response: Http.ServerResponse,
  ofApp: boolean,
  path: string | undefined = request.url
): boolean => {
  if (open.leaving) {
    pipelineOf(open).dropped()
    return false
  }
  const { registry } = open
  if (registry.killing) {
    open.leaving = true
    refuse(response)
    return false
  }
  // a user's listener for `checkContinue` hands the same one on as a request
  if (find(open, response) !== undefined) return true
  add(open, new Request(request, response, path, ofApp, registry.now()))
  if (registry.closing) registry.lastUse = registry.now()
  if (open.state !== "Active") registry.change(open, "Active")
  response.on("close", onResponseClose)
  if (registry.closing) sayClose(open, response)
  if (open.owed.size > 1) pipelineOf(open).begun()
  return true
}

/** The requests of a connection whose client does not wait for its answers. */
export const pipelineOf = (open: Open): Pipeline => open.pipeline ??= new Pipeline(open)

/** A connection that others have served before: Idle, unless a request has begun to arrive. */
export const rest = (open: Open): void => {
  if (open.state !== "New" || open.socket.bytesRead === 0 || midMessage(open.socket)) return
  open.registry.change(open, "Active")
  open.registry.change(open, "Idle")
}

/** Tells the client to come back, where no handler has seen its request. */
export const refuse = (response: Http.ServerResponse): void => {
  if (response.destroyed || response.headersSent) return
  if (response.req.httpVersionMajor < 2) response.shouldKeepAlive = false
  const open = openOf(response.req.socket)
  const owed = open?.registry.killing === true ? find(open, response) : undefined
  if (owed !== undefined) owed.refused = true
  response.writeHead(503, { "content-length": "0", "retry-after": "1" })
  response.end()
}

/** The same for a request that asked for an upgrade. */
export const refuseUpgrade = (request: Http.IncomingMessage, socket: Net.Socket): void => {
  socket.end("HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\nRetry-After: 1\r\n\r\n")
  const open = openOf(request.socket)
  if (open === undefined) return
  open.owed.clear()
  lingerOn(open)
}

/**
 * What has arrived cannot be read as a request, or not in time: it is Active until it is closed (Go's rule A7). Node
 * answers and closes; a listener of the user's own may wait for the peer to close, and a drain does not.
 */
export const misread = (open: Open, error: Error): void => {
  const { code } = error as { readonly code?: unknown }
  const ours = typeof code === "string" && (code.startsWith("HPE_") || code === "ERR_HTTP_REQUEST_TIMEOUT")
  if (!ours || open.socket.bytesRead === 0) return
  open.isMisread = true
  if (open.state === "New" || open.state === "Idle") open.registry.change(open, "Active")
  lingerOn(open)
}

/** A request that asks for an upgrade has arrived; its answer is in the hands of the handler. */
export const beginUpgrade = (open: Open, request: Http.IncomingMessage): boolean => {
  if (open.leaving || open.registry.killing) return false
  add(open, new Request(request, undefined, request.url, true, open.registry.now()))
  open.registry.change(open, "Active")
  return true
}

/** The request that asked for an upgrade, while its handler decides about it. Node reads none behind it. */
export const upgradeOf = (open: Open, request: unknown): Request | undefined => {
  const last = lastOf(open)
  return last !== undefined && last.request === request && last.response === undefined ? last : undefined
}

/** The handler of a request that asked for an upgrade answers it as it would any request. */
export const answerUpgrade = (owed: Request, response: Http.ServerResponse): void => {
  owed.response = response
  index(owed)
}

/**
 * The handler of a request that asked for an upgrade has ended, and has answered with `response` if it has not
 * upgraded: then its last word is said when that has left.
 */
export const endUpgrade = (open: Open, owed: Request, response: () => Http.ServerResponse): void => {
  if (owed.isInFlight) {
    const answer = response()
    answerUpgrade(owed, answer)
    if (answer.writableFinished || answer.closed) settle(open, answer)
    else answer.once("finish", onResponseClose).once("close", onResponseClose)
    if (!answer.writableEnded) open.socket.end()
  } else if (!open.socket.writableEnded) return
  lingerOn(open)
}

function onResponseClose(this: Http.ServerResponse): void {
  const open = openOf(this.req.socket)
  if (open !== undefined && !failsAtItsTurn(open, this)) settle(open, this)
}

/**
 * A handler has destroyed its response before its turn has come (pipelining): it takes the connection with it when that
 * has come, and nothing that arrives until then could be answered. Up to Node 22 `destroy` itself sees to that, and says
 * `close` when it is done; since Node 24 it says so at once, and what is behind would wait for ever.
 */
const failsAtItsTurn = (open: Open, response: Http.ServerResponse): boolean => {
  if (response.socket !== null || response.writableFinished || open.socket.destroyed) return false
  const owed = find(open, response)
  // one that was ended early has been sent
  if (owed === undefined || owed.endedEarly || owed === firstOf(open)) return false
  open.leaving = true
  response.once("socket", sealAndDestroy)
  return true
}

/**
 * Whether all of a response has gone to the kernel. Node says so (`writableFinished`) of one whose socket was destroyed
 * under it, too: it has nothing left to write. A socket that Node ended with its last response has itself finished.
 */
const flushed = ({ socket }: Open, response: Http.ServerResponse): boolean =>
  response.writableFinished && (!socket.destroyed || socket.writableFinished)

/**
 * It has left, and one behind it, which had been destroyed before its turn, has taken the connection with it: up to
 * Node 22 nobody says so before.
 */
const sealIfFailed = (open: Open): void => {
  for (const { response } of requestsOf(open)) {
    if (response?.writableFinished === true) continue
    if (response?.destroyed === true && response.socket !== null) sealAll(open.socket)
    return
  }
}

const settle = (open: Open, response: Http.ServerResponse): void => {
  const owed = find(open, response)
  if (owed === undefined) return
  if (open.socket.destroyed && response.writableFinished && !owed.isSealed) sealIfFailed(open)
  open.owed.delete(owed)
  open.pipeline?.settled()
  const { registry } = open
  owed.left(flushed(open, response))
  if (registry.closing) registry.lastUse = registry.now()
  if (registry.serve(open, owed)) {
    if (registry.keepHeads) open.lastHead = (response as { readonly _header?: string })._header
  } else {
    if (open.destroyedHere) noteCutElsewhere(open, owed)
    if (owed.ofApp && !owed.refused) completeEnd(response)
  }
  if (registry.endingLongLived) {
    owed.endedEarly ||= hasEndedByItself(response)
    registry.ended(open, owed)
  }
  if (open.owed.size > 0) return
  if (open.leaving) {
    // while it was owed something, its lingering had no end
    registry.consider(open)
  } else if (open.state === "Active" && open.socket.writable) {
    // else it goes from Active to Closed (Go's rule A8): Node has ended it with its last response, or its peer has gone
    registry.change(open, "Idle")
    // its client finishes what it sends before it asks again
    if (!owed.request.complete) {
      owed.request.once("end", onLateEnd)
      open.late = { request: owed.request, bytesRead: open.socket.bytesRead, until: 0 }
    }
    registry.consider(open)
  }
}

/** The rest of a request has come that was answered before: it is idle from now on. */
function onLateEnd(this: Http.IncomingMessage): void {
  const open = openOf(this.socket)
  if (open?.state !== "Idle" || open.owed.size > 0) return
  open.since = open.registry.now()
  open.registry.consider(open)
}

/** What of a response is needed to end it, in either version of HTTP. */
interface Ending {
  readonly writableEnded: boolean
  readonly rawListeners: (event: string) => ReadonlyArray<unknown>
  end: (...args: Array<never>) => unknown
}

/**
 * `response.end(body, callback)` never calls back once the response has been destroyed, and `@effect/platform-node`
 * waits for it: the request fiber and its scope would never end.
 */
export const completeEnd = (response: Ending): void => {
  if (response.writableEnded) return callEndCallbacks(response)
  const { end } = response
  response.end = (...args: ReadonlyArray<unknown>) => {
    const callback = args.find((arg) => typeof arg === "function")
    if (callback !== undefined) nextTick(callback)
    // it has to know that it has ended: whoever finds that it has not writes its head again
    end.call(response)
    return response
  }
}

/**
 * Makes a response whose head has not been written ask the client to leave. Whether it may is known only when the
 * head is written: with pipelining, `Connection: close` belongs on the last response that the connection owes.
 */
const sayClose = (open: Open, response: Http.ServerResponse): void => {
  if (response.headersSent) return
  const { writeHead } = response
  response.writeHead = function(this: Http.ServerResponse, statusCode: number, ...rest: ReadonlyArray<unknown>) {
    if (open.registry.closing && statusCode !== 101 && isLast(open, response)) {
      open.leaving = true
      response.shouldKeepAlive = false
      // what the handler says about the connection is dropped (Go's rule C2)
      if (response.hasHeader("connection")) response.setHeader("connection", "close")
      rest = rest.map(withoutConnection)
    }
    Reflect.apply(writeHead, this, [statusCode, ...rest])
    if (open.registry.endingLongLived) endBegun(open, response)
    return response
  }
}

/** An event stream that begins when those that were there have been ended: what comes with its head goes out first. */
const endBegun = (open: Open, response: Http.ServerResponse): void => {
  if (!open.registry.endsEventStreams || !isEventStreamHead(headOf(response))) return
  setImmediate(() => find(open, response)?.endEventStream())
}

/** The head of a response as it goes out. Without that undocumented field, what was set of it. */
const headOf = (response: Http.ServerResponse): string => {
  const { _header } = response as { readonly _header?: unknown }
  if (typeof _header === "string") return _header
  const headers = Object.entries(response.getHeaders())
  return headers.map(([name, value]) => `${name}: ${String(value)}`).join("\r\n")
}

const isLast = (open: Open, response: Http.ServerResponse): boolean => {
  const last = lastOf(open)
  return last?.response === response && !hasMore(open) && !(last.request.complete && midMessage(open.socket))
}

/** Its client may have sent what has not been read. */
const hasMore = ({ pipeline, socket }: Open): boolean =>
  pipeline !== undefined && (pipeline.isStopped || socket.readableLength > 0) || isPausedByNode(socket)

/** Headers as `writeHead` takes them (an object, pairs, or a flat list), without `Connection`. */
const withoutConnection = (headers: unknown): unknown => {
  const keeps = (name: unknown) => String(name).toLowerCase() !== "connection"
  if (Array.isArray(headers)) {
    return Array.isArray(headers[0])
      ? headers.filter(([name]) => keeps(name))
      : headers.filter((_, index) => keeps(headers[index - index % 2]))
  }
  return typeof headers === "object" && headers !== null
    ? Object.fromEntries(Object.entries(headers).filter(([name]) => keeps(name)))
    : headers
}

/**
 * Whether Node's parser is in the middle of a message: only the parser sees half a head that arrived together with
 * the request before it. Node keeps a list of the parsers that are (its `closeIdleConnections` reads it), under a
 * symbol of its own; a Node without it is taken to be between messages, where the graces still hold.
 */
const midMessage = (socket: Net.Socket): boolean => {
  const { parser, server } = socket as { readonly parser?: unknown; readonly server?: Http.Server }
  if (parser === null || parser === undefined || server === undefined) return false
  const { look } = openOf(socket)?.registry ?? {}
  const known = look?.get(server) as ReadonlySet<unknown> | undefined
  if (known !== undefined) return known.has(parser)
  const active = parsersOf(server)?.active() ?? []
  if (look === undefined) return active.includes(parser)
  const found = new Set(active)
  look.set(server, found)
  return found.has(parser)
}

interface Parsers {
  readonly active: () => ReadonlyArray<unknown>
}

const parsersOf = (server: Http.Server): Parsers | undefined => {
  const list = hidden(server, "http.server.connections")
  return typeof (list as Parsers | null | undefined)?.active === "function" ? list as Parsers : undefined
}

/**
 * Stands in for the `destroySoon` that Node calls after the last response of a connection. Node closes as soon as
 * the kernel has the bytes; if the peer has sent anything more by then, the kernel answers with a RST that destroys
 * what it had not delivered yet. So we end our side and read on, until the peer has closed its own (Go's rule C11).
 */
function destroySoon(this: Net.Socket): void {
  const open = openOf(this)
  // keep-alives are on again: nothing is watching over those that linger
  if (open?.registry.closing !== true || isMidAnswer(open)) return Net.Socket.prototype.destroySoon.call(this)
  this.end()
  lingerOn(open)
}

const lingerOn = (open: Open): void => {
  open.leaving = true
  open.lingersUntil = open.registry.now() + lingerMillis
  open.registry.consider(open)
}

const staysUntil = (open: Open, grace: Grace): number => {
  if (open.owed.size > 0) return Number.POSITIVE_INFINITY
  if (open.leaving) return open.lingersUntil
  if (open.state === "New") {
    return open.socket.bytesRead > 0 ? Number.POSITIVE_INFINITY : open.connectedAt + grace.newConnection
  }
  if (open.state !== "Idle") return Number.POSITIVE_INFINITY
  const until = grace.idle === "promised"
    ? open.since + promised(open) + promiseBufferMillis
    : Math.max(open.since + grace.idle, crossing(open.registry, grace.since, grace.idle))
  // asked last, for it costs the most
  return until <= open.registry.now() && midMessage(open.socket) ? lateUntil(open, until) : until
}

/**
 * In the middle of a message: one that comes is waited for, and the rest of one that has been answered for as long as it
 * goes on coming, so that its client reads the answer and meets no RST.
 */
const lateUntil = ({ late, registry, socket }: Open, until: number): number => {
  if (late === undefined || late.request.complete) return Number.POSITIVE_INFINITY
  if (late.bytesRead !== socket.bytesRead) {
    late.bytesRead = socket.bytesRead
    late.until = registry.now() + lingerMillis
  }
  return Math.max(until, late.until)
}

const crossing = ({ lastUse }: Registry, since: number, idleGrace: number): number =>
  Math.min(since + idleGrace, Math.max(since, lastUse) + crossingMillis)

/** The `Keep-Alive: timeout` of the last response, in milliseconds; what the server would announce if it had none. */
const promised = (open: Open): number => {
  const announced = /^keep-alive:.*?timeout=(\d+)/im.exec(open.lastHead ?? "")?.[1]
  if (announced !== undefined) return Number(announced) * 1000
  const { server } = open.socket as { readonly server?: Http.Server }
  return Math.floor((server?.keepAliveTimeout ?? 0) / 1000) * 1000
}

const leave = (open: Open): void => {
  if (typeof open.socket.destroySoon === "function") open.socket.destroySoon = destroySoon
  for (const { response } of requestsOf(open)) {
    if (response !== undefined) sayClose(open, response)
  }
}

const cut = (open: Open): void => {
  const { socket } = open
  const first = firstOf(open)
  open.leaving = true
  sealAll(socket)
  // written to the socket, not to the response: its handler may still be running, and must not find a head that it
  // did not write
  if (first?.response?.headersSent === false && socket.writable && socket.writableLength === 0) {
    first.told503 = true
    socket.end("HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
    // TLS has not encrypted it yet: it has the turns until the drain destroys what is left
    if (socket.writableLength === 0 || open.secure) return
  }
  socket.destroy()
}

/** How many responses are told in a turn of the event loop that their connection has closed. */
const batch = 64

const closed = (open: Open): void => {
  const responses: Array<Http.ServerResponse> = []
  for (const owed of Array.from(requestsOf(open))) {
    const { response } = owed
    if (response === undefined) {
      if (open.destroyedHere) noteCutElsewhere(open, owed)
      continue
    }
    settle(open, response)
    if (!response.closed) responses.push(response)
  }
  open.owed.clear()
  closeAll(responses, 0)
}

/** Whoever listens for the close of many responses gives up as many pieces of work. */
const closeAll = (responses: ReadonlyArray<Http.ServerResponse>, from: number): void => {
  const to = from + batch
  for (const response of responses.slice(from, to)) {
    response.destroy()
    nextTick(emitClose, response)
  }
  if (to < responses.length) setImmediate(closeAll, responses, to)
}

/** Since Node 24 it is said by `destroy`, in the next tick; before, of a response that waits for its turn, by nobody. */
const emitClose = (response: Http.ServerResponse): void => {
  if (!response.closed) response.emit("close")
}

/** What of their answers has left is known now, and not when it has closed. */
const destroyed = (open: Open): boolean => {
  for (const { response } of requestsOf(open)) if (response?.destroyed === true) return false
  sealAll(open.socket)
  return true
}

/** Whoever ends a connection now cuts an answer; Node does so after the last one, and we as we tell of a 503. */
const isMidAnswer = (open: Open): boolean => {
  const first = firstOf(open)
  return first?.response !== undefined && !first.response.writableEnded && !first.told503
}

const ended = (open: Open): boolean => {
  if (open.leaving || !isMidAnswer(open) || !destroyed(open)) return false
  destroyEnded(open)
  return true
}

export const http1: Protocol = { name: "http/1.1", staysUntil, leave, dismiss: destroy, cut, destroyed, ended, closed }
