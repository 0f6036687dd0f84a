/**
 * What follows a request whose upgrade is not used. Node's parser stops behind such a request, also where the upgrade is
 * ignored, and the rest of what came in the same read is dropped: a client that pipelines waits for ever. So it is read
 * on from there.
 */
import type * as Http from "node:http"
import type * as Net from "node:net"
import {
  currentBufferOf,
  executedIndexOf,
  incomingOf,
  isReading,
  isUpgrade,
  type Parser,
  parserOf,
  readsByItself
} from "./internals.js"
import * as Patch from "./patch.js"

/** The requests with an unused upgrade that are being parsed. Node's parser stops once for each: where its message ends. */
const unused = new WeakMap<Parser, Http.IncomingMessage>()

/** Reads on behind `request`, whose head has just been parsed. */
export const continueAfter = (request: Http.IncomingMessage): void => {
  const { socket } = request
  const parser = parserOf(socket)
  if (parser === undefined) return
  unused.set(parser, request)
  const currentBuffer = currentBufferOf(parser)
  if (readsByItself(parser) !== true || currentBuffer === undefined) return
  const index = executedIndexOf(parser)
  const executed = index === undefined ? undefined : parser[index]
  if (index === undefined || typeof executed !== "function") return
  // what comes next must come to the parser behind the rest of this read, and over TLS it cannot be held back
  readWithoutParser(socket)
  const restore = Patch.parserExecuted(parser, index, (result) => {
    restore()
    const data = typeof result === "number" ? currentBuffer() : undefined
    const parsed = data === undefined ? result : parsedOf(parser, result, data)
    Reflect.apply(executed, undefined, [parsed])
    if (data === undefined || typeof parsed !== "number" || parsed >= data.length) return
    if (parserOf(socket) === parser && !socket.destroyed) socket.unshift(data.subarray(parsed))
  })
}

/** Node's parser reads no more by itself: it is given what the socket has read. */
export const readWithoutParser = (socket: Net.Socket): void => {
  const parser = parserOf(socket)
  if (parser === undefined) return
  // Node lets go of it for whoever listens for what is read
  socket.on("data", ignore).off("data", ignore)
  parseWhole(socket, parser)
  // a pause has stopped the handle for the parser. For the stream it still reads, and nothing would start it again
  if (isReading(socket) === false) Patch.startReading(socket)
}

const ignore = () => {}

/** Where Node gives the parser what a new connection has read, it would drop the rest as well. */
export const parseRest = (socket: Net.Socket): void => {
  const parser = parserOf(socket)
  if (parser !== undefined && readsByItself(parser) === false) parseWhole(socket, parser)
}

/** There may be such a request in anything that is parsed from now on. */
const parseWhole = (socket: Net.Socket, parser: Parser): void => {
  const { execute } = parser
  if (execute === undefined || Object.hasOwn(parser, "execute")) return
  const whole = (data: Uint8Array): unknown => {
    let parsed = 0
    for (;;) {
      const rest = data.subarray(parsed)
      const result = parsedOf(parser, Reflect.apply(execute, parser, [rest]), rest)
      if (typeof result !== "number") return result
      parsed += result
      if (isUpgrade(incomingOf(parser))) leave()
      if (parsed >= data.length || isUpgrade(incomingOf(parser))) return parsed
    }
  }
  // Node keeps parsers for other connections, and takes that of an upgraded one before it has closed
  const leave = () => {
    socket.off("close", leave)
    if (parser.execute === whole) unused.delete(parser)
    restore()
  }
  const restore = Patch.parserExecute(parser, whole)
  socket.once("close", leave)
}

/**
 * What the parser has said of `data`. From the head of a request that asks for an upgrade to the next head, it hides its
 * errors behind a number: that of the byte it stopped at, and then any number, also a negative one. It is an error if it
 * has not parsed everything, and no such request has just ended.
 */
const parsedOf = (parser: Parser, result: unknown, data: Uint8Array): unknown => {
  const isOver = unused.get(parser)?.complete === true
  if (isOver) unused.delete(parser)
  if (typeof result !== "number" || result === data.length || isOver || isUpgrade(incomingOf(parser))) return result
  return Object.assign(new Error("Parse Error"), { code: "HPE_INTERNAL", bytesParsed: 0 })
}
