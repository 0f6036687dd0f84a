/**
 * Rejects requests that no handler has seen.
 */
import type * as Http from "node:http"
import type { Http2ServerResponse } from "node:http2"
import type * as Net from "node:net"
import { http1Of } from "./http1.js"
import { exchangeOf } from "./http2Exchange.js"
import { rawUpgrade503, respond503 } from "./respond503.js"

/** Answers a request with 503, which is no answer of a handler's. */
export const reject503 = (response: Http.ServerResponse): void => {
  if (response.destroyed || response.headersSent) return
  const exchange = response.req.httpVersionMajor > 1
    ? exchangeOf((response as unknown as Http2ServerResponse).stream)
    : http1Of(response.req.socket)?.find(response)
  if (exchange !== undefined) exchange.rejected = true
  respond503(response)
}

/** Answers a request that asked for an upgrade with 503. */
export const rejectUpgrade503 = (request: Http.IncomingMessage, socket: Net.Socket): void => {
  socket.end(rawUpgrade503)
  http1Of(request.socket)?.upgradeRejected(request)
}
