/**
 * The frames of a WebSocket that a client needs to leave in good order.
 */

/** The code in the server's close frame, if there is one; 1005 if it has none. */
export const closeCodeOf = (bytes: Buffer): number | undefined => {
  for (let at = 0; at + 2 <= bytes.length;) {
    const opcode = bytes[at]! & 0x0f
    const short = bytes[at + 1]! & 0x7f
    const head = short < 126 ? 2 : short === 126 ? 4 : 10
    if (at + head > bytes.length) return undefined
    const length = short < 126
      ? short
      : short === 126
      ? bytes.readUInt16BE(at + 2)
      : Number(bytes.readBigUInt64BE(at + 2))
    if (at + head + length > bytes.length) return undefined
    if (opcode === 0x8) return length >= 2 ? bytes.readUInt16BE(at + head) : 1005
    at += head + length
  }
  return undefined
}

/** The client's close frame; what clients send is masked, here with zeros. */
export const closeFrame = (code: number): Buffer => Buffer.from([0x88, 0x82, 0, 0, 0, 0, code >> 8, code & 0xff])
