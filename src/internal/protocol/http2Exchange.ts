/**
 * A stream of HTTP/2 that a handler answers: whether its whole response has left, and how it ends before its handler ends
 * it.
 */
import * as Http2 from "node:http2"
import { Exchange } from "../core/exchange.js"
import { endStreamEarly, streamEndsWithEncoder } from "../node/earlyEnd.js"
import * as Patch from "../node/patch.js"
import { setImmediate } from "../node/timers.js"
import { endsByItself, isEventStreamWith, wantsEventStream } from "./eventStream.js"

const { NGHTTP2_INTERNAL_ERROR } = Http2.constants

/** A stream that a handler answers. */
export class Http2Exchange extends Exchange {
  /** What `@effect/platform-node` answers with, once it has been made. */
  response: Http2.Http2ServerResponse | undefined = undefined
  /** Its whole response has left, and it is read from until then, if its client does not end its request before. */
  lingersUntil = Number.POSITIVE_INFINITY
  /** Its session was destroyed while it was in flight. */
  cutWithSession = false
  readonly own: Http2.ServerHttp2Stream
  readonly accept: string | undefined

  constructor(
    stream: Http2.ServerHttp2Stream,
    headers: Http2.IncomingHttpHeaders,
    fromEffectApp: boolean,
    since: number
  ) {
    super(headers[":method"] ?? "", headers[":path"] ?? headers[":authority"] ?? "", fromEffectApp, since)
    this.own = stream
    this.accept = headers.accept
  }

  get stream(): number | undefined {
    return this.own.id
  }

  get status(): number | undefined {
    return this.own.headersSent ? Number(this.own.sentHeaders[":status"]) : undefined
  }

  endEventStream(lastLine: string): boolean {
    const { own, response } = this
    if (this.endedEarly || own.destroyed || own.closed || own.writableEnded) return false
    if (!wantsEventStream(this.method, this.accept)) return false
    if (!own.headersSent) {
      this.#endWhenBegun(lastLine)
      return false
    }
    if (!isEventStreamWith(own.sentHeaders)) return false
    const encoding = own.sentHeaders["content-encoding"]
    if (encoding !== undefined && encoding !== "identity" && !streamEndsWithEncoder(own)) return false
    if (response !== undefined && endsByItself(response)) return false
    this.endedEarly = true
    endStreamEarly(own, lastLine)
    return true
  }

  /** What comes with its head goes out first. */
  #endWhenBegun(lastLine: string): void {
    const { own } = this
    const { respond } = own
    const restore = Patch.streamRespond(own, (...args) => {
      restore()
      Reflect.apply(respond, own, args)
      setImmediate(() => this.endEventStream(lastLine))
    })
  }

  abortOnEnd(onCut: () => void): void {
    const { own, response } = this
    if (response === undefined || !own.headersSent || own.writableEnded) return
    const { destroy } = response
    const cut = () => {
      onCut()
      reset(own, NGHTTP2_INTERNAL_ERROR)
      return response
    }
    // Effect 3 ends a stream that is interrupted as if it were whole; Effect 4, and some handlers, destroy its response
    Patch.end(response, cut)
    Patch.responseDestroy(response, (error) => own.destroyed || own.closed ? destroy.call(response, error) : cut())
  }
}

/** An error code would be an `error` event, which ends the process where nobody listens. */
export const reset = (stream: Http2.ServerHttp2Stream, code: number): void => {
  stream.on("error", ignore)
  stream.close(code)
}

const ignore = () => {}

export const hasAnswered = (stream: Http2.ServerHttp2Stream): boolean => stream.headersSent && stream.writableFinished

/**
 * Whether END_STREAM has been sent. A stream that answers with a file is finished before any of it has been, and one that
 * waits for trailers before they are there. Of one that has closed Node says nothing any more.
 */
export const hasSentEnd = (stream: Http2.ServerHttp2Stream): boolean => stream.state.localClose !== 0

const key = Symbol("quiesce/stream")

export const markStream = (stream: Http2.ServerHttp2Stream, exchange: Http2Exchange): void => {
  Object.defineProperty(stream, key, { value: exchange })
}

export const exchangeOf = (stream: Http2.ServerHttp2Stream): Http2Exchange | undefined =>
  (stream as { readonly [key]?: Http2Exchange })[key]

/** The stream is answered with this response, of an Effect app. */
export const answerWith = (response: Http2.Http2ServerResponse): void => {
  const exchange = exchangeOf(response.stream)
  if (exchange !== undefined) exchange.response = response
}
