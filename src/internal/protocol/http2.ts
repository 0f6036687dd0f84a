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
import { noteCutElsewhere } from "../core/cutElsewhere.js"
import { endStreamEarly, streamEndsWithEncoder } from "../node/earlyEnd.js"
import { callEndCallbacks } from "../node/endCallbacks.js"
import { isResetUnseen } from "../node/resetStream.js"
import { setImmediate, setTimeout } from "../node/timers.js"
import { destroyEnded, type Grace, lingerMillis, type Protocol } from "../core/protocol.js"
import { type Open, openOf, type Owed } from "../core/connections.js"
import { endsByItself, hasEndedByItself, isEventStreamWith, wantsEventStream } from "./eventStream.js"
import { completeEnd } from "./http1.js"

/**
 * How long a session that appears during a drain may take to open its first stream. Whoever is late loses nothing:
 * GOAWAY says that its stream was not seen.
 */
const firstStreamMillis = 50

/** How many turns of the event loop GOAWAY usually takes to be written, and how often its client is looked at after that. */
const goawayTurns = 4
const goawayMillis = 20

/** How often all streams of a session are looked at for those that their client has reset. */
const resetMillis = 50

const { NGHTTP2_INTERNAL_ERROR, NGHTTP2_NO_ERROR, NGHTTP2_REFUSED_STREAM } = Http2.constants

/** A stream that a handler answers. */
class Stream implements Owed {
  previous: Owed | undefined = undefined
  next: Owed | undefined = undefined
  isInFlight = false
  answered = false
  endedEarly = false
  told503 = false
  interrupted = false
  /** What `@effect/platform-node` answers with, once it has been made. */
  response: Http2.Http2ServerResponse | undefined = undefined
  /** Its whole answer has left, and it is read from until then, if its client does not end its request before. */
  lingersUntil = Number.POSITIVE_INFINITY
  readonly own: Http2.ServerHttp2Stream
  readonly method: string
  readonly path: string
  readonly accept: string | undefined
  readonly ofApp: boolean
  readonly since: number

  constructor(stream: Http2.ServerHttp2Stream, headers: Http2.IncomingHttpHeaders, ofApp: boolean, since: number) {
    this.own = stream
    this.method = headers[":method"] ?? ""
    this.path = headers[":path"] ?? headers[":authority"] ?? ""
    this.accept = headers.accept
    this.ofApp = ofApp
    this.since = since
  }

  get stream(): number | undefined {
    return this.own.id
  }

  get status(): number | undefined {
    return this.own.headersSent ? Number(this.own.sentHeaders[":status"]) : undefined
  }

  endEventStream(): boolean {
    const { own, response } = this
    if (this.endedEarly || own.destroyed || own.closed || own.writableEnded) return false
    if (!wantsEventStream(this.method, this.accept)) return false
    if (!own.headersSent) {
      this.#endWhenBegun()
      return false
    }
    if (!isEventStreamWith(own.sentHeaders)) return false
    const encoding = own.sentHeaders["content-encoding"]
    if (encoding !== undefined && encoding !== "identity" && !streamEndsWithEncoder(own)) return false
    if (response !== undefined && endsByItself(response)) return false
    this.endedEarly = true
    endStreamEarly(own)
    return true
  }

  /** What comes with its head goes out first. */
  #endWhenBegun(): void {
    const { own } = this
    const { respond } = own
    own.respond = (...args) => {
      own.respond = respond
      own.respond(...args)
      setImmediate(() => this.endEventStream())
    }
  }

  guard(onCut: () => void): void {
    const { own, response } = this
    if (response === undefined || !own.headersSent || own.writableEnded) return
    response.end = () => {
      onCut()
      reset(own, NGHTTP2_INTERNAL_ERROR)
      return response
    }
  }
}

/** An error code would be an `error` event, which ends the process where nobody listens. */
const reset = (stream: Http2.ServerHttp2Stream, code: number): void => {
  stream.on("error", ignore)
  stream.close(code)
}

const ignore = () => {}

/** A session, and whether it has been told to leave. */
class Session implements Protocol {
  readonly name = "h2"
  /** Its client takes pushed streams, as far as we know. */
  allowsPush = true
  readonly #session: Http2.ServerHttp2Session
  /** It has been told to leave, and that later streams than this one are not answered. */
  #last: number | undefined
  #used = false
  #isGivenUp = false
  /** Streams whose whole answer has left, in the order in which they are to be ended. */
  #lingering: Set<Stream> | undefined
  /** When all streams were last looked at for those that their client has reset. */
  #lookedAt = Number.NEGATIVE_INFINITY

  constructor(session: Http2.ServerHttp2Session) {
    this.#session = session
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
    session.goaway = ignore
    session.close()
    Reflect.deleteProperty(session, "goaway")
  }

  /** A client that has its whole answer may leave its request without an end, as no HTTP/1.1 client may either. */
  #lingerOn(open: Open, owed: Stream): void {
    const finished = () => {
      if (!owed.isInFlight) return
      owed.lingersUntil = open.registry.now() + lingerMillis
      const lingering = this.#lingering ??= new Set()
      lingering.add(owed)
      // those before it are due before it
      if (lingering.size === 1) open.registry.consider(open)
    }
    if (hasAnswered(owed.own)) finished()
    else owed.own.once("finish", finished)
  }

  /** Ends the streams that have been answered and have lingered (RFC 9113 §8.1), and returns when the next one will be. */
  #lingered(now: number): number {
    for (const owed of this.#lingering ?? []) {
      if (owed.lingersUntil > now) return owed.lingersUntil
      this.#lingering?.delete(owed)
      if (!hasSentEnd(owed.own)) {
        owed.lingersUntil = now + lingerMillis
        this.#lingering?.add(owed)
        continue
      }
      // what of its request nobody has read keeps it from closing
      if (!owed.own.closed) owed.own.resume().close(NGHTTP2_NO_ERROR)
    }
    return Number.POSITIVE_INFINITY
  }

  /** Streams that their client has reset, and Node has not seen: nobody waits for them. Not again and again for many. */
  #forgetReset(open: Open): void {
    const now = open.registry.now()
    if (open.registry.look === undefined || now < this.#lookedAt + resetMillis) return
    this.#lookedAt = now
    for (const { own } of streamsOf(open)) if (isResetUnseen(own)) own.destroy()
  }

  staysUntil(open: Open, grace: Grace): number {
    if (open.owed.size > 0) {
      this.#forgetReset(open)
      return this.#lingered(open.registry.now())
    }
    if (this.#isTold) return open.lingersUntil
    // its preface has not come
    if (open.state === "New") return open.connectedAt + grace.newConnection
    return open.registry.stopping ? open.since + firstStreamMillis : Number.POSITIVE_INFINITY
  }

  dismiss(open: Open): void {
    if (this.#isTold || open.state === "New") open.socket.destroy()
    else this.tell(open)
  }

  leave(open: Open): void {
    if (open.owed.size > 0 ? open.registry.stopping : this.#used) this.tell(open)
  }

  /** A stream has come in: of those that came with it none is refused. */
  begun(open: Open): void {
    this.#used = true
    // one for each that comes: they do not pile up
    const oldest = firstOf(open)?.own
    if (oldest !== undefined && isResetUnseen(oldest)) oldest.destroy()
    if (open.registry.grace !== undefined && open.registry.stopping) setImmediate(() => this.tell(open))
  }

  /** A stream has closed. */
  forget(owed: Stream): void {
    this.#lingering?.delete(owed)
  }

  /** Nothing is owed any more. */
  settled(open: Open): void {
    if (open.registry.closing) this.tell(open)
  }

  tell(open: Open): void {
    if (this.#isTold) return
    open.leaving = true
    const finished = () => {
      for (const owed of Array.from(streamsOf(open))) if (owed.own.closed) settle(open, owed)
      open.lingersUntil = open.registry.now() + lingerMillis
      open.registry.consider(open)
    }
    // its client, or a handler, may have closed it before, and the client have kept its own side open
    if (open.socket.writableFinished) finished()
    else open.socket.once("finish", finished)
    this.#sayGoaway()
    for (const owed of streamsOf(open)) this.#lingerOn(open, owed)
  }

  /** Its last answers have left when the socket says so: they are handed to the system after their stream has closed. */
  isFlushing(open: Open): boolean {
    const { _handle } = open.socket as unknown as { readonly _handle?: { readonly writeQueueSize?: number } | null }
    return this.#isTold && (_handle?.writeQueueSize ?? 0) > 0
  }

  *cut(open: Open): Generator<void, void> {
    open.leaving = true
    const flushing = this.isFlushing(open)
    const streams = Array.from(streamsOf(open))
    for (const owed of streams) {
      const { own } = owed
      if (!owed.isInFlight) continue
      // one that was reset has been ended, too
      owed.answered = hasAnswered(own) && hasSentEnd(own) && own.rstCode === NGHTTP2_NO_ERROR && !flushing
      if (own.destroyed || own.closed || own.headersSent) continue
      owed.told503 = true
      own.on("error", ignore)
      own.respond({ ":status": 503, "content-length": "0" }, { endStream: true })
      own.close(NGHTTP2_NO_ERROR)
      yield
    }
    for (const { answered, isInFlight, own, told503 } of streams) {
      if (told503 || !isInFlight) continue
      reset(own, answered ? NGHTTP2_NO_ERROR : NGHTTP2_INTERNAL_ERROR)
      yield
    }
    this.#sayGoaway()
  }

  destroyed(): boolean {
    return true
  }

  /** The socket under a session that goes on. */
  ended(open: Open): boolean {
    if (this.#session.destroyed) return false
    destroyEnded(open)
    return true
  }

  /** Whether other code has ended it, or the socket under it; not a client that breaks the protocol, or has given up. */
  isDestroyedHere(open: Open, { own }: Stream): boolean {
    if (open.socket.destroyed) return open.destroyedHere
    // its client may have reset it without an error just before, which is not an abort
    return this.#session.destroyed && !this.#isGivenUp && (own.aborted || own.rstCode !== NGHTTP2_NO_ERROR)
      && (own.errored as { readonly code?: unknown } | null)?.code !== "ERR_HTTP2_ERROR"
  }

  /** Its client has sent a GOAWAY with an error. */
  givenUp(): void {
    this.#isGivenUp = true
  }

  closed(open: Open): void {
    for (const owed of Array.from(streamsOf(open))) settle(open, owed)
  }
}

/** Only what this file has put on a connection is on one of its protocol. */
const streamsOf = (open: Open): Iterable<Stream> => open.owed as Iterable<Stream>
const firstOf = (open: Open): Stream | undefined => open.owed.first as Stream | undefined

const hasAnswered = (stream: Http2.ServerHttp2Stream): boolean => stream.headersSent && stream.writableFinished

/**
 * Whether END_STREAM has been sent. A stream that answers with a file is finished before any of it has been, and one that
 * waits for trailers before they are there. Of one that has closed Node says nothing any more.
 */
const hasSentEnd = (stream: Http2.ServerHttp2Stream): boolean => stream.state.localClose !== 0

const key = Symbol("quiesce/stream")

const owedOf = (stream: Http2.ServerHttp2Stream): Stream | undefined => (stream as { readonly [key]?: Stream })[key]

/** A session has been made on a connection. */
export const converse = (open: Open, session: Http2.ServerHttp2Session): void => {
  const protocol = new Session(session)
  open.protocol = protocol
  session.on("goaway", (code) => {
    if (code !== NGHTTP2_NO_ERROR) protocol.givenUp()
  })
  // Go's rule A11: once the preface is there, Active and Idle back to back
  session.on("remoteSettings", ({ enablePush }) => {
    protocol.allowsPush = enablePush !== false
  })
  session.once("remoteSettings", () => {
    if (open.state !== "New") return
    open.registry.change(open, "Active")
    open.registry.change(open, "Idle")
    open.registry.consider(open)
  })
}

/** A stream has been opened: false if it is too late for it, and no handler may run. */
export const begin = (
  open: Open,
  stream: Http2.ServerHttp2Stream,
  headers: Http2.IncomingHttpHeaders,
  ofApp: boolean
): boolean => {
  const { protocol, registry } = open
  if (stream.destroyed) return false
  if (protocol instanceof Session && protocol.ignores(stream)) {
    stream.on("error", ignore)
    return false
  }
  if (registry.killing || !(protocol instanceof Session)) {
    refuse(stream)
    return false
  }
  owe(open, protocol, stream, new Stream(stream, headers, ofApp, registry.now()))
  if (protocol.allowsPush) stream.pushStream = pushStream
  protocol.begun(open)
  return true
}

const owe = (open: Open, protocol: Session, stream: Http2.ServerHttp2Stream, owed: Stream): void => {
  Object.defineProperty(stream, key, { value: owed })
  open.owed.add(owed)
  if (open.state !== "Active") open.registry.change(open, "Active")
  stream.once("close", () => {
    if (!protocol.isFlushing(open)) settle(open, owed)
  })
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
  const open = openOf(this.session?.socket)
  const { pushStream: push } = Object.getPrototypeOf(this) as Pick<Http2.ServerHttp2Stream, "pushStream">
  const promised: OnPush = (error, pushed, request) => {
    if (error === null && open?.protocol instanceof Session && !pushed.destroyed) {
      owe(
        open,
        open.protocol,
        pushed,
        new Stream(pushed, request as Http2.IncomingHttpHeaders, false, open.registry.now())
      )
    }
    then?.(error, pushed, request)
  }
  // Node says what is wrong with arguments that are none
  if (typeof then !== "function") return Reflect.apply(push, this, [headers, options, callback])
  Reflect.apply(push, this, typeof options === "function" ? [headers, promised] : [headers, options, promised])
}

/** The stream is answered with this response, of an Effect app. */
export const answerWith = (response: Http2.Http2ServerResponse): void => {
  const owed = owedOf(response.stream)
  if (owed !== undefined) owed.response = response
}

/** RFC 9113 §8.7: a refused stream has not been processed, and can be sent again. */
export const refuse = (stream: Http2.ServerHttp2Stream): void => reset(stream, NGHTTP2_REFUSED_STREAM)

const settle = (open: Open, owed: Stream): void => {
  if (!open.owed.delete(owed)) return
  if (open.protocol instanceof Session) open.protocol.forget(owed)
  const { own, response } = owed
  const { registry } = open
  owed.answered ||= !owed.told503 && hasAnswered(own) && own.rstCode === NGHTTP2_NO_ERROR &&
    // a client that leaves as soon as it has its answer has the socket destroyed before its stream closes
    (!open.socket.destroyed || open.socket.writableFinished)
  if (!registry.serve(open, owed)) {
    if (open.protocol instanceof Session && open.protocol.isDestroyedHere(open, owed)) noteCutElsewhere(open, owed)
    if (response !== undefined) {
      // before its stream had ended, Node has kept the callback there
      if (response.writableEnded) callEndCallbacks(own)
      completeEnd(response)
    }
  }
  if (registry.endingLongLived) {
    owed.endedEarly ||= response !== undefined && hasEndedByItself(response)
    registry.ended(open, owed)
  }
  if (open.owed.size > 0 || open.socket.destroyed) return
  registry.change(open, "Idle")
  if (open.protocol instanceof Session) open.protocol.settled(open)
  registry.consider(open)
}
