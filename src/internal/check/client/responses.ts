/**
 * What a client has received, read as HTTP/1.1 responses while it comes: how many, and whether each is whole. Bodies are
 * counted and not kept.
 */

export interface HttpResponse {
  readonly status: number
  /** Lower-case names; repeated ones are joined. */
  readonly headers: ReadonlyMap<string, string>
  bodyBytes: number
  complete: boolean
}

/** It says that it is the last of its connection. */
export const saysClose = (response: HttpResponse): boolean =>
  /(^|[\s,])close([\s,]|$)/i.test(response.headers.get("connection") ?? "")

type State =
  | { readonly _tag: "Head" }
  | { readonly _tag: "Length"; left: number }
  | { readonly _tag: "UntilClose" }
  | { readonly _tag: "ChunkSize" }
  | { readonly _tag: "Chunk"; left: number }
  | { readonly _tag: "Trailer" }
  | { readonly _tag: "Upgraded" }
  | { readonly _tag: "Malformed"; readonly what: string }

const maxHead = 64 * 1024

export class ResponseReader {
  /** Final responses in order; the last may be incomplete. */
  readonly responses: Array<HttpResponse> = []
  /** Statuses of the 1xx responses, without 101. */
  readonly informational: Array<number> = []
  #state: State = { _tag: "Head" }
  #rest: Buffer = Buffer.alloc(0)

  get complete(): number {
    const last = this.responses.at(-1)
    return this.responses.length - (last === undefined || last.complete ? 0 : 1)
  }

  get malformed(): string | undefined {
    return this.#state._tag === "Malformed" ? this.#state.what : undefined
  }

  /** What follows a response with status 101. */
  get upgraded(): Buffer | undefined {
    return this.#state._tag === "Upgraded" ? this.#rest : undefined
  }

  /** Bytes of a response that has not come whole, head included. */
  get begun(): number {
    return this.#rest.length + (this.responses.at(-1)?.complete === false ? this.responses.at(-1)!.bodyBytes : 0)
  }

  push(chunk: Buffer): void {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    while (this.#step());
  }

  /** The peer sent FIN: that is the end of a response without a length. */
  end(): void {
    const last = this.responses.at(-1)
    if (this.#state._tag === "UntilClose" && last !== undefined) last.complete = true
  }

  /** Whether there may be more to read of what has come. */
  #step(): boolean {
    const state = this.#state
    switch (state._tag) {
      case "Head":
        return this.#readHead()
      case "Length":
      case "Chunk":
        return this.#readBody(state)
      case "UntilClose":
        this.#take(this.#rest.length)
        return false
      case "ChunkSize":
        return this.#readChunkSize()
      case "Trailer":
        return this.#readTrailer()
      case "Upgraded":
      case "Malformed":
        return false
    }
  }

  #take(bytes: number): void {
    this.responses.at(-1)!.bodyBytes += bytes
    this.#rest = this.#rest.subarray(bytes)
  }

  #finish(): true {
    this.responses.at(-1)!.complete = true
    this.#state = { _tag: "Head" }
    return true
  }

  #readHead(): boolean {
    const end = this.#rest.indexOf("\r\n\r\n")
    if (end < 0) {
      if (this.#rest.length > maxHead) this.#state = { _tag: "Malformed", what: "a head of more than 64 KiB" }
      return false
    }
    const text = this.#rest.toString("latin1", 0, end)
    const status = /^HTTP\/1\.[01] (\d{3})/.exec(text)?.[1]
    if (status === undefined) {
      this.#state = { _tag: "Malformed", what: text.slice(0, 60) }
      return false
    }
    this.#rest = this.#rest.subarray(end + 4)
    this.#begin(Number(status), headersOf(text))
    return true
  }

  #begin(status: number, headers: ReadonlyMap<string, string>): void {
    if (status >= 100 && status < 200 && status !== 101) {
      this.informational.push(status)
      return
    }
    this.responses.push({ status, headers, bodyBytes: 0, complete: false })
    const length = headers.get("content-length")
    if (status === 101) {
      this.#finish()
      this.#state = { _tag: "Upgraded" }
    } else if (status === 204 || status === 304) this.#finish()
    else if (/\bchunked\b/i.test(headers.get("transfer-encoding") ?? "")) this.#state = { _tag: "ChunkSize" }
    else if (length === undefined) this.#state = { _tag: "UntilClose" }
    else if (Number(length) === 0) this.#finish()
    else this.#state = { _tag: "Length", left: Number(length) }
  }

  #readBody(state: { readonly _tag: "Length" | "Chunk"; left: number }): boolean {
    const bytes = Math.min(state.left, this.#rest.length)
    this.#take(bytes)
    state.left -= bytes
    if (state.left > 0) return false
    if (state._tag === "Length") return this.#finish()
    // the line end behind the data
    if (this.#rest.length < 2) return false
    this.#rest = this.#rest.subarray(2)
    this.#state = { _tag: "ChunkSize" }
    return true
  }

  #readChunkSize(): boolean {
    const end = this.#rest.indexOf("\r\n")
    if (end < 0) return false
    const line = this.#rest.toString("latin1", 0, end)
    if (!/^[0-9a-f]+/i.test(line)) {
      this.#state = { _tag: "Malformed", what: line.slice(0, 60) }
      return false
    }
    this.#rest = this.#rest.subarray(end + 2)
    const size = Number.parseInt(line, 16)
    this.#state = size === 0 ? { _tag: "Trailer" } : { _tag: "Chunk", left: size }
    return true
  }

  #readTrailer(): boolean {
    const end = this.#rest.indexOf("\r\n")
    if (end < 0) return false
    this.#rest = this.#rest.subarray(end + 2)
    return end === 0 ? this.#finish() : true
  }
}

const headersOf = (head: string): ReadonlyMap<string, string> => {
  const headers = new Map<string, string>()
  for (const line of head.split("\r\n").slice(1)) {
    const colon = line.indexOf(":")
    if (colon < 1) continue
    const name = line.slice(0, colon).toLowerCase()
    const value = line.slice(colon + 1).trim()
    const before = headers.get(name)
    headers.set(name, before === undefined ? value : `${before}, ${value}`)
  }
  return headers
}
