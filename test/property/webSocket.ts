/** As much of RFC 6455 as it takes to say something short, to hear it again, and to close. */

const masked = (opcode: number, payload: Buffer): Buffer => {
  if (payload.length > 125) throw new Error("too long for this client")
  // a mask of zeros is one as well
  return Buffer.concat([Buffer.from([0x80 | opcode, 0x80 | payload.length, 0, 0, 0, 0]), payload])
}

export const text = (message: string): Buffer => masked(1, Buffer.from(message))

export const close = (code: number): Buffer => masked(8, Buffer.from([code >> 8, code & 0xff]))

interface Frame {
  readonly text: string
  /** Of a close frame. */
  readonly code: number | undefined
}

/** The whole frames that some bytes begin with. */
export const parse = (bytes: Buffer): { readonly frames: ReadonlyArray<Frame>; readonly consumed: number } => {
  const frames: Array<Frame> = []
  let at = 0
  while (bytes.length >= at + 2) {
    const opcode = (bytes[at] ?? 0) & 0x0f
    const end = at + 2 + ((bytes[at + 1] ?? 0) & 0x7f)
    if (bytes.length < end) break
    const payload = bytes.subarray(at + 2, end)
    if (opcode === 8) frames.push({ text: "", code: payload.length < 2 ? 1005 : payload.readUInt16BE(0) })
    else if (opcode < 3) frames.push({ text: payload.toString(), code: undefined })
    at = end
  }
  return { frames, consumed: at }
}
