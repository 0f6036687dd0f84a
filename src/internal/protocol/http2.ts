/**
 * HTTP/2 on Node's own sessions: which streams are owed an answer, and how a session is asked to leave.
 *
 * A session is sent one GOAWAY that names the last stream that has been received (Go's rule H3): those up to it are
 * answered, and no handler sees later ones, so that they can be sent again (RFC 9113 §6.8). Only when it has left is the
 * session closed: Node 20.20 uses the memory of a stream that it refuses while GOAWAY is still to be sent after it has
 * freed it (seen with valgrind; not in Node 22.23.3, 24 and 26. nodejs/node#64113 is of that kind).
 * The two GOAWAYs that the RFC recommends cannot be had: after `goaway` with the highest stream id, Node takes no
 * notice of the streams that follow.
 */
import * as Http2 from "node:http2"
import { connectionOf, type TrackedConnection } from "../core/connection.js"
import { noteCutElsewhere, noteIfRejected, wasDestroyedHere } from "../core/cutElsewhere.js"
import { ExchangeList } from "../core/exchangeList.js"
import type { Grace } from "../core/lifecycle.js"
import { destroyEnded, lingerMillis, type Protocol } from "../core/protocol.js"
import { callEndCallbacks, completeEnd } from "../node/endCallbacks.js"
import { hasQueuedWrites } from "../node/internals.js"
import { isOverUnseen } from "../node/overStream.js"
import * as Patch from "../node/patch.js"
import { setImmediate, setTimeout } from "../node/timers.js"
import { hasEndedByItself } from "./eventStream.js"
import { hasAnswered, hasSentEnd, Http2Exchange, markStream, reset } from "./http2Exchange.js"

/**
 * How long a session that appears during a drain may take to open its first stream. Whoever is late loses nothing:
 * GOAWAY says that its stream was not seen.
 */
const firstStreamMillis = 50

/** How many turns of the event loop GOAWAY usually takes to be written, and how often its client is looked at after that. */
const goawayTurns = 4
const goawayMillis = 20

/** How often all streams of a session are looked at for those that are over. */
const overMillis = 50

const { NGHTTP2_INTERNAL_ERROR, NGHTTP2_NO_ERROR, NGHTTP2_REFUSED_STREAM } = Http2.constants

const ignore = () => {}

/** A session, and whether it has been told to leave. */
export class Session implements Protocol {
  readonly exchanges = new ExchangeList<Http2Exchange>()
  readonly parseFailed = false
  readonly #connection: TrackedConnection
  /** Its client takes pushed streams, as far as we know. */
  allowsPush = true
  readonly #session: Http2.ServerHttp2Session
  /** It has been told to leave, and that later streams than this one are not answered. */
  #last: number | undefined
  #used = false
  #isGivenUp = false
  /** Streams whose whole response has left, in the order in which they are to be ended. */
  #lingering: Set<Http2Exchange> | undefined
  /** Streams that have closed are settled when what is written has left. */
  #settlesSoon = false
  /** When all streams were last looked at for those that are over. */
  #lookedAt = Number.NEGATIVE_INFINITY

  constructor(connection: TrackedConnection, session: Http2.ServerHttp2Session) {
    this.#connection = connection
    this.#session = session
    const { destroy } = session
    // a session that is leaving is destroyed with its last stream, by Node: what that has come to is its own doing
    Patch.sessionDestroy(session, (...args) => {
      if (!session.destroyed) this.#onDestroy()
      Reflect.apply(destroy, session, args)
    })
  }

  #onDestroy(): void {
    for (const exchange of this.exchanges) {
      const { own } = exchange
      if (!own.destroyed && !own.closed) exchange.cutWithSession = true
    }
  }

  get name(): string {
    return "h2"
  }

  get #isTold(): boolean {
    return this.#last !== undefined
  }

  /** GOAWAY says that it was not seen; nghttp2 drops it when that is written. */
  ignores(stream: Http2.ServerHttp2Stream): boolean {
    return this.#last !== undefined && (stream.id ?? 0) > this.#last
  }

  #sayGoaway(): void {
    if (this.#isTold) return
    const session = this.#session
    this.#last = session.state.lastProcStreamID ?? 0
    if (session.destroyed || session.closed) return
    session.goaway()
    this.#closeSoon(goawayTurns)
  }

  #closeSoon(turns: number): void {
    const session = this.#session
    if (session.closed || session.destroyed) return
    if ((session.state.outboundQueueSize ?? 0) > 0) {
      if (turns > 0) setImmediate(() => this.#closeSoon(turns - 1))
      else setTimeout(() => this.#closeSoon(0), goawayMillis).unref()
      return
    }
    // it would send another one
    const restore = Patch.sessionGoaway(session, ignore)
    session.close()
    restore()
  }

  /** A client that has its whole response may leave its request without an end, as no HTTP/1.1 client may either. */
  #lingerOn(exchange: Http2Exchange): void {
    const finished = () => {
      if (!exchange.isInFlight) return
      exchange.lingersUntil = this.#connection.registry.now() + lingerMillis
      const lingering = this.#lingering ??= new Set()
      lingering.add(exchange)
      // those before it are due before it
      if (lingering.size === 1) this.#connection.closeIfDue()
    }
    if (hasAnswered(exchange.own)) finished()
    else exchange.own.once("finish", finished)
  }

  /** Ends the streams that have been answered and have lingered (RFC 9113 §8.1), and returns when the next one will be. */
  #lingered(now: number): number {
    for (const exchange of this.#lingering ?? []) {
      if (exchange.lingersUntil > now) return exchange.lingersUntil
      this.#lingering?.delete(exchange)
      if (!hasSentEnd(exchange.own)) {
        exchange.lingersUntil = now + lingerMillis
        this.#lingering?.add(exchange)
        continue
      }
      // what of its request nobody has read keeps it from closing
      if (!exchange.own.closed) exchange.own.resume().close(NGHTTP2_NO_ERROR)
    }
    return Number.POSITIVE_INFINITY
  }

  /** Streams that are over, and Node has not seen it: nobody waits for them. Not again and again for many. */
  #forgetOver(): void {
    const { registry } = this.#connection
    const now = registry.now()
    if (registry.parserCache === undefined || now < this.#lookedAt + overMillis) return
    this.#lookedAt = now
    for (const { own } of this.exchanges) if (isOverUnseen(own)) own.destroy()
  }

  keepUntil(grace: Grace): number {
    if (this.exchanges.size > 0) {
      this.#forgetOver()
      return this.#lingered(this.#connection.registry.now())
    }
    if (this.#isTold) return this.#connection.lingersUntil
    // its preface has not come
    if (this.#connection.state === "New") return this.#connection.connectedAt + grace.newConnection
    return this.#connection.registry.lifecycle.isStopping && !this.#connection.awaitsTurn
      ? this.#connection.since + firstStreamMillis
      : Number.POSITIVE_INFINITY
  }

  closeIdle(): void {
    if (this.#isTold || this.#connection.state === "New") this.#connection.socket.destroy()
    else this.tell()
  }

  opened(): void {}

  gracefulClose(): boolean {
    const { lifecycle } = this.#connection.registry
    // its client opens another connection at once, which a socket that is being closed may reset
    if (lifecycle.isClosingListeners) return false
    return (this.exchanges.size > 0 ? lifecycle.isStopping : this.#used && !this.#connection.awaitsTurn) && this.tell()
  }

  announce(): boolean {
    return false
  }

  /** It is in flight until it closes. */
  track(stream: Http2.ServerHttp2Stream, headers: Http2.IncomingHttpHeaders, fromEffectApp: boolean): void {
    const connection = this.#connection
    const exchange = new Http2Exchange(stream, headers, fromEffectApp, connection.registry.now())
    markStream(stream, exchange)
    this.exchanges.add(exchange)
    if (connection.state !== "Active") connection.become("Active", exchange.since)
    stream.once("close", () => {
      // nobody waits for an answer that has failed
      if (!this.isFlushing() || !hasAnswered(stream) || stream.rstCode !== NGHTTP2_NO_ERROR) this.settle(exchange)
      else if (!this.#settlesSoon) this.#settleSoon(goawayTurns)
    })
  }

  /** Answers whose streams have closed leave while other streams go on. */
  #settleSoon(turns: number): void {
    this.#settlesSoon = this.isFlushing()
    if (!this.#settlesSoon) this.#settleClosed()
    else if (turns > 0) setImmediate(() => this.#settleSoon(turns - 1))
    else setTimeout(() => this.#settleSoon(0), goawayMillis).unref()
  }

  #settleClosed(): void {
    for (const exchange of Array.from(this.exchanges)) if (exchange.own.closed) this.settle(exchange)
  }

  /** A stream has come in: of those that came with it none is refused. */
  begun(): void {
    this.#used = true
    // one for each that comes: they do not pile up
    const oldest = this.exchanges.first?.own
    if (oldest !== undefined && isOverUnseen(oldest)) oldest.destroy()
    if (this.#connection.registry.lifecycle.grace !== undefined && this.#connection.registry.lifecycle.isStopping) {
      setImmediate(() => this.tell())
    }
  }

  tell(): boolean {
    if (this.#isTold) return false
    this.#connection.startClosing()
    const finished = () => {
      this.#settleClosed()
      this.#connection.linger()
    }
    // its client, or a handler, may have closed it before, and the client have kept its own side open
    if (this.#connection.socket.writableFinished) finished()
    else this.#connection.socket.once("finish", finished)
    this.#sayGoaway()
    for (const exchange of this.exchanges) this.#lingerOn(exchange)
    return true
  }

  /** Its last answers have left when the socket says so: they are handed to the system after their stream has closed. */
  isFlushing(): boolean {
    return this.#isTold && hasQueuedWrites(this.#connection.socket)
  }

  *abort(): Generator<void, void> {
    this.#connection.startClosing()
    const flushing = this.isFlushing()
    const streams = Array.from(this.exchanges)
    for (const exchange of streams) {
      const { own } = exchange
      if (!exchange.isInFlight) continue
      // one that was reset has been ended, too
      exchange.answered = hasAnswered(own) && (hasSentEnd(own) || isOverUnseen(own)) &&
        own.rstCode === NGHTTP2_NO_ERROR && !flushing
      if (own.destroyed || own.closed || own.headersSent) continue
      exchange.answered503 = true
      own.on("error", ignore)
      own.respond({ ":status": 503, "content-length": "0" }, { endStream: true })
      own.close(NGHTTP2_NO_ERROR)
      yield
    }
    for (const { answered, isInFlight, own, answered503 } of streams) {
      if (answered503 || !isInFlight) continue
      reset(own, answered ? NGHTTP2_NO_ERROR : NGHTTP2_INTERNAL_ERROR)
      yield
    }
    this.#sayGoaway()
  }

  onDeadline(): void {}

  onDestroyed(): boolean {
    return true
  }

  /** The socket under a session that goes on. */
  onEnded(): boolean {
    if (this.#session.destroyed) return false
    destroyEnded(this.#connection.socket)
    return true
  }

  /** Whether other code has ended it, or the socket under it; not a client that breaks the protocol, or has given up. */
  isDestroyedHere({ cutWithSession, own }: Http2Exchange): boolean {
    if (this.#connection.socket.destroyed) return wasDestroyedHere(this.#connection)
    return cutWithSession && !this.#isGivenUp
      && (own.errored as { readonly code?: unknown } | null)?.code !== "ERR_HTTP2_ERROR"
  }

  /** Its client has sent a GOAWAY with an error. */
  givenUp(): void {
    this.#isGivenUp = true
  }

  onClosed(): void {
    for (const exchange of Array.from(this.exchanges)) this.settle(exchange)
  }

  settle(exchange: Http2Exchange): void {
    if (!this.exchanges.delete(exchange)) return
    this.#lingering?.delete(exchange)
    const connection = this.#connection
    const { registry, socket } = connection
    const { own, response } = exchange
    exchange.answered ||= !exchange.answered503 && hasAnswered(own) && own.rstCode === NGHTTP2_NO_ERROR &&
      // a client that leaves as soon as it has its answer has the socket destroyed before its stream closes
      (!socket.destroyed || socket.writableFinished)
    if (!connection.complete(exchange)) {
      noteIfRejected(connection, exchange)
      if (this.isDestroyedHere(exchange)) noteCutElsewhere(connection, exchange)
      if (response !== undefined) {
        // before its stream had ended, Node has kept the callback there
        if (response.writableEnded) callEndCallbacks(own)
        completeEnd(response)
      }
    }
    if (connection.endsLongLived) {
      exchange.endedEarly ||= response !== undefined && hasEndedByItself(response)
      registry.recordEndedStream(connection, exchange)
    }
    if (this.exchanges.size > 0 || socket.destroyed) return
    connection.become("Idle")
    if (registry.lifecycle.asksToLeave) this.tell()
    connection.closeIfDue()
  }
}

/** A session has been made on a connection. */
export const attachSession = (connection: TrackedConnection, session: Http2.ServerHttp2Session): void => {
  const protocol = new Session(connection, session)
  connection.speak(protocol)
  session.on("goaway", (code) => {
    if (code !== NGHTTP2_NO_ERROR) protocol.givenUp()
  })
  // Go's rule A11: once the preface is there, Active and Idle back to back
  session.on("remoteSettings", ({ enablePush }) => {
    protocol.allowsPush = enablePush !== false
  })
  session.once("remoteSettings", () => {
    if (connection.state !== "New") return
    connection.become("Active")
    connection.become("Idle")
    connection.closeIfDue()
  })
}

/** A stream has been opened: false if it is too late for it, and no handler may run. */
export const beginStream = (
  connection: TrackedConnection,
  stream: Http2.ServerHttp2Stream,
  headers: Http2.IncomingHttpHeaders,
  fromEffectApp: boolean
): boolean => {
  const { protocol, registry } = connection
  if (stream.destroyed) return false
  if (protocol instanceof Session && protocol.ignores(stream)) {
    stream.on("error", ignore)
    return false
  }
  if (registry.lifecycle.isAborting || !(protocol instanceof Session)) {
    refuseStream(stream)
    return false
  }
  protocol.track(stream, headers, fromEffectApp)
  if (protocol.allowsPush) Patch.pushStream(stream, pushStream)
  protocol.begun()
  return true
}

type OnPush = (error: Error | null, pushed: Http2.ServerHttp2Stream, headers: Http2.OutgoingHttpHeaders) => void

/** What a client has been promised it is owed, too: RFC 9113 §8.4. */
function pushStream(
  this: Http2.ServerHttp2Stream,
  headers: Http2.OutgoingHttpHeaders,
  options: Http2.StreamPriorityOptions | OnPush | undefined,
  callback?: OnPush
): void {
  const then = typeof options === "function" ? options : callback
  const connection = connectionOf(this.session?.socket)
  const { pushStream: push } = Object.getPrototypeOf(this) as Pick<Http2.ServerHttp2Stream, "pushStream">
  const promised: OnPush = (error, pushed, request) => {
    const protocol = connection?.protocol
    if (error === null && protocol instanceof Session && !pushed.destroyed) {
      protocol.track(pushed, request as Http2.IncomingHttpHeaders, false)
    }
    then?.(error, pushed, request)
  }
  // Node says what is wrong with arguments that are none
  if (typeof then !== "function") return Reflect.apply(push, this, [headers, options, callback])
  Reflect.apply(push, this, typeof options === "function" ? [headers, promised] : [headers, options, promised])
}

/** RFC 9113 §8.7: a refused stream has not been processed, and can be sent again. */
export const refuseStream = (stream: Http2.ServerHttp2Stream): void => reset(stream, NGHTTP2_REFUSED_STREAM)
