/**
 * HTTP/2 frame by frame, for what no client library would do: RFC 9113, section 4, and as much of RFC 7541 as a request
 * takes. Nothing is sent that the caller did not ask for, but what an honest client answers by itself.
 */
import * as Net from "node:net"
import * as Tls from "node:tls"
import type { Ending, Target } from "./rawClient.js"
import { waitFor } from "./wait.js"

const types = [
  "DATA",
  "HEADERS",
  "PRIORITY",
  "RST_STREAM",
  "SETTINGS",
  "PUSH_PROMISE",
  "PING",
  "GOAWAY",
  "WINDOW_UPDATE",
  "CONTINUATION"
] as const

export type FrameType = typeof types[number]

export interface Frame {
  readonly type: FrameType
  readonly flags: number
  /** 0 is the connection itself. */
  readonly stream: number
  readonly payload: Buffer
}

export const flag = { ack: 0x1, endStream: 0x1, endHeaders: 0x4 } as const

/** RFC 9113, section 7: a code for RST_STREAM and GOAWAY. */
export const code = {
  noError: 0x0,
  protocolError: 0x1,
  internalError: 0x2,
  flowControlError: 0x3,
  streamClosed: 0x5,
  frameSizeError: 0x6,
  refusedStream: 0x7,
  cancel: 0x8,
  enhanceYourCalm: 0xb
} as const

/** RFC 9113, section 6.5.2: an identifier for SETTINGS. */
export const setting = {
  headerTableSize: 0x1,
  enablePush: 0x2,
  maxConcurrentStreams: 0x3,
  initialWindowSize: 0x4,
  maxFrameSize: 0x5
} as const

/** What a client says before its first frame. */
export const preface: Buffer = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")

export const frame = (
  type: FrameType,
  flags: number,
  stream: number,
  payload: Uint8Array = Buffer.alloc(0)
): Buffer => {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head[3] = types.indexOf(type)
  head[4] = flags
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}

const uint32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

export const settings = (values: Readonly<Record<number, number>> = {}): Buffer =>
  frame(
    "SETTINGS",
    0,
    0,
    Buffer.concat(Object.entries(values).flatMap(([id, value]) => [Buffer.from([0, Number(id)]), uint32(value)]))
  )

export const settingsAck = (): Buffer => frame("SETTINGS", flag.ack, 0)

/** `headers` come as they are given, those with a colon first. */
export const headers = (
  stream: number,
  fields: Readonly<Record<string, string>>,
  options: { readonly endStream?: boolean; readonly endHeaders?: boolean } = {}
): Buffer =>
  frame(
    "HEADERS",
    (options.endStream === false ? 0 : flag.endStream) | (options.endHeaders === false ? 0 : flag.endHeaders),
    stream,
    Buffer.concat(Object.entries(fields).flatMap(([name, value]) => literal(name, value)))
  )

/** The head of a request; with `endStream: false` a body is to follow. */
export const request = (
  stream: number,
  path = "/",
  options: { readonly method?: string; readonly endStream?: boolean; readonly headers?: Record<string, string> } = {}
): Buffer =>
  headers(stream, {
    ":method": options.method ?? "GET",
    ":scheme": "http",
    ":path": path,
    ":authority": "test",
    ...options.headers
  }, { endStream: options.endStream ?? true })

export const data = (stream: number, body: string | Uint8Array, endStream = true): Buffer =>
  frame("DATA", endStream ? flag.endStream : 0, stream, Buffer.from(body))

export const rstStream = (stream: number, errorCode: number = code.cancel): Buffer =>
  frame("RST_STREAM", 0, stream, uint32(errorCode))

export const ping = (text = "pingpong", ack = false): Buffer =>
  frame("PING", ack ? flag.ack : 0, 0, Buffer.from(text.padEnd(8).slice(0, 8)))

export const goaway = (lastStream = 0, errorCode: number = code.noError): Buffer =>
  frame("GOAWAY", 0, 0, Buffer.concat([uint32(lastStream), uint32(errorCode)]))

export const windowUpdate = (stream: number, increment: number): Buffer =>
  frame("WINDOW_UPDATE", 0, stream, uint32(increment))

/** A literal header field without indexing, with a new name: RFC 7541, section 6.2.2. */
const literal = (name: string, value: string): ReadonlyArray<Buffer> => [
  Buffer.from([0]),
  ...string(name),
  ...string(value)
]

const string = (text: string): ReadonlyArray<Buffer> => {
  const bytes = Buffer.from(text)
  const length: Array<number> = []
  if (bytes.length < 127) length.push(bytes.length)
  else {
    length.push(127)
    let rest = bytes.length - 127
    for (; rest >= 128; rest >>>= 7) length.push(rest % 128 + 128)
    length.push(rest)
  }
  return [Buffer.from(length), bytes]
}

/** The error code of a RST_STREAM or GOAWAY. */
export const codeOf = ({ payload, type }: Frame): number => payload.readUInt32BE(type === "GOAWAY" ? 4 : 0)

/** The last stream that a GOAWAY says was, or may have been, processed. */
export const lastStreamOf = ({ payload }: Frame): number => payload.readUInt32BE(0)

const indexedStatuses = [200, 204, 206, 304, 400, 404, 500]

/** The status of a response's HEADERS, which begins with it. Needs a `headerTableSize` of 0, as clients here say. */
export const statusOf = ({ payload }: Frame): number => {
  let at = 0
  // updates of the size of the table
  while (((payload[at] ?? 0) & 0xe0) === 0x20) at++
  const first = payload[at] ?? 0
  if ((first & 0x80) !== 0) return indexedStatuses[(first & 0x7f) - 8] ?? Number.NaN
  const length = payload[at + 1] ?? 0
  const bytes = payload.subarray(at + 2, at + 2 + (length & 0x7f))
  return Number((length & 0x80) === 0 ? bytes.toString() : digits(bytes))
}

/** Digits as Huffman codes: RFC 7541, appendix B. */
const digits = (bytes: Buffer): string => {
  const bits = Array.from(bytes, (byte) => byte.toString(2).padStart(8, "0")).join("")
  return Array.from(
    bits.matchAll(/000(00|01|10)|011(\d{3})/gy),
    ([, few, many]) => few === undefined ? Number.parseInt(many ?? "", 2) + 2 : Number.parseInt(few, 2)
  ).join("")
}

/** The whole frames that some bytes begin with, and how many bytes those take. */
export const parseFrames = (
  bytes: Buffer
): { readonly frames: ReadonlyArray<Frame>; readonly consumed: number } => {
  const frames: Array<Frame> = []
  let at = 0
  while (bytes.length >= at + 9) {
    const end = at + 9 + bytes.readUIntBE(at, 3)
    if (bytes.length < end) break
    const type = types[bytes[at + 3] ?? 0]
    if (type === undefined) throw new Error(`no frame: ${bytes.subarray(at, at + 9).toString("hex")}`)
    frames.push({
      type,
      flags: bytes[at + 4] ?? 0,
      stream: bytes.readUInt32BE(at + 5) & 0x7fffffff,
      payload: Buffer.from(bytes.subarray(at + 9, end))
    })
    at = end
  }
  return { frames, consumed: at }
}

export interface ConnectOptions {
  /** Over TLS, with `h2` negotiated. */
  readonly tls?: Tls.ConnectionOptions
  /** What the client's SETTINGS say; `false`: neither a preface nor SETTINGS are sent. */
  readonly settings?: Readonly<Record<number, number>> | false
  /** Do not acknowledge SETTINGS and PINGs. */
  readonly deaf?: boolean
  /** Keep our side open after the peer's FIN, as a careless client does. */
  readonly keepHalfOpen?: boolean
  /** Speak on this connection, which is established, instead of a new one. */
  readonly over?: Net.Socket
}

export interface FramesClient {
  readonly socket: Net.Socket
  /** All that have come, in their order. */
  readonly frames: ReadonlyArray<Frame>
  readonly ending: Ending
  /** Writes all in one piece. Resolves when the kernel has the bytes, or when it never will. */
  readonly write: (...pieces: ReadonlyArray<Uint8Array>) => Promise<void>
  /** The frames of that type that have come; on that stream, if one is given. */
  readonly of: (type: FrameType, stream?: number) => ReadonlyArray<Frame>
  readonly untilFrame: (type: FrameType, stream: number, limitMs: number) => Promise<Frame>
  /** Waits for the end of a response, and returns its status and body. Fails if the stream is reset. */
  readonly untilResponse: (stream: number, limitMs: number) => Promise<{
    readonly status: number
    readonly body: string
  }>
  /** Waits until the server has taken in all that was written so far: it answers a PING of ours. */
  readonly untilTaken: (limitMs: number) => Promise<void>
  readonly untilEnded: (limitMs: number) => Promise<Ending>
  readonly pause: () => void
  readonly resume: () => void
  readonly leave: () => void
}

/** Resolves when the connection, and with it TLS, is established or refused; look at `ending`. */
export const connect = async (target: Target, options: ConnectOptions = {}): Promise<FramesClient> => {
  const frames: Array<Frame> = []
  let rest: Buffer = Buffer.alloc(0)
  let ending: Ending = "open"
  let connected = false
  let pings = 0

  const raw = options.over ?? Net.connect({
    ...("path" in target ? target : { host: "127.0.0.1", ...target }),
    allowHalfOpen: options.keepHalfOpen === true
  })
  raw.setNoDelay(true)
  const socket = options.tls === undefined
    ? raw
    : Tls.connect({ ALPNProtocols: ["h2"], ...options.tls, socket: raw })
  const end = (how: Ending) => {
    if (ending === "open") ending = how
  }
  socket.on("data", (chunk: Buffer) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    const { consumed, frames: more } = parseFrames(rest)
    rest = rest.subarray(consumed)
    for (const each of more) {
      frames.push(each)
      if (options.deaf === true || (each.flags & flag.ack) !== 0) continue
      if (each.type === "SETTINGS") socket.write(settingsAck())
      if (each.type === "PING") socket.write(frame("PING", flag.ack, 0, each.payload))
    }
  })
  socket.on("end", () => end("fin"))
  raw.on("error", () => end(connected ? "reset" : "refused"))
  socket.on("error", () => end(connected ? "reset" : "refused"))
  socket.on("close", () => end("reset"))
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()))
  await Promise.race([
    closed,
    new Promise<void>((resolve) => {
      const established = () => {
        connected = true
        resolve()
      }
      if (options.tls === undefined && options.over !== undefined) established()
      else socket.once(options.tls === undefined ? "connect" : "secureConnect", established)
    })
  ])

  const write: FramesClient["write"] = (...pieces) =>
    Promise.race([closed, new Promise<void>((resolve) => socket.write(Buffer.concat(pieces), () => resolve()))])
  if (connected && options.settings !== false) {
    await write(preface, settings({ [setting.headerTableSize]: 0, ...options.settings }))
  }

  const of: FramesClient["of"] = (type, stream) =>
    frames.filter((each) => each.type === type && (stream === undefined || each.stream === stream))
  const describe = () =>
    `connection ${ending}, ${
      frames.slice(-20).map((each) =>
        `${each.type} ${each.stream}${each.type === "RST_STREAM" || each.type === "GOAWAY" ? ` (${codeOf(each)})` : ""}`
      ).join(", ")
    }`
  return {
    socket,
    frames,
    get ending() {
      return ending
    },
    write,
    of,
    untilFrame: (type, stream, limitMs) =>
      waitFor(() => `${type} on ${stream} (${describe()})`, () => of(type, stream)[0], limitMs),
    untilResponse: (stream, limitMs) =>
      waitFor(() => `the response on ${stream} (${describe()})`, () => {
        const [head] = of("HEADERS", stream)
        const ended = frames.some((each) =>
          each.stream === stream && (each.type === "HEADERS" || each.type === "DATA")
          && (each.flags & flag.endStream) !== 0
        )
        if (head !== undefined && ended) {
          const body = Buffer.concat(of("DATA", stream).map(({ payload }) => payload)).toString()
          return { status: statusOf(head), body }
        }
        const [reset] = of("RST_STREAM", stream)
        if (reset !== undefined) throw new Error(`stream ${stream} was reset with ${codeOf(reset)}: ${describe()}`)
        if (ending !== "open") throw new Error(`the connection ended before the response: ${describe()}`)
        return undefined
      }, limitMs),
    untilTaken: async (limitMs) => {
      const name = Buffer.from(`take${String(++pings).padStart(4, "0")}`)
      await write(frame("PING", 0, 0, name))
      await waitFor(
        () => `a PING to be answered (${describe()})`,
        () => of("PING").some(({ flags, payload }) => (flags & flag.ack) !== 0 && payload.equals(name)),
        limitMs
      )
    },
    untilEnded: (limitMs) =>
      waitFor(
        () => `the end of the connection (${describe()})`,
        () => ending === "open" ? undefined : ending,
        limitMs
      ),
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
    leave: () => {
      socket.destroy()
      raw.destroy()
    }
  }
}
