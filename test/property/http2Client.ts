/** A client of HTTP/2 that speaks frame by frame, on cleartext. */
import type * as Net from "node:net"
import * as Frames from "../support/http2Frames.js"
import { type Around, type Client, connect, type Target } from "./client.js"
import type { Answer, ClientFact, RequestFact } from "./facts.js"
import { bodyOf } from "./requests.js"

interface Pending {
  readonly fact: RequestFact
  readonly stream: number
  rest: Buffer
}

export class Http2Client implements Client {
  readonly fact: ClientFact
  readonly socket: Net.Socket
  readonly #around: Around
  readonly #byStream = new Map<number, RequestFact>()
  readonly #bodies = new Map<number, Array<Buffer>>()
  #rest: Buffer = Buffer.alloc(0)
  #stalled: Array<Buffer> | undefined
  #lastStream = -1
  pending: Pending | undefined

  constructor(target: Target, halfOpen: boolean, fact: ClientFact, around: Around) {
    this.fact = fact
    this.#around = around
    this.socket = connect(target, halfOpen, fact, around, (chunk) => {
      this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
      this.#read()
    })
    this.socket.write(Buffer.concat([Frames.preface, Frames.settings({ [Frames.setting.headerTableSize]: 0 })]))
  }

  get nextStream(): number {
    return this.#lastStream + 2
  }

  /** Opens a stream, with as much of its body as `part` says; all of it in one DATA frame a piece. */
  begin(fact: RequestFact, path: string, body: Buffer, part: number): void {
    const stream = this.nextStream
    this.#lastStream = stream
    this.#byStream.set(stream, fact)
    this.fact.requests.push(fact)
    const endStream = body.length === 0
    this.socket.write(Frames.request(stream, path, { method: fact.method, endStream }))
    if (endStream) fact.whole = this.#around.moment()
    else {
      this.pending = { fact, stream, rest: body }
      if (part > 1) this.more(part)
    }
  }

  more(part: number): void {
    const { pending } = this
    if (pending === undefined) return
    const piece = pending.rest.subarray(0, Math.max(1, part))
    pending.rest = pending.rest.subarray(piece.length)
    const isLast = pending.rest.length === 0
    this.socket.write(Frames.data(pending.stream, piece, isLast))
    if (!isLast) return
    pending.fact.whole = this.#around.moment()
    this.pending = undefined
  }

  reset(fact: RequestFact): void {
    if (fact.stream === undefined) return
    fact.reset = this.#around.moment()
    this.socket.write(Frames.rstStream(fact.stream))
    if (this.pending?.fact === fact) this.pending = undefined
  }

  ping(): void {
    this.socket.write(Frames.ping())
  }

  /** An honest client answers what it is asked, and makes room for more, at once. */
  #read(): void {
    try {
      const { consumed, frames } = Frames.parseFrames(this.#rest)
      this.#rest = this.#rest.subarray(consumed)
      for (const frame of frames) this.#take(frame)
    } catch (error) {
      this.fact.garbage ??= String(error)
    }
  }

  #take(frame: Frames.Frame): void {
    const { fact } = this
    switch (frame.type) {
      case "SETTINGS": {
        if ((frame.flags & Frames.flag.ack) === 0) this.#write(Frames.settingsAck())
        break
      }
      case "PING": {
        if ((frame.flags & Frames.flag.ack) === 0) this.#write(Frames.frame("PING", Frames.flag.ack, 0, frame.payload))
        break
      }
      case "GOAWAY": {
        fact.goaway ??= this.#around.moment()
        fact.lastStream = Frames.lastStreamOf(frame)
        break
      }
      case "HEADERS": {
        this.#answer(frame, { status: Frames.statusOf(frame) })
        break
      }
      case "DATA": {
        const all = this.#bodies.get(frame.stream) ?? []
        all.push(frame.payload)
        this.#bodies.set(frame.stream, all)
        this.#answer(frame, {})
        if (frame.payload.length === 0) break
        const more = [frame.stream, 0].map((stream) => Frames.windowUpdate(stream, frame.payload.length))
        if (this.#stalled === undefined) this.#write(...more)
        else this.#stalled.push(...more)
        break
      }
      case "RST_STREAM": {
        const request = this.#byStream.get(frame.stream)
        if (request === undefined) break
        request.resetByServer = Frames.codeOf(frame)
        // where the connection's window is used up, Node resets a stream whose last byte it has sent, and sends no end
        const due = request.answer?.status === 500 ? 0 : bodyOf(request).length
        const isWhole = request.answer?.body.length === due
        if (request.resetByServer === 0 && isWhole) request.seen ??= this.#around.moment()
        break
      }
      case "WINDOW_UPDATE":
        break
      case "PRIORITY":
      case "PUSH_PROMISE":
      case "CONTINUATION": {
        fact.garbage ??= frame.type
      }
    }
  }

  #answer(frame: Frames.Frame, { status }: { readonly status?: number }): void {
    const request = this.#byStream.get(frame.stream)
    if (request === undefined) {
      this.fact.garbage ??= `an answer on stream ${frame.stream}, which was never opened`
      return
    }
    const complete = (frame.flags & Frames.flag.endStream) !== 0
    const answer: Answer = {
      status: status ?? request.answer?.status ?? Number.NaN,
      body: Buffer.concat(this.#bodies.get(frame.stream) ?? []),
      complete,
      close: false,
      promised: undefined
    }
    if (request.answer?.complete === true) this.fact.garbage ??= `more on stream ${frame.stream} after its end`
    request.answer = answer
    if (complete) request.seen = this.#around.moment()
  }

  #write(...pieces: ReadonlyArray<Buffer>): void {
    if (this.socket.writable) this.socket.write(Buffer.concat(pieces))
  }

  look(): void {}

  /** Gives no more room for what is to come; the frames that have come are read. */
  stopReading(): void {
    this.#stalled ??= []
  }

  readSome(): void {
    if (this.#stalled !== undefined && this.#stalled.length > 0) this.#write(...this.#stalled.splice(0, 2))
  }

  readOn(): void {
    const stalled = this.#stalled ?? []
    this.#stalled = undefined
    if (stalled.length > 0) this.#write(...stalled)
  }
}
