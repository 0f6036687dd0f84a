/**
 * How a response of HTTP/1.1 asks its client to leave: `Connection: close` (RFC 9112 §9.6).
 */
import type * as Http from "node:http"
import * as Patch from "../node/patch.js"

/**
 * Makes a response whose head has not been written ask the client to leave. Whether it may is known only when the head is
 * written: `closes` is asked then, and what it says is done.
 */
export const closeAfter = (response: Http.ServerResponse, closes: () => boolean, onHead: () => void): void => {
  if (response.headersSent) return
  const { writeHead } = response
  Patch.writeHead(response, function(statusCode, ...rest) {
    if (statusCode !== 101 && closes()) {
      Patch.disableKeepAlive(response)
      // what the handler says about the connection is dropped (Go's rule C2)
      if (response.hasHeader("connection")) response.setHeader("connection", "close")
      rest = rest.map(withoutConnection)
    }
    Reflect.apply(writeHead, this, [statusCode, ...rest])
    onHead()
    return response
  })
}

/** Headers as `writeHead` takes them (an object, pairs, or a flat list), without `Connection`. */
const withoutConnection = (headers: unknown): unknown => {
  const keeps = (name: unknown) => String(name).toLowerCase() !== "connection"
  if (Array.isArray(headers)) {
    return Array.isArray(headers[0])
      ? headers.filter(([name]) => keeps(name))
      : headers.filter((_, index) => keeps(headers[index - index % 2]))
  }
  return typeof headers === "object" && headers !== null
    ? Object.fromEntries(Object.entries(headers).filter(([name]) => keeps(name)))
    : headers
}
