/** A server of Node: plain, with TLS, or with HTTP/2 over TLS. */
import * as Http from "node:http"
import * as Http2 from "node:http2"
import * as Https from "node:https"
import { tls } from "./app.mjs"

export const createServer = (listener) => {
  if (tls === undefined) return Http.createServer(listener)
  return process.env.TLS_HTTP2 === undefined
    ? Https.createServer(tls, listener)
    : Http2.createSecureServer({ ...tls, allowHTTP1: true }, listener)
}
