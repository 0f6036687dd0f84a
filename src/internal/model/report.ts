/**
 * What a shutdown says when it is over.
 */
import type * as Cause from "effect/Cause"
import type * as Duration from "effect/Duration"
import type * as Option from "effect/Option"
import type { Connection } from "./connection.js"

/**
 * A request that did not get its whole response before the deadline.
 *
 * @since 0.1.0
 * @category models
 */
export interface CutRequest {
  /** The `id` of its connection. */
  readonly connection: number
  /** The peer, as `address:port`, or `"unknown"` (a Unix socket has no name). */
  readonly remoteAddress: string
  readonly method: string
  readonly path: string
  /** The id of its stream, with HTTP/2. */
  readonly stream?: number
  /** How long it had been in flight when it was cut. */
  readonly age: Duration.Duration
  /**
   * What the client got: `"503"` (nothing had been sent, so it was told to come back), `"truncated"` (the response
   * had begun) or `"none"` (the connection was closed without a word).
   */
  readonly clientReceived: "503" | "truncated" | "none"
  /**
   * Who cut it, where that was not the shutdown: `"application"`, other code in this process that has destroyed the
   * socket or the HTTP/2 session before the answer had left; `"rpc"`, a call over a WebSocket or a socket whose server
   * of `@effect/rpc` runs without `withDrain` of `quiesce/rpc`: its client was asked to leave (close code 1001), or that
   * server was released, while the call ran.
   *
   * @since 0.2.0
   */
  readonly by?: "application" | "rpc"
}

/** In words. */
export const clientHasReceived: Readonly<Record<CutRequest["clientReceived"], string>> = {
  "503": "its client received 503",
  truncated: "its client received a part of the response",
  none: "its client received nothing"
}

/**
 * An event stream that the drain ended before its handler did, whose client got all that had been written and is to
 * connect again.
 *
 * @since 0.2.0
 * @category models
 */
export interface EndedStream {
  /** The `id` of its connection. */
  readonly connection: number
  /** The peer, as `address:port`, or `"unknown"` (a Unix socket has no name). */
  readonly remoteAddress: string
  readonly method: string
  readonly path: string
  /** The id of its stream, with HTTP/2. */
  readonly stream?: number
  /** How long it had been open when it ended. */
  readonly age: Duration.Duration
}

/**
 * How a hook ended.
 *
 * @since 0.1.0
 * @category models
 */
export interface HookReport {
  readonly name: string
  /**
   * `"Succeeded"`; `"Failed"` (it failed, died or interrupted itself); `"TimedOut"` (interrupted at its own limit or
   * at the deadline); `"Abandoned"` (it went on after it had been interrupted, and was left behind).
   */
  readonly outcome: "Succeeded" | "Failed" | "TimedOut" | "Abandoned"
  readonly duration: Duration.Duration
  /** Why, where there is a reason. */
  readonly cause: Option.Option<Cause.Cause<unknown>>
}

/**
 * What happened when a server stopped. All callers of `shutdown` and `close` get the same one.
 *
 * @since 0.1.0
 * @category models
 */
export interface Report {
  /**
   * `"Drained"`: every request got its whole response, unless its client left or its own handler gave it up.
   * `"DeadlineExceeded"`: those in `cut` did not, before the deadline. `"Cut"` (since 0.2.0): those in `cut` did not,
   * since other code in this process has destroyed their connections, or RPC runs without `withDrain` (`by`). `"Closed"`: `close` was called, by choice;
   * what it cut is in `cut` too.
   */
  readonly outcome: "Drained" | "DeadlineExceeded" | "Cut" | "Closed"
  /** When the shutdown began, in milliseconds since the epoch. */
  readonly startedAt: number
  /** From the beginning to the last close. */
  readonly duration: Duration.Duration
  /** How long the lame duck lasted. */
  readonly lameDuck: Duration.Duration
  /** From the closing of the listeners to the end, or to the deadline. */
  readonly draining: Duration.Duration
  /** From the deadline to the end. */
  readonly killing: Duration.Duration
  /** Requests answered in full since the shutdown began. */
  readonly served: number
  readonly connections: {
    /** Open when the shutdown began. */
    readonly open: number
    /** Accepted since: the lame duck's, and those that the kernel had queued. */
    readonly accepted: number
    /** Gone with their last response, or of their own accord. */
    readonly completed: number
    /** Idle, or never used, and closed by us. */
    readonly idleClosed: number
    /** Closed by us at the deadline, or by `close`; or by other code, with answers still owed. */
    readonly cut: number
  }
  /** The requests that did not get their whole response. */
  readonly cut: ReadonlyArray<CutRequest>
  /**
   * Event streams that were ended for the shutdown (`endEventStreams` of the policy), and that their clients have got in
   * full: no failure. They count as `served`, too.
   *
   * @since 0.2.0
   */
  readonly endedStreams: ReadonlyArray<EndedStream>
  /** Connections that were owed nothing and had to be closed all the same: no failure. */
  readonly forceClosed: ReadonlyArray<Connection>
  readonly handlers: {
    /** Request fibers interrupted at the deadline. */
    readonly interrupted: number
    /** Of these, the ones that ignored it for all of `killTimeout` and still run. */
    readonly abandoned: number
  }
  /** In the order of registration. */
  readonly hooks: ReadonlyArray<HookReport>
}

/** Requests were cut, and nobody has wanted that. */
export const isFailure = ({ outcome }: Report): boolean => outcome === "DeadlineExceeded" || outcome === "Cut"
