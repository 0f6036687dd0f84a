/**
 * Node internals: the parsers of an HTTP/1.1 server that are in the middle of a message. Node keeps a list of them (its
 * `closeIdleConnections` reads it), under a symbol of its own; of a Node without it, none is.
 */
import type * as Http from "node:http"
import type * as Net from "node:net"
import { symbolNamed } from "./symbols.js"

interface Parsers {
  readonly active: () => ReadonlyArray<unknown>
}

export const activeParsers = (server: Http.Server): ReadonlyArray<unknown> => {
  const list = symbolNamed(server, "http.server.connections")
  return typeof (list as Parsers | null | undefined)?.active === "function" ? (list as Parsers).active() : []
}

/** The parser of a socket, and the server that has accepted it. */
export const parserOf = (
  socket: Net.Socket
): { readonly parser: object; readonly server: Http.Server } | undefined => {
  const { parser, server } = socket as { readonly parser?: object | null; readonly server?: Http.Server }
  return parser === null || parser === undefined || server === undefined ? undefined : { parser, server }
}
