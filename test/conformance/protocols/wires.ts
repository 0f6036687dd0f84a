/**
 * What can be on the wire, and a real client for each. A client has one connection at a time, says what became of each
 * request, and notices when its connection closes.
 */
import * as Http from "node:http"
import * as Http2 from "node:http2"
import * as Https from "node:https"
import type * as Net from "node:net"
import { certificate } from "../../support/certificate.js"

/** `1.1 at h2`: a client that speaks HTTP/1.1 to a server of HTTP/2 over TLS with `allowHTTP1`. */
export type Wire = "HTTP/1.1" | "HTTPS" | "h2c" | "h2" | "1.1 at h2"

export const wires: ReadonlyArray<Wire> = ["HTTP/1.1", "HTTPS", "h2c", "h2", "1.1 at h2"]

export const isHttp2 = (wire: Wire): boolean => wire === "h2c" || wire === "h2"

export const isSecure = (wire: Wire): boolean => wire !== "HTTP/1.1" && wire !== "h2c"

/** A Node server for that wire, with nothing in it yet. */
export const createServer = (wire: Wire): Http.Server | Https.Server | Http2.Http2Server | Http2.Http2SecureServer => {
  switch (wire) {
    case "HTTP/1.1":
      return Http.createServer()
    case "HTTPS":
      return Https.createServer(certificate)
    case "h2c":
      return Http2.createServer()
    case "h2":
      return Http2.createSecureServer(certificate)
    case "1.1 at h2":
      return Http2.createSecureServer({ ...certificate, allowHTTP1: true })
  }
}

/** What became of a request. */
export type Outcome =
  | {
    readonly _tag: "Answered"
    readonly status: number
    readonly headers: Http.IncomingHttpHeaders | Http2.IncomingHttpHeaders
    readonly body: Buffer
  }
  /** The answer began, and was cut off. */
  | { readonly _tag: "Truncated"; readonly status: number; readonly body: Buffer }
  /** The client knows that no handler ran: it may send again, elsewhere. `ECONNREFUSED`: nobody listens any more. */
  | { readonly _tag: "Refused"; readonly code: string }
  | { readonly _tag: "Lost"; readonly code: string }

export interface Sent {
  /** The head and the first bytes of the answer are here; false if it ended without any. */
  readonly begun: Promise<boolean>
  readonly outcome: Promise<Outcome>
  readonly write: (chunk: Buffer) => void
  readonly end: (chunk?: Buffer) => void
}

export interface Client {
  /** Sends a GET; with `body`, a POST of that length whose body the caller writes. */
  readonly send: (path: string, bodyLength?: number) => Sent
  /** The connections that this client has had. */
  readonly connections: number
  /** Whether one of them is open now. */
  readonly connected: boolean
  readonly leave: () => void
}

export const connect = (wire: Wire, port: number): Client => isHttp2(wire) ? http2(wire, port) : http1(wire, port)

const codeOf = (error: Error): string => (error as NodeJS.ErrnoException).code ?? error.message

const http1 = (wire: Wire, port: number): Client => {
  const secure = isSecure(wire)
  const agent = secure
    ? new Https.Agent({ keepAlive: true, maxSockets: 1, ca: certificate.cert })
    : new Http.Agent({ keepAlive: true, maxSockets: 1 })
  const seen = new Set<unknown>()
  const open = new Set<unknown>()
  const established = new WeakSet<Net.Socket>()
  return {
    get connections() {
      return seen.size
    },
    get connected() {
      return open.size > 0
    },
    leave: () => agent.destroy(),
    send: (path, bodyLength) => {
      const request = (secure ? Https : Http).request({
        host: "127.0.0.1",
        port,
        path,
        agent,
        ...(bodyLength === undefined ? {} : { method: "POST", headers: { "content-length": bodyLength } })
      })
      request.on("socket", (socket) => {
        if (seen.has(socket)) return
        seen.add(socket)
        open.add(socket)
        socket.once(secure ? "secureConnect" : "connect", () => established.add(socket))
        socket.once("close", () => open.delete(socket))
      })
      const sent = account(request, (resolve, begun) => {
        request.on("error", (error) => {
          const code = codeOf(error)
          begun(false)
          // what was never written was never executed
          const sent = request.socket !== null && established.has(request.socket)
          resolve(sent ? { _tag: "Lost", code } : { _tag: "Refused", code: "ECONNREFUSED" })
        })
        request.on(
          "response",
          (response) =>
            collect(response, response.statusCode ?? 0, response.headers, () => response.complete, resolve, begun)
        )
      })
      if (bodyLength === undefined) request.end()
      return sent
    }
  }
}

const http2 = (wire: Wire, port: number): Client => {
  const url = `${isSecure(wire) ? "https" : "http"}://127.0.0.1:${port}`
  const seen = new Set<Http2.ClientHttp2Session>()
  const open = new Set<Http2.ClientHttp2Session>()
  const established = new WeakSet<Http2.ClientHttp2Session>()
  let current: Http2.ClientHttp2Session | undefined
  const session = () => {
    // a client that was told to go away opens another connection for what comes next
    if (current !== undefined && !current.closed && !current.destroyed) return current
    const made = Http2.connect(url, isSecure(wire) ? { ca: certificate.cert } : {})
    current = made
    seen.add(made)
    open.add(made)
    made.on("error", () => {})
    made.once("connect", () => established.add(made))
    made.once("close", () => open.delete(made))
    return made
  }
  return {
    get connections() {
      return seen.size
    },
    get connected() {
      return open.size > 0
    },
    leave: () => {
      for (const session of open) session.destroy()
    },
    send: (path, bodyLength) => {
      const own = session()
      const stream = own.request(
        {
          ":path": path,
          ":method": bodyLength === undefined ? "GET" : "POST",
          ...(bodyLength === undefined ? {} : { "content-length": bodyLength })
        },
        { endStream: bodyLength === undefined }
      )
      return account(stream, (resolve, begun) => {
        const lost = (code: string) => {
          begun(false)
          const refused = stream.rstCode === Http2.constants.NGHTTP2_REFUSED_STREAM || !established.has(own)
          resolve({ _tag: refused ? "Refused" : "Lost", code: established.has(own) ? code : "ECONNREFUSED" })
        }
        stream.on("error", (error) => {
          if (!responded) lost(codeOf(error))
        })
        let responded = false
        stream.on("response", (headers) => {
          responded = true
          let whole = false
          stream.once("end", () => {
            // a stream that was reset ends, too
            whole = stream.rstCode === Http2.constants.NGHTTP2_NO_ERROR
          })
          collect(stream, headers[":status"] ?? 0, headers, () => whole, resolve, begun)
        })
        stream.on("close", () => {
          if (!responded) lost(`closed with ${stream.rstCode}`)
        })
      })
    }
  }
}

const account = (
  body: { readonly write: (chunk: Buffer) => boolean; readonly end: (chunk?: Buffer) => unknown },
  listen: (resolve: (outcome: Outcome) => void, begun: (yes: boolean) => void) => void
): Sent => {
  let begun!: (yes: boolean) => void
  const begins = new Promise<boolean>((resolve) => {
    begun = resolve
  })
  return {
    begun: begins,
    outcome: new Promise((resolve) => listen(resolve, begun)),
    write: (chunk) => void body.write(chunk),
    end: (chunk) => void body.end(chunk)
  }
}

/** Reads an answer to its end, whatever that is. */
const collect = (
  source: NodeJS.ReadableStream,
  status: number,
  headers: Http.IncomingHttpHeaders | Http2.IncomingHttpHeaders,
  isWhole: () => boolean,
  resolve: (outcome: Outcome) => void,
  begun: (yes: boolean) => void
): void => {
  const chunks: Array<Buffer> = []
  const over = () => {
    begun(chunks.length > 0)
    const body = Buffer.concat(chunks)
    resolve(isWhole() ? { _tag: "Answered", status, headers, body } : { _tag: "Truncated", status, body })
  }
  source.on("data", (chunk: Buffer) => {
    chunks.push(chunk)
    begun(true)
  })
  source.on("error", over)
  source.on("close", over)
}
