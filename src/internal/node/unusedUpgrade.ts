/**
 * What follows a request whose upgrade is not used. Node's parser stops behind such a request, also where the upgrade is
 * ignored, and the rest of what came in the same read is dropped: a client that pipelines waits for ever. So it is read
 * on from there.
 */
import type * as Http from "node:http"
import type * as Net from "node:net"
import { isPausedByNode } from "./paused.js"
import { setImmediate } from "./timers.js"

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

type Socket = Net.Socket & { readonly parser?: Parser | null }

/** How many numbers a parser has for its callbacks, at the most. */
const callbacks = 10

/** Reads on behind `request`, whose head has just been parsed. Where Node keeps none of this, it is as Node has it. */
export const continueAfter = (request: Http.IncomingMessage): void => {
  const socket = request.socket as Socket
  const { parser } = socket
  if (parser?._consumed !== true || typeof parser.getCurrentBuffer !== "function") return
  const index = Array.from({ length: callbacks }, (_, index) => index).find((index) => {
    const callback = parser[index]
    return typeof callback === "function" && callback.name === "bound onParserExecute"
  })
  const executed = index === undefined ? undefined : parser[index]
  if (index === undefined || typeof executed !== "function") return
  const seeing = (parsed: unknown) => {
    const data = typeof parsed === "number" ? parser.getCurrentBuffer?.() : undefined
    const isOver = data !== undefined && typeof parsed === "number" && parsed < data.length
    if ((request.complete || isOver) && parser[index] === seeing) parser[index] = executed
    Reflect.apply(executed, undefined, [parsed])
    if (isOver && parsed >= 0 && socket.parser === parser && !socket.destroyed) {
      parseLater(socket, parser, data.subarray(parsed))
    }
  }
  parser[index] = seeing
}

/**
 * The parser is still in use in this turn. What comes meanwhile must not be parsed before the rest: over TLS more may have
 * been decrypted already, and is not stopped. So the socket reads into its own buffer from now on.
 */
const parseLater = (socket: Socket, parser: Parser, rest: Uint8Array): void => {
  // before the pause, for which Node would stop the handle, and not start it again
  readWithoutParser(socket)
  socket.pause()
  socket.unshift(rest)
  setImmediate(() => {
    // Node ends its own pause by itself
    if (!socket.destroyed && socket.parser === parser && !isPausedByNode(socket)) socket.resume()
  })
}

/** Node's parser reads no more by itself: it is given what the socket has read. */
export const readWithoutParser = (socket: Net.Socket): void => {
  const { parser } = socket as Socket
  if (parser === null || parser === undefined) return
  // Node lets go of it for whoever listens for what is read
  socket.on("data", ignore).off("data", ignore)
  parseWhole(socket, parser)
}

const ignore = () => {}

/** There may be such a request in anything that is parsed from now on. */
const parseWhole = (socket: Net.Socket, parser: Parser): void => {
  const { execute } = parser
  if (execute === undefined || Object.hasOwn(parser, "execute")) return
  const whole = (data: Uint8Array): unknown => {
    let parsed = 0
    for (;;) {
      const result: unknown = Reflect.apply(execute, parser, [data.subarray(parsed)])
      if (typeof result !== "number") return result
      // it has lost its place, and would be asked for ever
      if (result < 0) return Object.assign(new Error("Parse Error"), { code: "HPE_INTERNAL", bytesParsed: 0 })
      parsed += result
      const { upgrade } = (parser.incoming ?? {}) as { readonly upgrade?: unknown }
      if (result === 0 || parsed >= data.length || upgrade === true) return parsed
    }
  }
  Object.defineProperty(parser, "execute", { value: whole, configurable: true, writable: true })
  // Node keeps parsers for other connections
  socket.once("close", () => {
    if (parser.execute === whole) Reflect.deleteProperty(parser, "execute")
  })
}
