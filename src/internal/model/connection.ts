/**
 * What an observer, a report or a handler sees of a connection.
 */

/**
 * The state of a connection, with the names of Go's `net/http` (rule A1 in docs/go-rules.md):
 *
 * - `New`: accepted; no request has arrived yet.
 * - `Active`: a request has arrived, and its answer has not left yet.
 * - `Idle`: between two requests.
 * - `Hijacked`: taken over by a handler, as a WebSocket. Unlike Go's it is still tracked, and ends `Closed`.
 * - `Closed`.
 *
 * @since 0.1.0
 * @category models
 */
export type ConnectionState = "New" | "Active" | "Idle" | "Hijacked" | "Closed"

/**
 * A connection as it was at one moment. Times are in milliseconds since the epoch, on a clock that does not
 * jump when the wall clock does.
 *
 * @since 0.1.0
 * @category models
 */
export interface Connection {
  /** Unique in its server, in the order of accept. */
  readonly id: number
  readonly state: ConnectionState
  /**
   * `"http/1.1"`; `"h2"`, over TLS or not; `"tls"` while it is shaking hands; once a handler has taken it over, what it
   * was upgraded to, such as `"websocket"`; `"tcp"` where its server speaks no HTTP.
   */
  readonly protocol: string
  /** Over TLS. */
  readonly secure: boolean
  /** `address:port`, or `"unknown"`: the peer of a Unix socket has no name. */
  readonly remoteAddress: string
  readonly connectedAt: number
  /** Since when it is in this state. */
  readonly stateSince: number
  /** Requests answered in full. */
  readonly served: number
  /**
   * What it is serving now, oldest first, the hundred oldest: several with pipelining, and with HTTP/2, which numbers its
   * streams.
   */
  readonly inFlight: ReadonlyArray<{
    readonly method: string
    readonly path: string
    readonly since: number
    readonly stream?: number
  }>
  /**
   * How many more are in flight than `inFlight` lists, where these are more than a hundred.
   *
   * @since 0.2.0
   */
  readonly moreInFlight?: number
}
