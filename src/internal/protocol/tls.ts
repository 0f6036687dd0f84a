/**
 * A TLS handshake that is under way. Its connection is New from its accept on, whatever bytes have come, and falls to
 * the rule for those (Go's rule D13); once it is through, its protocol is what was negotiated.
 */
import type * as Net from "node:net"
import type * as Tls from "node:tls"
import { destroy, type Protocol } from "../core/protocol.js"
import { attach, type Open, openOf } from "../core/connections.js"

export const handshake: Protocol = {
  name: "tls",
  staysUntil: (open, grace) => open.connectedAt + grace.newConnection,
  leave: () => {},
  dismiss: destroy,
  cut: destroy,
  destroyed: () => true,
  closed: () => {}
}

/**
 * The handshake is through: from now on its connection is read and written decrypted. `undefined` where nothing is
 * known of the raw socket, as when somebody else has accepted it.
 */
export const secured = (socket: Tls.TLSSocket): Open | undefined => {
  const { _parent } = socket as unknown as { readonly _parent?: Net.Socket | null }
  const open = openOf(_parent)
  if (open === undefined) return undefined
  open.secure = true
  attach(open, socket)
  return open
}

/** Plain HTTP has come where TLS was expected: says so, in what its client can read (Go's rule G9). */
export const rejectPlain = (error: Error, socket: Tls.TLSSocket): void => {
  const { _parent: raw } = socket as unknown as { readonly _parent?: Net.Socket | null }
  if ((error as { readonly code?: unknown }).code !== "ERR_SSL_HTTP_REQUEST" || openOf(raw) === undefined) return
  raw?.end("HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n")
}
