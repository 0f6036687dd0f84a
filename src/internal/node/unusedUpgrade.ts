/**
 * What follows a request whose upgrade is not used. Node's parser stops behind such a request, also where the upgrade is
 * ignored, and the rest of what came in the same read is dropped: a client that pipelines waits for ever. So it is read
 * on from there.
 */
import type * as Http from "node:http"
import type * as Net from "node:net"
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

interface Handle {
  reading?: boolean
  readonly readStart?: () => unknown
  readonly readStop?: () => unknown
}

type Socket = Net.Socket & {
  readonly parser?: Parser | null
  readonly _handle?: Handle | null
  readonly _paused?: boolean
}

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
    Reflect.apply(executed, undefined, [parsed])
    if (socket.parser !== parser) return
    if (request.complete && parser[index] === seeing) parser[index] = executed
    if (data !== undefined && typeof parsed === "number" && parsed < data.length) {
      readOn(socket, parser, data.subarray(parsed))
    }
  }
  parser[index] = seeing
}

/** Not in this turn: the parser is still in use. Until then nothing else may come between. */
const readOn = (socket: Socket, parser: Parser, rest: Uint8Array): void => {
  const { _handle: handle } = socket
  if (handle === null || handle === undefined) return
  handle.reading = false
  handle.readStop?.()
  setImmediate(() => {
    if (socket.destroyed || socket.parser !== parser) return
    withLoop(parser, () => socket.unshift(rest))
    // while the client takes no more answers, Node reads no more requests, and begins again by itself
    if (socket.destroyed || socket._paused === true || handle.reading === true) return
    handle.reading = true
    handle.readStart?.()
  })
}

/** There may be another such request in the rest. */
const withLoop = (parser: Parser, feed: () => void): void => {
  const { execute } = parser
  if (execute === undefined) return feed()
  const whole = (data: Uint8Array): unknown => {
    let parsed = 0
    for (;;) {
      const result: unknown = Reflect.apply(execute, parser, [data.subarray(parsed)])
      if (typeof result !== "number") return result
      parsed += result
      const { upgrade } = (parser.incoming ?? {}) as { readonly upgrade?: unknown }
      if (result === 0 || parsed >= data.length || upgrade === true) return parsed
    }
  }
  Object.defineProperty(parser, "execute", { value: whole, configurable: true, writable: true })
  try {
    feed()
  } finally {
    Reflect.deleteProperty(parser, "execute")
  }
}
