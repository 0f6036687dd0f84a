/**
 * Ends a response before its handler does. Its client gets all that has been written, and the end of a whole response;
 * its handler sees its client leave, as when a client disconnects, and what it writes after that is dropped.
 *
 * A handler (or a framework) stops when a response closes that it has not ended: so `close` comes without `finish`
 * before it, and `writableEnded` and `writableFinished` are false by then.
 */
import type * as Http from "node:http"
import type * as Http2 from "node:http2"
import { abortControllerOf, corksOf, responseOf, type Writer } from "./internals.js"
import * as Patch from "./patch.js"
import { nextTick, setImmediate } from "./timers.js"

type Args = ReadonlyArray<unknown>

/**
 * `write` and `end` are those of the handler, and go on to the response until it has ended: a compressor ends later
 * than it is told to, and writes what it has kept.
 */
const dropLateWrites = (writer: Writer, hasLeft: () => boolean): void => {
  const { end, write } = writer
  const drops = (args: Args): boolean => {
    if (!hasLeft() && !writer.writableEnded) return false
    const callback = args.find((arg) => typeof arg === "function")
    // a turn later: whoever writes on and on from its callbacks must not stop the event loop
    if (callback !== undefined) setImmediate(callback as () => void)
    return true
  }
  Patch.write(writer, (...args) => drops(args) ? false : Reflect.apply(write, writer, args))
  Patch.end(writer, (...args) => drops(args) ? writer : Reflect.apply(end, writer, args))
}

const ignore = () => {}

/**
 * Whether ending it ends what encodes it: a compressor that stands before the response has put its own `end` there. One
 * that is piped into it would be cut off, and what it has written is no whole encoding.
 */
export const endsWithEncoder = (response: object): boolean => Object.hasOwn(response, "end")

/** The same of HTTP/2, where it may stand before the stream. */
export const streamEndsWithEncoder = (stream: Http2.ServerHttp2Stream): boolean =>
  endsWithEncoder(responseOf(stream) ?? stream)

/**
 * Of HTTP/1.1. `lastLine` is written before its end, if it is not empty. `onFlushed` is called when all of it has gone to
 * the socket, and `onClose`, a listener for the `close` of the response, is called in Node's own time: when Node has let
 * go of it.
 */
export const endEarly = (
  response: Http.ServerResponse,
  lastLine: string,
  onFlushed: () => void,
  onClose: (this: Http.ServerResponse) => void
): void => {
  const { req: request } = response
  const { emit } = response
  let left = false
  const leave = () => {
    left = true
    Patch.looksUnfinished(response)
    Patch.looksClosed(response)
    response.off("close", onClose)
    if (!request.readableEnded || !request.complete) request.emit("aborted")
    abortControllerOf(request)?.abort()
    Reflect.apply(emit, response, ["close"])
  }
  response.on("error", ignore)
  Patch.responseEmit(response, (...args) => {
    const [event] = args
    // Node says it again
    if (event === "close" && left) return false
    if (event === "close") {
      left = true
      Patch.looksUnfinished(response)
    }
    if (event === "finish" && !left) {
      onFlushed()
      leave()
      nextTick(() => onClose.call(response))
    }
    return Reflect.apply(emit, response, args)
  })
  // Node 22 and 24 write what a response has been given while corked behind its end
  for (let corks = corksOf(response); corks > 0; corks--) response.uncork()
  writeLast(response, lastLine)
  response.end()
  dropLateWrites(response, () => left)
}

/** By the `write` that it has now: that of a compressor, where one stands before it. */
const writeLast = (writer: Writer, line: string): void => {
  if (line !== "") Reflect.apply(writer.write, writer, [line])
}

/** Of HTTP/2: what has been written to a stream, and by a response in the manner of HTTP/1.1 where there is one. */
export const endStreamEarly = (stream: Http2.ServerHttp2Stream, lastLine: string): void => {
  const response = responseOf(stream)
  let left = false
  stream.on("error", ignore)
  stream.prependOnceListener("close", () => {
    left = true
    if (response !== undefined) Patch.looksUnfinished(response)
    stream.emit("aborted")
  })
  if (response === undefined) {
    writeLast(stream, lastLine)
    stream.end()
  } else {
    writeLast(response, lastLine)
    response.end()
    dropLateWrites(response, () => left)
  }
  dropLateWrites(stream, () => left)
}
