/** A client of HTTP/1.1 that sends any part of anything, and keeps every byte that it got. */
import * as Net from "node:net"
import { type HttpResponse, parseResponses, promisedKeepAlive, saysClose } from "../support/httpResponses.js"
import type { Answer, ClientFact, Moment, RequestFact } from "./facts.js"
import * as WebSocket from "./webSocket.js"

export type Target = { readonly port: number; readonly host: string } | { readonly path: string }

/** What a client needs to know of the world. */
export interface Around {
  readonly moment: () => Moment
  /** Something has moved. */
  readonly stir: () => void
}

/** What both kinds of clients can do. */
export interface Client {
  readonly fact: ClientFact
  readonly socket: Net.Socket
  /** Takes in what has come since it was last called. */
  readonly look: () => void
  readonly stopReading: () => void
  /** Reads what has come by now, and no more. */
  readonly readSome: () => void
  readonly readOn: () => void
}

/** The part of a client that any protocol has. */
export const connect = (
  target: Target,
  halfOpen: boolean,
  fact: ClientFact,
  { moment, stir }: Around,
  onData: (chunk: Buffer) => void
): Net.Socket => {
  const socket = Net.connect({ ...target, allowHalfOpen: halfOpen })
  const end = (how: ClientFact["ending"]) => {
    stir()
    if (fact.ending !== "open") return
    fact.ending = how
    fact.ended = moment()
  }
  socket.setNoDelay(true)
  socket.on("connect", () => {
    stir()
    fact.connected = moment()
  })
  socket.on("data", (chunk: Buffer) => {
    stir()
    onData(chunk)
  })
  socket.on("end", () => end("fin"))
  socket.on("error", () => end(fact.connected === undefined ? "refused" : "reset"))
  socket.on("close", () => end("reset"))
  return socket
}

/** A request that has been begun, and what of it has not been sent yet. */
interface Pending {
  readonly fact: RequestFact
  rest: Buffer
}

export class Http1Client implements Client {
  readonly fact: ClientFact
  readonly socket: Net.Socket
  readonly #around: Around
  #chunks: Array<Buffer> = []
  #rest: Buffer = Buffer.alloc(0)
  #answered = 0
  pending: Pending | undefined

  constructor(target: Target, halfOpen: boolean, fact: ClientFact, around: Around) {
    this.fact = fact
    this.#around = around
    this.socket = connect(target, halfOpen, fact, around, (chunk) => this.#chunks.push(chunk))
  }

  /** Sends the first `part` bytes of a request, or of several: then all of them. */
  begin(fact: RequestFact, bytes: Buffer, part: number): void {
    this.fact.requests.push(fact)
    this.pending = { fact, rest: bytes }
    this.more(part)
  }

  more(part: number): void {
    const { pending } = this
    if (pending === undefined) return
    const piece = pending.rest.subarray(0, Math.max(1, part))
    pending.rest = pending.rest.subarray(piece.length)
    this.socket.write(piece)
    if (pending.rest.length > 0) return
    pending.fact.whole = this.#around.moment()
    this.pending = undefined
  }

  message(text: string): void {
    this.fact.messages.push({ text, sent: this.#around.moment() })
    this.socket.write(this.#isWebSocket ? WebSocket.text(text) : `<${text}>`)
  }

  get #isWebSocket(): boolean {
    return this.fact.requests.at(-1)?.kind === "websocket"
  }

  look(): void {
    if (this.#chunks.length === 0 && this.fact.ending !== "fin") return
    this.#rest = this.#chunks.length === 1 && this.#rest.length === 0
      ? this.#chunks[0] ?? this.#rest
      : Buffer.concat([this.#rest, ...this.#chunks])
    this.#chunks = []
    const { fact } = this
    if (fact.upgraded === undefined) this.#answers()
    if (fact.upgraded !== undefined) this.#messages()
  }

  #answers(): void {
    const { fact } = this
    const due = fact.requests.slice(this.#answered)
    try {
      const { consumed, informational, responses } = parseResponses(this.#rest, {
        ended: fact.ending === "fin",
        methods: due.map(({ method }) => method)
      })
      if (informational.length > 0) fact.garbage ??= "an informational response"
      for (const [n, response] of responses.entries()) {
        const request = due[n]
        if (request === undefined) {
          // Node's, to the rest of a request that will not come: its answer has come before
          const isLeft = fact.left !== undefined && fact.requests.at(-1)?.whole === undefined
          if (response.status === 400 && isLeft) break
          fact.garbage ??= `an answer to no request: ${response.status}`
          break
        }
        request.answer = answerOf(response)
        if (!response.complete) break
        request.seen = this.#around.moment()
        this.#answered++
        if (response.status === 101) fact.upgraded = request.seen
      }
      this.#rest = this.#rest.subarray(consumed)
    } catch (error) {
      fact.garbage ??= String(error)
    }
  }

  #messages(): void {
    const { fact } = this
    if (!this.#isWebSocket) {
      const text = this.#rest.toString("latin1")
      const whole = text.lastIndexOf(">") + 1
      fact.echoes.push(...Array.from(text.slice(0, whole).matchAll(/<([^>]*)>/g), ([, echo]) => echo ?? ""))
      this.#rest = this.#rest.subarray(whole)
      return
    }
    const { consumed, frames } = WebSocket.parse(this.#rest)
    this.#rest = this.#rest.subarray(consumed)
    for (const { code, text } of frames) {
      if (code === undefined) fact.echoes.push(text)
      else {
        fact.closeCode ??= code
        if (fact.polite && !this.socket.destroyed) {
          this.socket.write(WebSocket.close(code))
          this.socket.end()
        }
      }
    }
  }

  /** What has come after the last whole response: the beginning of one, or nothing that is known. */
  get unread(): number {
    return this.#rest.length
  }

  stopReading(): void {
    this.socket.pause()
  }

  readonly #stop = () => void this.socket.pause()

  readSome(): void {
    // once, also where it is still to come: `readOn` takes one off
    this.socket.off("data", this.#stop).once("data", this.#stop)
    this.socket.resume()
  }

  readOn(): void {
    this.socket.off("data", this.#stop)
    this.socket.resume()
  }
}

const answerOf = (response: HttpResponse): Answer => ({
  status: response.status,
  body: response.body,
  complete: response.complete,
  close: saysClose(response),
  promised: promisedKeepAlive(response)
})
