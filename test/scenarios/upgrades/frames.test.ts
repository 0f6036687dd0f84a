/** The frames of a WebSocket, found in whatever pieces they are written: no server. */
import { expect, it } from "@effect/vitest"
import fc from "fast-check"
import { createHash } from "node:crypto"
import * as Http from "node:http"
import { WebSocket } from "ws"
import { closeFrame, FrameReader } from "../../../src/internal/protocol/webSocketFrames.js"
import { portOf } from "../../support/nodeServer.js"
import { waitFor } from "../../support/wait.js"

interface Frame {
  /** The first byte: FIN, and the opcode. */
  readonly first: number
  readonly length: number
  readonly isMasked: boolean
}

/** A frame with a payload of so many bytes, each of which could be a header of its own. */
const frame = ({ first, isMasked, length }: Frame): Buffer => {
  const mask = isMasked ? 0x80 : 0
  const head = length < 126
    ? Buffer.from([first, mask | length])
    : length < 65_536
    ? Buffer.from([first, mask | 126, length >> 8, length & 0xff])
    : Buffer.from([first, mask | 127, 0, 0, 0, 0, 0, length >> 16, (length >> 8) & 0xff, length & 0xff])
  return Buffer.concat([head, Buffer.alloc(isMasked ? 4 : 0, 0x82), Buffer.alloc(length, 0x82)])
}

const fin = 0x80

const frameOf = (first: number) =>
  fc.record({
    first: fc.constant(first),
    length: fc.constantFrom(0, 1, 125, 126, 127, 300, 65_535, 65_536),
    isMasked: fc.boolean()
  })

const control = fc.constantFrom(fin | 0x9, fin | 0xa).chain(frameOf)

/** A control frame, or a message of one to four fragments, with control frames between them (RFC 6455 §5.4). */
const message = fc.oneof(
  fc.tuple(control),
  fc.record({
    opcode: fc.constantFrom(0x1, 0x2),
    between: fc.array(fc.array(control, { maxLength: 2 }), { maxLength: 3 })
  }).chain(({ between, opcode }) =>
    fc.tuple(
      frameOf(between.length === 0 ? fin | opcode : opcode),
      ...between.flatMap((controls, nth) => [
        ...controls.map((each) => fc.constant(each)),
        frameOf(nth === between.length - 1 ? fin : 0)
      ])
    )
  )
)

const messages = fc.array(message, { minLength: 1, maxLength: 5 })
const cutting = fc.array(fc.integer({ min: 1, max: 9000 }), { minLength: 5 })

it("every message is found to end where it ends, however it is fragmented and cut", () => {
  fc.assert(
    fc.property(messages, cutting, (all, cuts) => {
      const each = all.map((frames) => Buffer.concat(frames.map(frame)))
      const bytes = Buffer.concat(each)
      const ends = each.map((_, nth) => Buffer.concat(each.slice(0, nth + 1)).length)
      const reader = new FrameReader()
      const found: Array<number> = []
      for (let from = 0, nth = 0; from < bytes.length; nth++) {
        const piece = bytes.subarray(from, from + cuts[nth % cuts.length]!)
        for (let at = 0; at < piece.length;) {
          at = reader.readFrame(piece, at)
          if (reader.isBetween) found.push(from + at)
        }
        from += piece.length
      }
      expect(found).toEqual(ends)
      expect([reader.isWrong, reader.hasClosed]).toEqual([false, false])
    }),
    { numRuns: 60 }
  )
})

it("a close frame, and what is no frame, are seen", () => {
  const closed = new FrameReader()
  closed.readFrame(closeFrame(1000, ""), 0)
  expect([closed.hasClosed, closed.isWrong, closed.isBetween]).toEqual([true, false, true])
  const wrong = new FrameReader()
  wrong.readFrame(Buffer.from("GET / HTTP/1.1\r\n"), 0)
  expect(wrong.isWrong).toBe(true)
})

it("a close frame of ours is one that ws reads", async () => {
  const reason = "é".repeat(61)
  const server = Http.createServer().on("upgrade", (request, socket) => {
    const key = request.headers["sec-websocket-key"] ?? ""
    const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64")
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`
    )
    socket.end(closeFrame(1012, reason))
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const peer = new WebSocket(`ws://127.0.0.1:${portOf(server)}`)
  const closed = new Promise((resolve) => peer.once("close", (code, text) => resolve([code, text.toString()])))
  expect(await waitFor("the close frame", closed, 10_000)).toEqual([1012, reason])
  server.close()
})
