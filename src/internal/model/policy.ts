/**
 * What a server that shuts down is told, and the phases that it goes through.
 */
import type * as Duration from "effect/Duration"
import type * as Schedule from "effect/Schedule"

/**
 * Where a server is in its life. It only ever moves forward.
 *
 * - `Serving`: accepting connections and answering requests.
 * - `LameDuck`: still accepting and serving, but asking every client to leave.
 * - `Draining`: no longer accepting; finishing what was begun.
 * - `Closed`: nothing is left open.
 *
 * @since 0.1.0
 * @category models
 */
export type Phase = "Serving" | "LameDuck" | "Draining" | "Closed"

const listed = { Serving: true, LameDuck: true, Draining: true, Closed: true } satisfies Record<Phase, true>

/** All of them, in their order. */
export const phases = Object.keys(listed) as ReadonlyArray<Phase>

/**
 * What peers of WebSockets are told when their server stops. Every field is optional.
 *
 * **Example**
 *
 * ```ts
 * import { NodeHttpServer } from "quiesce"
 * import { createServer } from "node:http"
 *
 * const ServerLive = NodeHttpServer.layer(() => createServer(), {
 *   port: 3000,
 *   webSocket: { code: 1012, reason: "restart", message: `{"type":"bye"}`, grace: "2 seconds" }
 * })
 * ```
 *
 * @since 0.3.0
 * @category models
 */
export interface WebSocketPolicy {
  /**
   * The status code of the close frame
   * ([RFC 6455 §7.4](https://www.rfc-editor.org/rfc/rfc6455#section-7.4)): 1000 to 1003, 1007 to 1014, or 3000 to 4999.
   * 1012 is "service restart", as registered with IANA. Default: 1001, "going away", as a server says that goes down.
   */
  readonly code?: number | undefined
  /** Its reason: 123 bytes of UTF-8 at the most. Default: `"the server is shutting down"`. */
  readonly reason?: string | undefined
  /**
   * A last message: a text, or bytes, sent `grace` before the close frame, as it is and to every WebSocket. One that
   * speaks RPC gets none, nor does one that is piped to another server. A client of socket.io would not understand it.
   * Default: none.
   */
  readonly message?: string | Uint8Array | undefined
  /**
   * How long a WebSocket stays open after its last message, for answers that are in flight: after the close frame,
   * nothing can be sent (RFC 6455 §5.5.1). Default: 0.
   */
  readonly grace?: Duration.DurationInput | undefined
}

/**
 * How a server stops. Every field is optional; a bare number is milliseconds.
 *
 * **Example**
 *
 * ```ts
 * import { NodeHttpServer } from "quiesce"
 * import { createServer } from "node:http"
 *
 * const ServerLive = NodeHttpServer.layer(() => createServer(), {
 *   port: 3000,
 *   timeout: "25 seconds",
 *   idleGrace: "keepAliveTimeout"
 * })
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export interface Policy {
  /**
   * How long to go on accepting and serving, asking every client to leave, before draining starts. Set it to the
   * time that your load balancer needs to stop sending new connections. Default: 0.
   */
  readonly lameDuck?: Duration.DurationInput | undefined
  /**
   * How long requests in flight and hooks may take once draining has started. `Duration.infinity` is no deadline, as
   * in Go's `Shutdown(context.Background())`. Default: 8 seconds.
   */
  readonly timeout?: Duration.DurationInput | undefined
  /**
   * How long interrupted handlers and hooks may take to finish their finalizers after the deadline, before what is
   * left is cut. Default: 1 second.
   */
  readonly killTimeout?: Duration.DurationInput | undefined
  /**
   * How long after its accept a connection that has never sent a byte is waited for
   * ([Go rule D13](../../../docs/go-rules.md#d-shutdown); Chromium opens such connections in advance). Default: 5 seconds.
   */
  readonly newConnectionGrace?: Duration.DurationInput | undefined
  /**
   * How long after it went idle a keep-alive connection is kept for its next request, which is then answered with
   * `Connection: close`. A client that was active a moment ago is about to send again, and closing under it loses
   * that request. `"keepAliveTimeout"` waits out the `Keep-Alive: timeout` that the last response promised, which loses
   * nothing to a client that honours it; `timeout` must then be longer than that promise and a second (less than a
   * second is an error). 0 closes idle connections at once, as Go does; otherwise one that has been idle for longer is
   * still given 50 milliseconds, and as long again after each request or answer on another one. Default: 500
   * milliseconds.
   */
  readonly idleGrace?: Duration.DurationInput | "keepAliveTimeout" | undefined
  /**
   * Whether event streams end when draining starts: responses of type `text/event-stream` to a GET whose `Accept` says, or
   * allows, `text/event-stream` (RFC 9110 §12.5.1: none, and `*\/*`, allow anything). All that has been written is sent, and
   * the end of a whole response, so that an `EventSource` connects again, elsewhere (HTML Living Standard, "Server-sent
   * events"). The `Stream` of an Effect app is interrupted; any other handler sees its client leave (`close`), and what it
   * writes after that is dropped. Hooks that still run delay this by 500 milliseconds at the most.
   *
   * An answer to a POST (chat completions, MCP), or one that says how long it is, is never ended early. Other streams end
   * themselves with `Server.untilShutdown`. `false` leaves all to the deadline, as Go does. Default: true.
   */
  readonly endEventStreams?: boolean | undefined
  /**
   * After how long the clients of event streams that are ended shall connect again: the `retry` field, in the last line of
   * the stream (HTML Living Standard, "Server-sent events"; an `EventSource` keeps it from then on). 0 says nothing, and
   * leaves it to the client, which waits for some seconds. Default: 0.
   *
   * @since 0.3.0
   */
  readonly eventStreamRetry?: Duration.DurationInput | undefined
  /**
   * Over how long connections that never end by themselves are told to leave, one after the other: WebSockets, event
   * streams, idle keep-alive connections and idle HTTP/2 sessions. Their clients connect again when they have been told,
   * and the servers that take them over get `connections / spread` of them a second instead of all at once. It is the last
   * part of the lame duck, or begins with the shutdown where the lame duck is shorter, and goes on while draining. So it
   * may be as long as the lame duck and half of `timeout`, less `webSocket.grace`. Default: 0, all at once.
   *
   * @since 0.3.0
   */
  readonly spread?: Duration.DurationInput | undefined
  /**
   * What peers of WebSockets are told. Default: close code 1001, "the server is shutting down", with no last message.
   *
   * @since 0.3.0
   */
  readonly webSocket?: WebSocketPolicy | undefined
  /**
   * Fallback polling: when to check again whether the drain is done. Normally the last close, or the end of a grace,
   * wakes the drain. A schedule that ends leaves only those. Default:
   * `Shutdown.pollSchedule`.
   */
  readonly pollSchedule?: Schedule.Schedule<unknown> | undefined
}
