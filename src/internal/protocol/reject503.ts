/**
 * Rejects requests that no handler has seen.
 */
import type * as Http from "node:http"
import type * as Net from "node:net"
import { connectionOf } from "../core/connection.js"
import { http1Of } from "./http1.js"
import { rawUpgrade503, respond503 } from "./respond503.js"

/** Answers a request with 503. After the deadline that is all that its client is to be told. */
export const reject503 = (response: Http.ServerResponse): void => {
  if (response.destroyed || response.headersSent) return
  const { socket } = response.req
  if (connectionOf(socket)?.registry.lifecycle.isAborting === true) {
    const exchange = http1Of(socket)?.find(response)
    if (exchange !== undefined) exchange.rejected = true
  }
  respond503(response)
}

/** Answers a request that asked for an upgrade with 503. */
export const rejectUpgrade503 = (request: Http.IncomingMessage, socket: Net.Socket): void => {
  socket.end(rawUpgrade503)
  http1Of(request.socket)?.upgradeRejected()
}
