/** What a client has asked for, where a router has rewritten `url`. */
import type * as Http from "node:http"

/** A router that is mounted somewhere has rewritten `url`, and kept what it was (express, connect). */
export const originalUrlOf = (request: Http.IncomingMessage): string | undefined => {
  const { originalUrl } = request as { readonly originalUrl?: unknown }
  return typeof originalUrl === "string" ? originalUrl : request.url
}
