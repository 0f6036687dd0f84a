/**
 * A listener, and what it listens with.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type * as Http from "node:http"
import type * as Http2 from "node:http2"
import type * as Https from "node:https"
import type * as Net from "node:net"
import type * as Tls from "node:tls"
import { printValue } from "./errors.js"

/**
 * What can be listened with, and adopted: whatever Node's `createServer`s return. What each speaks is drained in its
 * own way: HTTP/1.1, HTTP/2 (cleartext, or over TLS with or without `allowHTTP1`), both over TLS, WebSockets and other
 * upgrades, and sockets that speak something else.
 *
 * @since 0.1.0
 * @category models
 */
export type NodeServer =
  | Http.Server
  | Https.Server
  | Http2.Http2Server
  | Http2.Http2SecureServer
  | Tls.Server
  | Net.Server

/**
 * Where to listen: Node's own options, and a descriptor.
 *
 * - TCP: `port` (0 chooses a free one), and `host` (default: all interfaces)
 * - Unix socket: `path`
 * - an inherited descriptor that is already bound, as from systemd: `fd`
 *
 * @since 0.1.0
 * @category models
 */
export interface Options extends Net.ListenOptions {
  /** An inherited descriptor that is already bound and listening. */
  readonly fd?: number | undefined
}

/**
 * Where a listener is bound: `@effect/platform`'s `HttpServer.Address`, member for member. It is declared here because
 * programs without `@effect/platform` have listeners, too. The host is as Node has it: `::` is all interfaces.
 *
 * **Example**
 *
 * ```ts
 * import { Listener } from "quiesce"
 *
 * const format = (address: Listener.Address): string =>
 *   address._tag === "UnixAddress" ? address.path : `${address.hostname}:${address.port}`
 * ```
 *
 * @since 0.2.0
 * @category models
 */
export type Address =
  | { readonly _tag: "TcpAddress"; readonly hostname: string; readonly port: number }
  | { readonly _tag: "UnixAddress"; readonly path: string }

/** For people. */
export const printAddress = (address: Address): string =>
  address._tag === "UnixAddress"
    ? address.path
    : `${address.hostname.includes(":") ? `[${address.hostname}]` : address.hostname}:${address.port}`

/**
 * One bound socket of a server.
 *
 * @since 0.1.0
 * @category models
 */
export interface Listener {
  /** Where it listens: with `port: 0`, the port that was chosen, once there is one: what is adopted may listen later. */
  readonly address: Address
  /**
   * Stops accepting on this listener, and on no other. Connections that the kernel had already queued are accepted
   * first (for a second at the most), and every connection is served on. Closing the listener's scope does the same.
   */
  readonly close: Effect.Effect<void>
}

/**
 * The server could not listen, or could not be taken over. The message names the option, its value, and what to do.
 *
 * **Example**
 *
 * ```ts
 * import { Console, Effect } from "effect"
 * import { Server } from "quiesce"
 * import { createServer } from "node:http"
 *
 * const listen = Server.Server.pipe(
 *   Effect.flatMap((server) => server.listen(() => createServer(), { port: 3000 })),
 *   Effect.catchTag("ListenError", (error) => Console.error(`${error.reason}: ${error.message}`))
 * )
 * ```
 *
 * @since 0.1.0
 * @category errors
 */
export class ListenError extends Data.TaggedError("ListenError")<{
  readonly reason:
    | "AddressInUse"
    | "AddressNotAvailable"
    | "PermissionDenied"
    | "NotFound"
    | "InvalidOption"
    | "Unknown"
  /** The option that is to blame: `port`, `host`, `path`, `fd`, … `server` is the Node server itself. */
  readonly field: string
  /** What the option was; of `server`, in words. */
  readonly value: unknown
  /** What could not be done. Default: `"listen with"`. */
  readonly operation?: "listen with" | "take over" | undefined
  readonly remedy: string
  readonly cause: unknown
}> {
  override get message(): string {
    const why = (this.cause instanceof Error ? this.cause.message : String(this.cause)).replace(/\.+$/, "")
    const what = this.field === "server" ? String(this.value) : `${this.field} ${printValue(this.value)}`
    return `Cannot ${this.operation ?? "listen with"} ${what}: ${why}. ${this.remedy}`
  }
}
