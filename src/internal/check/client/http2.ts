/**
 * A client that speaks HTTP/2, and what became of its streams.
 */
import * as Http2 from "node:http2"
import * as Net from "node:net"
import * as Tls from "node:tls"
import type { Target } from "../model.js"
import type { Transcript } from "../transcript.js"
import { Changes } from "../wait.js"
import type { Body } from "./requests.js"

export type StreamAnswer =
  | { readonly _tag: "Whole"; readonly status: number }
  /** It was not processed, and the client knows: it may be sent again. */
  | { readonly _tag: "Refused" }
  | { readonly _tag: "Lost"; readonly saw: string }

export interface Http2Options {
  readonly transcript: Transcript
  readonly tls: boolean
  readonly name: string
  /** As that of a client that speaks HTTP/1.1. */
  readonly onAct?: () => void
}

export class Http2Client {
  readonly changes = new Changes()
  readonly #session: Http2.ClientHttp2Session
  readonly #transcript: Transcript
  readonly #name: string
  readonly #onAct: () => void
  goAway: { readonly code: number; readonly lastStream: number } | undefined
  connected = false
  ended = false

  constructor(target: Target, { name, onAct, tls, transcript }: Http2Options) {
    this.#name = name
    this.#onAct = onAct ?? (() => {})
    this.#transcript = transcript
    this.#session = Http2.connect(`${tls ? "https" : "http"}://localhost`, {
      createConnection: () =>
        tls
          ? Tls.connect({ ...target, servername: "localhost", ALPNProtocols: ["h2"], rejectUnauthorized: false })
          : Net.connect(target)
    })
    // with the settings of the server it is known to speak HTTP/2
    this.#session.once("remoteSettings", () => this.#note("opened", () => this.connected = true))
    this.#session.on(
      "goaway",
      (code, lastStream) =>
        this.#note(
          "received",
          () => this.goAway ??= { code, lastStream },
          `GOAWAY code ${code}, last stream ${lastStream}`
        )
    )
    this.#session.on("error", (error) => this.#note("failed", () => this.ended = true, error.message))
    this.#session.on("close", () => this.#note("closed", () => this.ended = true))
  }

  #note(what: "opened" | "received" | "failed" | "closed" | "sent", change: () => void, text?: string): void {
    change()
    this.#transcript.add(this.#name, what, text)
    this.changes.changed()
  }

  async opened(limitMillis = 5000): Promise<boolean> {
    await this.changes.until(() => this.connected || this.ended, limitMillis)
    return this.connected
  }

  /** Whether another stream may be opened. */
  get isOpen(): boolean {
    return !this.ended && this.goAway === undefined && !this.#session.closed && !this.#session.destroyed
  }

  /** A stream; `body` is sent in two pieces, the second one by `finish`. */
  open(path: string, body?: Body): Http2Stream {
    this.#onAct()
    const method = body === undefined ? "GET" : "POST"
    const stream = this.#session.request(
      { ":method": method, ":path": path, ...(body === undefined ? {} : { "content-type": body.type }) },
      { endStream: body === undefined }
    )
    if (body !== undefined) stream.write(body.text.slice(0, 8))
    this.#note("sent", () => {}, `${method} ${path}`)
    return new Http2Stream(this, stream, body?.text.slice(8), (what) => this.#note("received", () => {}, what))
  }

  leave(): void {
    this.#session.destroy()
  }
}

export class Http2Stream {
  readonly #client: Http2Client
  readonly #stream: Http2.ClientHttp2Stream
  readonly #rest: string | undefined
  #status: number | undefined
  #isWhole = false
  #isOver = false

  constructor(
    client: Http2Client,
    stream: Http2.ClientHttp2Stream,
    rest: string | undefined,
    note: (what: string) => void
  ) {
    this.#client = client
    this.#stream = stream
    this.#rest = rest
    stream.on("response", (headers) => {
      this.#status = headers[":status"]
      note(`stream ${stream.id}: status ${this.#status}`)
    })
    stream.on("end", () => {
      this.#isWhole = this.#status !== undefined && stream.rstCode === 0
    })
    stream.on("error", () => {})
    stream.once("close", () => {
      this.#isOver = true
      note(`stream ${stream.id}: closed, code ${stream.rstCode}`)
    })
    stream.resume()
  }

  finish(): void {
    if (this.#stream.writable) this.#stream.end(this.#rest)
  }

  async answer(limitMillis: number): Promise<StreamAnswer> {
    await this.#client.changes.until(() => this.#isOver, limitMillis)
    const { id = 0, rstCode } = this.#stream
    if (this.#status !== undefined && this.#isWhole && rstCode === 0) return { _tag: "Whole", status: this.#status }
    const { goAway } = this.#client
    const isRefused = rstCode === Http2.constants.NGHTTP2_REFUSED_STREAM
    if (isRefused || id === 0 || (goAway !== undefined && id > goAway.lastStream)) return { _tag: "Refused" }
    const how = this.#isOver ? `stream closed with code ${rstCode}` : "stream stayed open"
    return { _tag: "Lost", saw: this.#status === undefined ? `no answer: ${how}` : `${this.#status}, cut: ${how}` }
  }
}
