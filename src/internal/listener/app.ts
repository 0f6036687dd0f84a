/**
 * What answers where a Node server has no listener of its own.
 */
import type * as Http from "node:http"
import type * as Net from "node:net"

export interface App {
  readonly request: (request: Http.IncomingMessage, response: Http.ServerResponse) => void
  /** A request whose client waits for `100 Continue`, where the app decides when it comes: Node sends it otherwise. */
  readonly checkContinue: ((request: Http.IncomingMessage, response: Http.ServerResponse) => void) | undefined
  /** Whether requests can become anything that an `Upgrade` header may name, and not a WebSocket only. */
  readonly upgradesToAny: boolean
  readonly upgrade: (request: Http.IncomingMessage, socket: Net.Socket, head: Buffer) => void
  /** No app will come any more: those that still wait are answered with 503. */
  readonly rejectPending: () => void
  /** An app has been attached, now or before: there is one in the life of a server. */
  readonly taken: () => boolean
}
