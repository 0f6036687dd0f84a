import { describe, expect, it } from "vitest"
import { ResponseReader, saysClose } from "../../src/internal/check/client/responses.js"

const read = (text: string, size = text.length): ResponseReader => {
  const reader = new ResponseReader()
  const bytes = Buffer.from(text, "latin1")
  for (let at = 0; at < bytes.length; at += size) reader.push(bytes.subarray(at, at + size))
  return reader
}

const summary = (reader: ResponseReader) =>
  reader.responses.map(({ bodyBytes, complete, status }) => ({ status, bodyBytes, complete }))

const answers = "HTTP/1.1 100 Continue\r\n\r\n"
  + "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
  + "HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=1\r\n0123456789\r\n0\r\nX: y\r\n\r\n"
  + "HTTP/1.1 204 No Content\r\n\r\n"
  + "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive, Close\r\n\r\n"

describe("responses as they come", () => {
  for (const size of [1, 2, 7, answers.length]) {
    it(`are read in pieces of ${size} bytes`, () => {
      const reader = read(answers, size)
      expect(summary(reader)).toEqual([
        { status: 200, bodyBytes: 5, complete: true },
        { status: 201, bodyBytes: 13, complete: true },
        { status: 204, bodyBytes: 0, complete: true },
        { status: 200, bodyBytes: 0, complete: true }
      ])
      expect(reader.informational).toEqual([100])
      expect(reader.complete).toBe(4)
      expect(reader.responses.map(saysClose)).toEqual([false, false, false, true])
    })
  }

  it("are incomplete until their last byte", () => {
    const text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    for (let length = text.indexOf("\r\n\r\n") + 4; length < text.length; length++) {
      expect(read(text.slice(0, length)).complete).toBe(0)
    }
    expect(read(text).complete).toBe(1)
  })

  it("end with the connection where they have no length, and only with its orderly end", () => {
    const reader = read("HTTP/1.1 200 OK\r\n\r\nsome")
    expect(reader.complete).toBe(0)
    reader.end()
    expect(summary(reader)).toEqual([{ status: 200, bodyBytes: 4, complete: true }])
    const cut = read("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nsome")
    cut.end()
    expect(summary(cut)).toEqual([{ status: 200, bodyBytes: 4, complete: false }])
  })

  it("keep what follows 101 for another protocol", () => {
    const reader = read("HTTP/1.1 101 Switching Protocols\r\n\r\n\x88\x02\x03\xe9")
    expect([...reader.upgraded ?? []]).toEqual([0x88, 2, 3, 0xe9])
  })

  it("are malformed where they are no HTTP", () => {
    expect(read("SSH-2.0-OpenSSH\r\n\r\n").malformed).toBe("SSH-2.0-OpenSSH")
    expect(read("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nno size\r\n").malformed).toBe("no size")
    expect(read(`HTTP/1.1 200 OK\r\nX: ${"x".repeat(70_000)}`).malformed).toBe("a head of more than 64 KiB")
    expect(read(answers).malformed).toBeUndefined()
  })
})
