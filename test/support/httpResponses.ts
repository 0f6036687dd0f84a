/**
 * A small, unforgiving HTTP/1.1 response parser: what a client really got, byte for byte, several pipelined responses
 * at once, and whether each of them is whole.
 */

export interface HttpResponse {
  readonly status: number
  readonly reason: string
  /** Lower-case names; repeated headers joined with ", ". */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
  /** The whole body came (by `Content-Length`, by the last chunk, or by the FIN where neither was announced). */
  readonly complete: boolean
}

export interface Parsed {
  /** Final responses, in order. The last one may be incomplete. */
  readonly responses: ReadonlyArray<HttpResponse>
  /** 1xx responses other than 101. */
  readonly informational: ReadonlyArray<HttpResponse>
  /** How many bytes belong to complete responses; what follows is half a response, or another protocol after a 101. */
  readonly consumed: number
}

export interface ParseOptions {
  /** The peer sent FIN: the end of a response that announced no length. */
  readonly ended?: boolean
  /** The methods of the requests in order: a response to HEAD has no body. */
  readonly methods?: ReadonlyArray<string>
}

export const parseResponses = (bytes: Buffer, options: ParseOptions = {}): Parsed => {
  const responses: Array<HttpResponse> = []
  const informational: Array<HttpResponse> = []
  let at = 0
  while (at < bytes.length) {
    const headEnd = bytes.indexOf("\r\n\r\n", at)
    if (headEnd < 0) break
    const head = parseHead(bytes.toString("latin1", at, headEnd))
    const bodyAt = headEnd + 4
    if (head.status >= 100 && head.status < 200 && head.status !== 101) {
      informational.push({ ...head, body: empty, complete: true })
      at = bodyAt
      continue
    }
    const body = parseBody(bytes, bodyAt, head, options.methods?.[responses.length], options.ended === true)
    responses.push({ ...head, body: body.body, complete: body.complete })
    if (!body.complete) break
    at = body.end
    if (head.status === 101) break
  }
  return { responses, informational, consumed: at }
}

const empty = Buffer.alloc(0)

type Head = Pick<HttpResponse, "status" | "reason" | "headers">

const parseHead = (text: string): Head => {
  const [statusLine = "", ...lines] = text.split("\r\n")
  const match = /^HTTP\/1\.[01] (\d{3})(?: (.*))?$/.exec(statusLine)
  if (match === null) throw new Error(`not an HTTP/1.1 status line: ${JSON.stringify(statusLine.slice(0, 200))}`)
  const headers: Record<string, string> = {}
  for (const line of lines) {
    const colon = line.indexOf(":")
    if (colon < 1) throw new Error(`not a header line: ${JSON.stringify(line.slice(0, 200))}`)
    const name = line.slice(0, colon).toLowerCase()
    const value = line.slice(colon + 1).trim()
    headers[name] = headers[name] === undefined ? value : `${headers[name]}, ${value}`
  }
  return { status: Number(match[1]), reason: match[2] ?? "", headers }
}

interface Body {
  readonly body: Buffer
  readonly complete: boolean
  readonly end: number
}

const parseBody = (bytes: Buffer, at: number, head: Head, method: string | undefined, ended: boolean): Body => {
  if (method === "HEAD" || head.status === 101 || head.status === 204 || head.status === 304) {
    return { body: empty, complete: true, end: at }
  }
  if (/\bchunked\b/i.test(head.headers["transfer-encoding"] ?? "")) return parseChunks(bytes, at)
  const length = head.headers["content-length"]
  if (length !== undefined) {
    const end = at + Number(length)
    const complete = bytes.length >= end
    return { body: bytes.subarray(at, complete ? end : bytes.length), complete, end }
  }
  return { body: bytes.subarray(at), complete: ended, end: bytes.length }
}

const parseChunks = (bytes: Buffer, start: number): Body => {
  const chunks: Array<Buffer> = []
  let at = start
  const incomplete = (): Body => ({ body: Buffer.concat(chunks), complete: false, end: bytes.length })
  while (true) {
    const lineEnd = bytes.indexOf("\r\n", at)
    if (lineEnd < 0) return incomplete()
    const line = bytes.toString("latin1", at, lineEnd)
    const size = Number.parseInt(line, 16)
    if (!/^[0-9a-f]+/i.test(line)) throw new Error(`not a chunk size: ${JSON.stringify(line.slice(0, 40))}`)
    const dataAt = lineEnd + 2
    if (size === 0) {
      // Trailers are not used in these tests: the empty line must follow at once.
      const complete = bytes.length >= dataAt + 2
      return complete ? { body: Buffer.concat(chunks), complete, end: dataAt + 2 } : incomplete()
    }
    chunks.push(bytes.subarray(dataAt, Math.min(dataAt + size, bytes.length)))
    if (bytes.length < dataAt + size + 2) return incomplete()
    at = dataAt + size + 2
  }
}

/** The number in `Keep-Alive: timeout=5`, in milliseconds. */
export const promisedKeepAlive = (response: HttpResponse): number | undefined => {
  const match = /timeout=(\d+)/.exec(response.headers["keep-alive"] ?? "")
  return match === null ? undefined : Number(match[1]) * 1000
}

/** The server said that this is the last response of the connection. */
export const saysClose = (response: HttpResponse): boolean => /\bclose\b/i.test(response.headers["connection"] ?? "")
