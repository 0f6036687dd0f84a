/**
 * A client that speaks bytes: it writes what it is told, reads what comes as HTTP/1.1, and remembers how its connection
 * ended. Nothing that the server does makes it fail: it is a fact.
 */
import * as Net from "node:net"
import type { Duplex } from "node:stream"
import * as Tls from "node:tls"
import { setTimeout } from "../../node/timers.js"
import { isLoopback } from "../loopback.js"
import type { Target } from "../model.js"
import type { Transcript } from "../transcript.js"
import { Changes, now } from "../wait.js"
import { ResponseReader } from "./responses.js"

/** `open`: the server has not ended it. `refused`: it never was connected. */
export type Ending = "open" | "fin" | "reset" | "refused"

export interface ClientOptions {
  readonly name: string
  readonly transcript: Transcript
  readonly tls: boolean
  /** Read nothing until `resume`. */
  readonly paused?: boolean
  /** Leave our side open when the server closes its own, as a careless client does. */
  readonly keepHalfOpen?: boolean
  /** Called when the client sends, or reads at a speed of its own: it has to be on time then. */
  readonly onAct?: () => void
  /** A connection that is there already, in place of one to the target: TLS goes over it. */
  readonly over?: Duplex
}

const connectLimit = 10_000

export class Client {
  readonly reader = new ResponseReader()
  readonly changes = new Changes()
  readonly name: string
  readonly #socket: Net.Socket
  readonly #transcript: Transcript
  readonly #onAct: () => void
  ending: Ending = "open"
  endedAt: number | undefined
  lastByteAt: number | undefined
  connected = false
  received = 0
  /** Requests that were written whole. */
  requests = 0
  #left = false

  constructor(target: Target, options: ClientOptions) {
    this.name = options.name
    this.#transcript = options.transcript
    this.#onAct = options.onAct ?? (() => {})
    this.#socket = socketOf(target, options)
    this.#socket.setNoDelay(true)
    this.#listen(options.tls ? "secureConnect" : "connect")
    // a handshake of TLS has to be read
    if (options.paused === true && options.tls) this.#socket.once("secureConnect", () => this.#socket.pause())
    else if (options.paused === true) this.#socket.pause()
  }

  #listen(connected: string): void {
    const socket = this.#socket
    socket.once(connected, () => {
      this.connected = true
      this.#transcript.add(this.name, "opened")
      this.changes.changed()
    })
    socket.on("data", (chunk: Buffer) => {
      this.received += chunk.length
      this.lastByteAt = now()
      this.#transcript.add(this.name, "received", chunk)
      this.reader.push(chunk)
      this.changes.changed()
    })
    socket.on("end", () => this.#ended("fin", "closed"))
    socket.on("error", (error: NodeJS.ErrnoException) => {
      this.#ended(this.connected ? "reset" : refusalOf(error), "reset", error.code ?? error.message)
    })
    socket.on("close", () => this.#ended("reset", "reset"))
  }

  #ended(how: Ending, what: "closed" | "reset", detail?: string): void {
    if (this.ending !== "open" || this.#left) return
    this.ending = how
    this.endedAt = now()
    if (how === "fin") this.reader.end()
    this.#transcript.add(this.name, this.connected ? what : "failed", detail)
    this.changes.changed()
  }

  /** Whether it is connected. */
  async opened(limitMillis = connectLimit): Promise<boolean> {
    await this.changes.until(() => this.connected || this.ending !== "open", limitMillis)
    return this.connected
  }

  get isOpen(): boolean {
    return this.ending === "open" && !this.#left
  }

  write(text: string | Buffer): void {
    this.#onAct()
    if (!this.#socket.writable) {
      this.#transcript.add(this.name, "note", "cannot send: the connection is closed")
      return
    }
    const bytes = typeof text === "string" ? Buffer.from(text, "latin1") : text
    this.#transcript.add(this.name, "sent", bytes)
    this.#socket.write(bytes)
  }

  /** Whether so many whole answers came. It does not wait on when the connection has ended. */
  async answers(count: number, limitMillis: number): Promise<boolean> {
    const have = () => this.reader.complete >= count
    await this.changes.until(() => have() || !this.isOpen || this.reader.malformed !== undefined, limitMillis)
    return have()
  }

  /** Whether the server has ended it. */
  over(limitMillis: number): Promise<boolean> {
    return this.changes.until(() => this.ending !== "open", limitMillis)
  }

  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  /** Reads on, and no faster than that. */
  readAt(bytesPerSecond: number): void {
    const from = now()
    let read = 0
    this.#socket.on("data", (chunk: Buffer) => {
      read += chunk.length
      this.#onAct()
      const early = (read / bytesPerSecond) * 1000 - (now() - from)
      if (early < 2) return
      this.#socket.pause()
      setTimeout(() => this.#socket.resume(), early)
    })
    this.#socket.resume()
  }

  leave(): void {
    if (this.#left) return
    if (this.isOpen && this.connected) this.#transcript.add(this.name, "left")
    this.#left = true
    this.#socket.destroy()
    this.changes.changed()
  }
}

const refusals = new Set(["ECONNREFUSED", "ENOENT", "EAGAIN"])

const refusalOf = (error: NodeJS.ErrnoException): Ending => refusals.has(error.code ?? "") ? "refused" : "reset"

const socketOf = (target: Target, options: ClientOptions): Net.Socket => {
  if ("host" in target && !isLoopback(target.host)) throw new Error(`${target.host} is not on this machine`)
  if (!options.tls) return Net.connect({ ...target, allowHalfOpen: options.keepHalfOpen === true })
  const socket = options.over ?? Net.connect({ ...target, allowHalfOpen: options.keepHalfOpen === true })
  const secure = Tls.connect({
    socket,
    servername: "localhost",
    ALPNProtocols: ["http/1.1"],
    // a server under test has a certificate of its own making
    rejectUnauthorized: false
  })
  socket.once("error", (error: Error) => secure.destroy(error))
  return secure
}
