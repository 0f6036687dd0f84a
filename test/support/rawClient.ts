/**
 * A client that speaks bytes: it writes what it is told, keeps everything it received, and remembers how its
 * connection ended. Nothing it does rejects because of the peer; what the peer did is data.
 */
import * as Net from "node:net"
import { type HttpResponse, type Parsed, parseResponses } from "./httpResponses.js"
import { now, waitFor } from "./wait.js"

export type Target = { readonly host?: string; readonly port: number } | { readonly path: string }

/** `open`: the peer has not ended it. `fin` and `reset` are what came first. `refused`: it never was connected. */
export type Ending = "open" | "fin" | "reset" | "refused"

export interface Options {
  /** Do not read until `resume` or `readAt`. */
  readonly paused?: boolean
  /** Read no faster than this. */
  readonly bytesPerSecond?: number
  /** Keep our side open after the peer's FIN, as a careless client does. */
  readonly keepHalfOpen?: boolean
}

export interface RawClient {
  readonly socket: Net.Socket
  readonly ending: Ending
  /** Epoch milliseconds, as `now()` gives them. */
  readonly connectedAt: number | undefined
  readonly firstByteAt: number | undefined
  readonly lastByteAt: number | undefined
  readonly endedAt: number | undefined
  /** Error codes in the order they came, also those after the ending. */
  readonly errors: ReadonlyArray<string>
  readonly bytes: number
  readonly received: () => Buffer
  readonly text: () => string
  /** Resolves when the kernel has the bytes, or when it never will. */
  readonly write: (piece: string | Uint8Array) => Promise<void>
  readonly halfClose: () => void
  /** Close our side in good order. */
  readonly leave: () => void
  /** Reset the connection. */
  readonly abort: () => void
  readonly pause: () => void
  readonly resume: () => void
  readonly readAt: (bytesPerSecond: number) => void
  readonly parsed: (methods?: ReadonlyArray<string>) => Parsed
  readonly untilText: (pattern: string | RegExp, limitMs: number) => Promise<string>
  /** Waits until that many whole final responses came. Fails at once if the connection ends with fewer. */
  readonly untilResponses: (count: number, limitMs: number, methods?: ReadonlyArray<string>) => Promise<Parsed>
  readonly untilEnded: (limitMs: number) => Promise<Ending>
}

/** Resolves when the connection is established or refused; look at `ending`. */
export const connect = async (target: Target, options: Options = {}): Promise<RawClient> => {
  const bytes = makeBytes()
  const errors: Array<string> = []
  let ending: Ending = "open"
  let left = false
  let connectedAt: number | undefined
  let firstByteAt: number | undefined
  let lastByteAt: number | undefined
  let endedAt: number | undefined
  let rate = options.bytesPerSecond
  let rateSince = 0
  let rateBytes = 0
  let slowly: NodeJS.Timeout | undefined

  const socket = Net.connect({
    ...("path" in target ? target : { host: "127.0.0.1", ...target }),
    allowHalfOpen: options.keepHalfOpen === true
  })
  socket.setNoDelay(true)

  const end = (how: Ending) => {
    if (ending !== "open") return
    ending = how
    endedAt = now()
  }
  const take = (chunk: Buffer) => {
    lastByteAt = now()
    firstByteAt ??= lastByteAt
    bytes.push(chunk)
    if (rate === undefined) return
    if (rateSince === 0) rateSince = lastByteAt
    rateBytes += chunk.length
    const early = rateSince + (rateBytes / rate) * 1000 - lastByteAt
    if (early < 1) return
    socket.pause()
    slowly = setTimeout(() => socket.resume(), early)
  }
  socket.on("data", take)
  if (options.paused === true) socket.pause()
  socket.on("end", () => end("fin"))
  socket.on("error", (error: NodeJS.ErrnoException) => {
    errors.push(error.code ?? error.message)
    end(connectedAt === undefined ? "refused" : "reset")
  })
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()))

  await new Promise<void>((resolve) => {
    socket.once("connect", () => {
      connectedAt = now()
      resolve()
    })
    socket.once("close", () => resolve())
  })

  const describe = () =>
    `${bytes.length} bytes so far, connection ${ending}${errors.map((code) => ` ${code}`).join("")}`
  // A wait that was given up with its client must not go on polling.
  const here = () => {
    if (left) throw new Error(`we left: ${describe()}`)
  }
  const parsed = (methods: ReadonlyArray<string> = []) =>
    parseResponses(bytes.view(), { ended: ending === "fin", methods })

  return {
    socket,
    errors,
    get ending() {
      return ending
    },
    get connectedAt() {
      return connectedAt
    },
    get firstByteAt() {
      return firstByteAt
    },
    get lastByteAt() {
      return lastByteAt
    },
    get endedAt() {
      return endedAt
    },
    get bytes() {
      return bytes.length
    },
    received: bytes.view,
    text: () => bytes.view().toString("latin1"),
    write: (piece) => Promise.race([closed, new Promise<void>((resolve) => socket.write(piece, () => resolve()))]),
    halfClose: () => void socket.end(),
    leave: () => {
      left = true
      clearTimeout(slowly)
      socket.destroy()
    },
    abort: () => {
      left = true
      clearTimeout(slowly)
      socket.resetAndDestroy()
    },
    pause: () => {
      clearTimeout(slowly)
      socket.pause()
    },
    resume: () => {
      rate = undefined
      clearTimeout(slowly)
      socket.resume()
    },
    readAt: (bytesPerSecond) => {
      rate = bytesPerSecond
      rateSince = 0
      rateBytes = 0
      clearTimeout(slowly)
      socket.resume()
    },
    parsed,
    untilText: (pattern, limitMs) =>
      waitFor(() => `text matching ${String(pattern)} (${describe()})`, () => {
        here()
        const text = bytes.view().toString("latin1")
        return (typeof pattern === "string" ? text.includes(pattern) : pattern.test(text)) ? text : undefined
      }, limitMs),
    untilResponses: (count, limitMs, methods) => {
      let parseAgainAt = 0
      return waitFor(() => `${count} whole responses (${describe()})`, () => {
        const startedAt = now()
        if (ending === "open" && startedAt < parseAgainAt) return undefined
        const result = parsed(methods)
        // Megabytes in chunks take a while to walk: leave the time to receive them.
        parseAgainAt = now() + 5 * (now() - startedAt)
        if (result.responses.filter((response) => response.complete).length >= count) return result
        if (ending === "open") {
          here()
          return undefined
        }
        throw new Error(`the connection ended before ${count} whole responses: ${describe()}`)
      }, limitMs)
    },
    untilEnded: (limitMs) =>
      waitFor(() => `the end of the connection (${describe()})`, () => {
        if (ending !== "open") return ending
        here()
        return undefined
      }, limitMs)
  }
}

/** The `nth` response (from 1) that a client gets. */
export const responseOf = async (client: RawClient, nth = 1, limitMs = 15_000): Promise<HttpResponse> => {
  const { responses } = await client.untilResponses(nth, limitMs)
  const response = responses[nth - 1]
  if (response === undefined) throw new Error(`no response ${nth}`)
  return response
}

/** Runs `use` with a client that is gone afterwards, whatever happened. */
export const withClient = async <A>(
  target: Target,
  use: (client: RawClient) => Promise<A>,
  options?: Options
): Promise<A> => {
  const client = await connect(target, options)
  try {
    return await use(client)
  } finally {
    client.leave()
  }
}

/** A buffer that grows by doubling: 50 MB in small pieces must not be copied for each of them. */
const makeBytes = () => {
  let buffer = Buffer.allocUnsafe(16 * 1024)
  let length = 0
  return {
    get length() {
      return length
    },
    view: () => buffer.subarray(0, length),
    push: (chunk: Buffer) => {
      if (length + chunk.length > buffer.length) {
        const larger = Buffer.allocUnsafe(Math.max(buffer.length * 2, length + chunk.length))
        buffer.copy(larger, 0, 0, length)
        buffer = larger
      }
      chunk.copy(buffer, length)
      length += chunk.length
    }
  }
}
