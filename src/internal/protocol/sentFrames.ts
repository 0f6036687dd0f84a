/**
 * What goes out over a WebSocket that no library which we know has made, such as one that is piped to another server. Its
 * peer is asked to leave by a close frame of ours, between two of its messages and never within one. After that, nothing
 * else may be sent (RFC 6455 §5.5.1), and what the handler writes is dropped.
 */
import type * as Net from "node:net"
import { webSocketOf } from "../node/internals.js"
import * as Patch from "../node/patch.js"
import { setImmediate } from "../node/timers.js"
import { closeFrame, FrameReader } from "./webSocketFrames.js"

/** A head that is longer than that is none. */
const headBytes = 65_536

/** The answer that makes it a WebSocket (RFC 6455 §4.2.2), and not another protocol that its client has offered. */
const accepted = /^HTTP\/1\.1 101 [^]*\r\nupgrade:[ \t]*websocket[ \t]*\r\n/i

type Args = ReadonlyArray<unknown>

/**
 * - `head`: the answer to the upgrade goes out.
 * - `frames`: it was accepted.
 * - `closed`: our close frame has been sent.
 * - `unknown`: it was declined, or is none, or `ws` has taken it over: nothing is looked at any more.
 */
type State = "head" | "frames" | "closed" | "unknown"

export class SentFrames {
  readonly #socket: Net.Socket
  readonly #send: (args: Args) => boolean
  readonly #restores: ReadonlyArray<Patch.Restore>
  readonly #reader = new FrameReader()
  #state: State = "head"
  #head = ""
  /** It is to be closed as soon as a message ends. */
  #farewell: Buffer | undefined = undefined

  constructor(socket: Net.Socket) {
    const { end, write } = socket
    this.#socket = socket
    this.#send = (args) => Reflect.apply(write, socket, args) as boolean
    this.#restores = [
      Patch.socketWrite(socket, (...args) => this.#write(args)),
      Patch.socketEnd(socket, (...args) => Reflect.apply(end, socket, this.#writeLast(args)))
    ]
  }

  /** Closes it, now or when the message that is being sent has ended; false where it is not known to be a WebSocket. */
  close(code: number, reason: string): boolean {
    if (this.#state === "closed" || this.#reader.hasClosed) return true
    if (this.#state !== "frames" || !this.#socket.writable) return false
    this.#farewell = closeFrame(code, reason)
    if (this.#reader.isBetween) this.#sayFarewell(this.#farewell)
    return true
  }

  #sayFarewell(frame: Buffer): void {
    this.#state = "closed"
    this.#send([frame])
  }

  #write(args: Args): boolean {
    if (this.#state === "closed") return drop(args)
    const bytes = bytesOf(args)
    // `ws` has made itself known once it has answered
    if (bytes === undefined || (this.#state === "frames" && webSocketOf(this.#socket) !== undefined)) this.#release()
    const end = bytes === undefined ? undefined : this.#read(bytes)
    if (bytes === undefined || end === undefined || this.#farewell === undefined) return this.#send(args)
    const callback = args.find((arg) => typeof arg === "function")
    const goesOn = this.#send(callback === undefined ? [bytes.subarray(0, end)] : [bytes.subarray(0, end), callback])
    this.#sayFarewell(this.#farewell)
    return goesOn
  }

  /** Writes what it is ended with; returns what is left to end it with. */
  #writeLast(args: Args): Args {
    if (bytesOf(args) === undefined) return args
    this.#write(args.filter((arg) => typeof arg !== "function"))
    return args.filter((arg) => typeof arg === "function")
  }

  /** Where in the piece the close frame is to go, if it is to: behind its last whole message. */
  #read(bytes: Uint8Array): number | undefined {
    let at = this.#state === "head" ? this.#readHead(bytes) : 0
    let end: number | undefined
    while (this.#state === "frames" && at < bytes.length) {
      at = this.#reader.readFrame(bytes, at)
      if (this.#reader.isWrong) this.#release()
      else if (this.#reader.isBetween) end = at
    }
    // these are no frames, or its own close frame comes behind them
    return this.#state !== "frames" || this.#reader.hasClosed ? undefined : end
  }

  /** Reads on in the answer to the upgrade; returns where in the piece it ends. */
  #readHead(bytes: Uint8Array): number {
    const before = this.#head.length
    this.#head += Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1")
    const end = this.#head.indexOf("\r\n\r\n")
    if (end === -1) {
      if (this.#head.length > headBytes) this.#release()
      return bytes.length
    }
    if (accepted.test(this.#head)) this.#state = "frames"
    else this.#release()
    this.#head = ""
    return end + 4 - before
  }

  #release(): void {
    this.#state = "unknown"
    this.#head = ""
    for (const restore of this.#restores) restore()
  }
}

const bytesOf = ([chunk, encoding]: Args): Uint8Array | undefined =>
  typeof chunk === "string"
    ? Buffer.from(chunk, typeof encoding === "string" ? encoding as BufferEncoding : undefined)
    : chunk instanceof Uint8Array
    ? chunk
    : undefined

/** Whoever pipes goes on, and is not kept waiting. */
const drop = (args: Args): boolean => {
  const callback = args.find((arg) => typeof arg === "function")
  if (callback !== undefined) setImmediate(callback as () => void)
  return true
}
