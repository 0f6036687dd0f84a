/** Node servers of every kind, and where they listen. */
import { once } from "node:events"
import * as Http from "node:http"
import * as Http2 from "node:http2"
import * as Https from "node:https"
import * as Net from "node:net"
import { certificate } from "./certificate.js"

/** `h2` over TLS speaks HTTP/1.1 too, to whom asks for it. */
export type Wire = "http" | "https" | "h2c" | "h2"

export type NodeServer = Http.Server | Https.Server | Http2.Http2Server | Http2.Http2SecureServer

/** What the two versions of HTTP have in common. */
export type Handler = (request: Http2.Http2ServerRequest, response: Http2.Http2ServerResponse) => void

export const createServer = (wire: Wire, handler?: Handler): NodeServer => {
  // the same listener serves both versions of HTTP
  const listener = handler as Http.RequestListener | undefined
  switch (wire) {
    case "http":
      return Http.createServer(listener)
    case "https":
      return Https.createServer(certificate, listener)
    case "h2c":
      return Http2.createServer(handler)
    case "h2":
      return Http2.createSecureServer({ ...certificate, allowHTTP1: true }, handler)
  }
}

/** Listens on a free port of the loopback interface. */
export const listenOnLoopback = async <Server extends Net.Server>(node: Server): Promise<Server> => {
  await once(node.listen(0, "127.0.0.1"), "listening")
  return node
}

export const portOf = (node: Net.Server): number => {
  const address = node.address()
  if (address === null || typeof address === "string") throw new Error(`no port: ${String(address)}`)
  return address.port
}

/** Whether this machine has such an address, as `::1`. */
export const canListenOn = (host: string): Promise<boolean> =>
  new Promise((resolve) => {
    const probe = Net.createServer().once("error", () => resolve(false))
    probe.listen(0, host, () => probe.close(() => resolve(true)))
  })
