/**
 * 503: no handler has seen the request, or its handler has not begun to answer. Its client may come back.
 */
import type * as Http from "node:http"
import * as Patch from "../node/patch.js"

/** Where the head was not written by a handler that is still running: written to the socket, and not to the response. */
export const raw503 = "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"

/** To a request that asked for an upgrade, which has no response. */
export const rawUpgrade503 =
  "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\nRetry-After: 1\r\n\r\n"

export const respond503 = (response: Http.ServerResponse): void => {
  if (response.destroyed || response.headersSent) return
  if (response.req.httpVersionMajor < 2) Patch.disableKeepAlive(response)
  response.writeHead(503, { "content-length": "0", "retry-after": "1" })
  response.end()
}
