/**
 * The end of a connection of HTTP/1.1 that is not graceful: what handlers have written leaves, whoever has no head is sent
 * a 503, and no more.
 */
import type { TrackedConnection } from "../core/connection.js"
import { discardUnread } from "../node/reading.js"
import type { Http1Exchange, Pipelined } from "./http1Exchange.js"
import { raw503 } from "./respond503.js"

export const abortHttp1 = (
  connection: TrackedConnection,
  on: Pipelined,
  first: Http1Exchange | undefined,
  hasMore: () => boolean
): void => {
  const { socket } = on
  connection.startClosing()
  const isCorked = socket.writableCorked > 0
  // what handlers have written in this turn waits for its end, and would go with the socket
  while (socket.writableCorked > 0) socket.uncork()
  on.freezeOutcomes()
  // written to the socket, not to the response: its handler may still be running, and must not find a head that it did
  // not write
  if (first?.response?.headersSent === false && socket.writable && socket.writableLength === 0) {
    first.answered503 = true
    socket.end(raw503)
    // TLS has not encrypted it yet: it has the turns until the drain destroys what is left
    if (socket.writableLength === 0 || connection.secure) return
  }
  if (isCorked && connection.secure) return
  // with bytes unread the kernel sends a RST, which takes back what it has not delivered of an answer
  if (hasMore() && discardUnread(socket)) return
  socket.destroy()
}
