/**
 * What a client may send to make two readers of HTTP disagree about where a request ends, and what this server makes of
 * it. Behind each is a second request, to `/smuggled`, that a reader who disagrees would take for one.
 */
export interface AmbiguousRequest {
  readonly name: string
  readonly sent: string
  /** The final answers, in order. A connection that is refused ends after the last. */
  readonly answers: ReadonlyArray<number>
  readonly executed: ReadonlyArray<string>
  /** In a drain a handler runs when all that came with its request has been parsed: then none runs for these. */
  readonly refusedInDrain?: true
}

const smuggled = "GET /smuggled HTTP/1.1\r\nHost: test\r\n\r\n"

const post = (headers: ReadonlyArray<string>, body: string): string =>
  ["POST /echo HTTP/1.1", "Host: test", ...headers, "", body].join("\r\n")

const refused = (name: string, sent: string, status = 400): AmbiguousRequest => ({
  name,
  sent,
  answers: [status],
  executed: []
})

const chunk = (text: string): string => `${text.length.toString(16)}\r\n${text}\r\n`

const both = `0\r\n\r\n${smuggled}`

export const ambiguousRequests: ReadonlyArray<AmbiguousRequest> = [
  refused("CL and TE", post(["Content-Length: 5", "Transfer-Encoding: chunked"], both)),
  refused("TE and CL", post(["Transfer-Encoding: chunked", "Content-Length: 5"], both)),
  refused("two lengths that differ", post(["Content-Length: 5", "Content-Length: 0"], `hello${smuggled}`)),
  refused("two lengths that agree", post(["Content-Length: 5", "Content-Length: 5"], `hello${smuggled}`)),
  refused("a list of lengths", post(["Content-Length: 5, 5"], `hello${smuggled}`)),
  refused("a length with a sign", post(["Content-Length: +5"], `hello${smuggled}`)),
  refused("a negative length", post(["Content-Length: -1"], smuggled)),
  refused("a length in hexadecimal", post(["Content-Length: 0x5"], `hello${smuggled}`)),
  refused("a length with a space in it", post(["Content-Length: 5 0"], `hello${smuggled}`)),
  refused("a length that overflows", post(["Content-Length: 18446744073709551621"], `hello${smuggled}`)),
  refused("an unknown coding", post(["Transfer-Encoding: xchunked"], both)),
  refused("a coding after chunked", post(["Transfer-Encoding: chunked, identity"], both)),
  refused("chunked twice", post(["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"], both)),
  refused("chunked twice in a list", post(["Transfer-Encoding: chunked, chunked"], both)),
  refused("a vertical tab before chunked", post(["Transfer-Encoding: \u000bchunked"], both)),
  refused("a space before the colon", post(["Transfer-Encoding : chunked"], both)),
  refused("a space before the colon of the length", post(["Content-Length : 5"], `hello${smuggled}`)),
  refused("a folded header", post(["X-Folded: one", " two"], smuggled)),
  refused("a folded length", post(["Content-Length:", " 5"], `hello${smuggled}`)),
  refused("a folded coding", post(["Transfer-Encoding:", " chunked"], both)),
  refused(
    "a bare LF after the request line",
    `POST /echo HTTP/1.1\nHost: test\r\nContent-Length: 0\r\n\r\n${smuggled}`
  ),
  refused("a bare LF between two headers", `POST /echo HTTP/1.1\r\nHost: test\nContent-Length: 0\r\n\r\n${smuggled}`),
  refused("a bare LF that ends the head", `POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\n${smuggled}`),
  refused("a bare CR in a header", post(["X-Bare: one\rContent-Length: 5"], `hello${smuggled}`)),
  refused("a zero byte in a header", post(["X-Zero: one\u0000two", "Content-Length: 0"], smuggled)),
  refused("a header without a colon", post(["Content-Length 5"], `hello${smuggled}`)),
  refused("a header that begins with a space", `POST /echo HTTP/1.1\r\n Content-Length: 5\r\n\r\nhello${smuggled}`),
  refused("no host", `POST /echo HTTP/1.1\r\nContent-Length: 0\r\n\r\n`),
  refused("a chunk size with a sign", post(["Transfer-Encoding: chunked"], `+5\r\nhello\r\n0\r\n\r\n${smuggled}`)),
  refused("a chunk size in 0x", post(["Transfer-Encoding: chunked"], `0x5\r\nhello\r\n0\r\n\r\n${smuggled}`)),
  refused("a chunk size that overflows", post(["Transfer-Encoding: chunked"], `10000000000000005\r\nhello\r\n${both}`)),
  refused("a space after the chunk size", post(["Transfer-Encoding: chunked"], `5 \r\nhello\r\n${both}`)),
  refused("a bare LF after the chunk size", post(["Transfer-Encoding: chunked"], `5\nhello\r\n${both}`)),
  refused("a bare LF after the chunk", post(["Transfer-Encoding: chunked"], `5\r\nhello\n${both}`)),
  refused("no CRLF after the chunk", post(["Transfer-Encoding: chunked"], `5\r\nhello${both}`)),
  refused("a bare LF in a chunk extension", post(["Transfer-Encoding: chunked"], `5;a\nb\r\nhello\r\n${both}`)),
  refused("a bare CR in a chunk extension", post(["Transfer-Encoding: chunked"], `5;a\rb\r\nhello\r\n${both}`)),
  {
    name: "a chunk extension",
    sent: post(["Transfer-Encoding: chunked"], `5;a=b;c="d"\r\nhello\r\n0\r\n\r\n`),
    answers: [200],
    executed: ["POST /echo hello"]
  },
  {
    name: "a request that is in the body",
    sent: post([`Content-Length: ${smuggled.length}`], smuggled),
    answers: [200],
    executed: [`POST /echo ${smuggled}`]
  },
  {
    name: "a request that is in a chunk",
    sent: post(["Transfer-Encoding: chunked"], `${chunk(smuggled)}0\r\n\r\n`),
    answers: [200],
    executed: [`POST /echo ${smuggled}`]
  },
  refused(
    "a length in trailers",
    post(["Transfer-Encoding: chunked"], `${chunk("hello")}0\r\nContent-Length: ${smuggled.length}\r\n\r\n${smuggled}`)
  ),
  // Node has executed it by the time that its parser sees what comes behind it, and has this answered in its place
  {
    name: "a request after one that is the last",
    sent: post(["Connection: close", "Content-Length: 5"], `hello${smuggled}`),
    answers: [400],
    executed: ["POST /echo hello"],
    refusedInDrain: true
  },
  {
    name: "a request behind one of HTTP/1.0 that is chunked",
    sent: `POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n${chunk("hello")}${both}`,
    answers: [400],
    executed: ["POST /echo hello"],
    refusedInDrain: true
  },
  {
    name: "a coding in capitals",
    sent: post(["TRANSFER-ENCODING: CHUNKED"], `${chunk("hello")}0\r\n\r\n`),
    answers: [200],
    executed: ["POST /echo hello"]
  },
  {
    name: "two requests that are two",
    sent: post(["Content-Length: 5"], `hello${smuggled}`),
    answers: [200, 200],
    executed: ["POST /echo hello", "GET /smuggled"]
  }
]
