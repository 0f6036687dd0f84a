/**
 * A TLS handshake that is under way. Its connection is New from its accept on, whatever bytes have come, and falls to
 * the rule for those (Go's rule D13); once it is through, its protocol is what was negotiated.
 */
import type * as Tls from "node:tls"
import { connectionOf, type TrackedConnection } from "../core/connection.js"
import type { Exchange } from "../core/exchange.js"
import { ExchangeList } from "../core/exchangeList.js"
import type { Grace } from "../core/lifecycle.js"
import type { Protocol } from "../core/protocol.js"
import { rawSocketOf } from "../node/internals.js"

export class Handshake implements Protocol {
  readonly name = "tls"
  readonly parseFailed = false
  readonly exchanges = new ExchangeList<Exchange>()
  readonly #connection: TrackedConnection

  constructor(connection: TrackedConnection) {
    this.#connection = connection
  }

  keepUntil(grace: Grace): number {
    return this.#connection.connectedAt + grace.newConnection
  }

  opened(): void {}

  gracefulClose(): boolean {
    return false
  }

  announce(): boolean {
    return false
  }

  closeIdle(): void {
    this.#connection.socket.destroy()
  }

  abort(): void {
    this.#connection.socket.destroy()
  }

  onDeadline(): void {}

  onDestroyed(): boolean {
    return true
  }

  onEnded(): boolean {
    return false
  }

  onClosed(): void {}
}

/**
 * The handshake is through: from now on its connection is read and written decrypted. `undefined` where nothing is
 * known of the raw socket, as when somebody else has accepted it.
 */
export const secured = (socket: Tls.TLSSocket): TrackedConnection | undefined => {
  const connection = connectionOf(rawSocketOf(socket))
  if (connection === undefined) return undefined
  connection.bindSocket(socket)
  return connection
}

/** Plain HTTP has come where TLS was expected: says so, in what its client can read (Go's rule G9). */
export const rejectPlain = (error: Error, socket: Tls.TLSSocket): void => {
  const raw = rawSocketOf(socket)
  if ((error as { readonly code?: unknown }).code !== "ERR_SSL_HTTP_REQUEST" || connectionOf(raw) === undefined) return
  raw?.end("HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n")
}
