/**
 * A listener: one bound socket of a server (TCP, Unix, or a descriptor that was inherited).
 *
 * Closing the scope in which it was opened closes this listener alone; the connections that it accepted are served
 * on by their server, as are its other listeners (Go's rules B5, B6).
 *
 * @since 0.1.0
 */
import type * as HttpServer from "@effect/platform/HttpServer"
import * as Data from "effect/Data"
import type * as Effect from "effect/Effect"
import * as Inspectable from "effect/Inspectable"
import type * as Http from "node:http"
import type * as Http2 from "node:http2"
import type * as Https from "node:https"
import type * as Net from "node:net"
import type * as Tls from "node:tls"

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
 * One bound socket of a server.
 *
 * @since 0.1.0
 * @category models
 */
export interface Listener {
  /** Where it listens: with `port: 0`, the port that was chosen. */
  readonly address: HttpServer.Address
  /**
   * Stops accepting on this listener, and on no other. Connections that the kernel had already queued are accepted
   * first (for 200 ms at the most), and every connection is served on. Closing the listener's scope does the same.
   */
  readonly close: Effect.Effect<void>
}

/**
 * The server could not listen. The message names the option, its value, and what to do.
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
  /** The option that is to blame: `port`, `host`, `path`, `fd`, … */
  readonly field: string
  readonly value: unknown
  readonly remedy: string
  readonly cause: unknown
}> {
  override get message(): string {
    const why = (this.cause instanceof Error ? this.cause.message : String(this.cause)).replace(/\.+$/, "")
    return `Cannot listen with ${this.field} ${printValue(this.value)}: ${why}. ${this.remedy}`
  }
}

const printValue = (value: unknown): string =>
  typeof value === "string" ? JSON.stringify(value) : Inspectable.toStringUnknown(value, 0)
