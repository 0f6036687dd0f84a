/**
 * What follows a request whose upgrade is not used. Node's parser stops behind such a request, also where the upgrade is
 * ignored, and the rest of what came in the same read is dropped: a client that pipelines waits for ever. So it is read
 * on from there.
 */
import type * as Http from "node:http"
import type * as Net from "node:net"

/**
 * Node's parser of a connection that it reads without JavaScript (`_consumed`): it calls the bound `onParserExecute`,
 * under a number that differs between versions, with how much of a read it has parsed.
 */
interface Parser {
  readonly _consumed?: boolean
  readonly incoming?: Http.IncomingMessage | null
  readonly getCurrentBuffer?: () => Uint8Array
  execute?: (data: Uint8Array) => unknown
  [index: number]: unknown
}

interface Handle {
  reading?: boolean
  readonly readStart?: () => unknown
}

type Socket = Net.Socket & { readonly parser?: Parser | null; readonly _handle?: Handle | null }

/** How many numbers a parser has for its callbacks, at the most. */
const callbacks = 10

/** The requests with an unused upgrade that are being parsed. Node's parser stops once for each: where its message ends. */
const unused = new WeakMap<Parser, Http.IncomingMessage>()

/** Reads on behind `request`, whose head has just been parsed. Where Node keeps none of this, it is as Node has it. */
export const continueAfter = (request: Http.IncomingMessage): void => {
  const socket = request.socket as Socket
  const { parser } = socket
  if (parser === null || parser === undefined) return
  unused.set(parser, request)
  if (parser._consumed !== true || typeof parser.getCurrentBuffer !== "function") return
  const index = Array.from({ length: callbacks }, (_, index) => index).find((index) => {
    const callback = parser[index]
    return typeof callback === "function" && callback.name === "bound onParserExecute"
  })
  const executed = index === undefined ? undefined : parser[index]
  if (index === undefined || typeof executed !== "function") return
  // what comes next must come to the parser behind the rest of this read, and over TLS it cannot be held back
  readWithoutParser(socket)
  parser[index] = (result: unknown) => {
    parser[index] = executed
    const data = typeof result === "number" ? parser.getCurrentBuffer?.() : undefined
    const parsed = data === undefined ? result : parsedOf(parser, result, data)
    Reflect.apply(executed, undefined, [parsed])
    if (data === undefined || typeof parsed !== "number" || parsed >= data.length) return
    if (socket.parser === parser && !socket.destroyed) socket.unshift(data.subarray(parsed))
  }
}

/** Node's parser reads no more by itself: it is given what the socket has read. */
export const readWithoutParser = (socket: Net.Socket): void => {
  const { _handle: handle, parser } = socket as Socket
  if (parser === null || parser === undefined) return
  // Node lets go of it for whoever listens for what is read
  socket.on("data", ignore).off("data", ignore)
  parseWhole(socket, parser)
  // a pause has stopped the handle for the parser. For the stream it still reads, and nothing would start it again
  if (handle?.reading !== false || typeof handle.readStart !== "function") return
  handle.reading = true
  handle.readStart()
}

const ignore = () => {}

/** Where Node gives the parser what a new connection has read, it would drop the rest as well. */
export const parseRest = (socket: Net.Socket): void => {
  const { parser } = socket as Socket
  if (parser?._consumed === false) parseWhole(socket, parser)
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
      if (isUpgraded(parser)) restore()
      if (parsed >= data.length || isUpgraded(parser)) return parsed
    }
  }
  // Node keeps parsers for other connections, and takes that of an upgraded one before it has closed
  const restore = () => {
    socket.off("close", restore)
    if (parser.execute !== whole) return
    Reflect.deleteProperty(parser, "execute")
    unused.delete(parser)
  }
  Object.defineProperty(parser, "execute", { value: whole, configurable: true, writable: true })
  socket.once("close", restore)
}

const isUpgraded = ({ incoming }: Parser): boolean =>
  (incoming as { readonly upgrade?: unknown } | null | undefined)?.upgrade === true

/**
 * What the parser has said of `data`. From the head of a request that asks for an upgrade to the next head, it hides its
 * errors behind a number: that of the byte it stopped at, and then any number, also a negative one. It is an error if it
 * has not parsed everything, and no such request has just ended.
 */
const parsedOf = (parser: Parser, result: unknown, data: Uint8Array): unknown => {
  const isOver = unused.get(parser)?.complete === true
  if (isOver) unused.delete(parser)
  if (typeof result !== "number" || result === data.length || isOver || isUpgraded(parser)) return result
  return Object.assign(new Error("Parse Error"), { code: "HPE_INTERNAL", bytesParsed: 0 })
}
