/**
 * The frames of a WebSocket, as far as they have to be known to find where a message ends
 * (RFC 6455 §5.2, §5.4).
 */

const close = 0x8

/** Continuation, text, binary, close, ping, pong. The others are reserved. */
const opcodes: ReadonlyArray<number> = [0x0, 0x1, 0x2, close, 0x9, 0xa]

/** From here on they are control frames, which may come between the fragments of a message, and are none of it. */
const firstControl = 0x8

const fin = 0x80

/** Reads what goes out, in whatever pieces it is written. */
export class FrameReader {
  readonly #header: Array<number> = []
  /** What is still to come of a frame whose header has been read. */
  #left = 0
  /** A fragment has begun, and is not the last one of its message. */
  #hasMoreFragments = false
  #hasClosed = false
  #isWrong = false

  /** One message, or a control frame outside of any, has ended, and the next has not begun. */
  get isBetween(): boolean {
    return this.#header.length === 0 && this.#left === 0 && !this.#hasMoreFragments
  }

  /** A close frame has begun: no frame may follow (§5.5.1). */
  get hasClosed(): boolean {
    return this.#hasClosed
  }

  /** These are no frames. */
  get isWrong(): boolean {
    return this.#isWrong
  }

  /** Reads from `from` on, to the end of the frame or of the piece; returns how far it has come. */
  readFrame(piece: Uint8Array, from: number): number {
    let at = from
    while (this.#left === 0 && at < piece.length) {
      this.#header.push(piece[at++]!)
      const length = restOf(this.#header)
      if (length === undefined) continue
      const first = this.#header[0]!
      const opcode = first & 0x0f
      this.#header.length = 0
      if (opcode < firstControl) this.#hasMoreFragments = (first & fin) === 0
      if (!opcodes.includes(opcode)) this.#isWrong = true
      if (opcode === close) this.#hasClosed = true
      this.#left = length
      if (length === 0) return at
    }
    const taken = Math.min(this.#left, piece.length - at)
    this.#left -= taken
    return at + taken
  }
}

/** How many bytes come behind a header: its masking key, if it has one, and the payload. */
const restOf = (header: ReadonlyArray<number>): number | undefined => {
  const second = header[1]
  if (second === undefined) return undefined
  const short = second & 0x7f
  const extended = short === 126 ? 2 : short === 127 ? 8 : 0
  if (header.length < 2 + extended) return undefined
  const length = extended === 0 ? short : header.slice(2).reduce((sum, byte) => sum * 256 + byte, 0)
  return length + ((second & 0x80) === 0 ? 0 : 4)
}

/** What a server sends that closes (§5.5.1). Its payload has 125 bytes at the most. */
export const closeFrame = (code: number, reason: string): Buffer => {
  const text = Buffer.from(reason)
  return Buffer.concat([Buffer.from([fin | close, 2 + text.length, code >> 8, code & 0xff]), text])
}
