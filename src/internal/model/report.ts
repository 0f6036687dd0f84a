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
   * of `@effect/rpc` runs without `withDrain` of `quiesce/rpc`, and was released while the call ran; or which came as its
   * client was asked to leave (close code 1001); `"noHandler"` (since 0.3.0), nobody: the shutdown has begun before there
   * was an app, or a listener, to answer it.
   *
   * @since 0.2.0
   */
  readonly by?: "application" | "noHandler" | "rpc"
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
 * How background work of one name ended, from the beginning of the shutdown on: all of it that ended in one way.
 *
 * @since 0.3.0
 * @category models
 */
export interface BackgroundReport {
  readonly name: string
  /**
   * `"Completed"`; `"Failed"`; `"Interrupted"` (at the deadline, or by `close`; what fails after that is, too);
   * `"Abandoned"` (it went on after that, and was left behind). The last two are work that is lost: with them, `outcome`
   * of the report is `"DeadlineExceeded"`.
   */
  readonly outcome: "Completed" | "Failed" | "Interrupted" | "Abandoned"
  /** How many of that name ended so. */
  readonly count: number
  /** How long the shutdown has waited for the longest of them. */
  readonly duration: Duration.Duration
  /** Why the first of them failed that did. */
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
   * since other code in this process has destroyed their connections, RPC runs without `withDrain`, or no handler was
   * there for them (`by`). `"Closed"`: `close` was called, by choice; what it cut is in `cut` too. Background work that
   * was interrupted at the deadline, or left behind, makes it `"DeadlineExceeded"`, too (since 0.3.0).
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
  /**
   * Background work that has ended since the shutdown began, or was left behind.
   *
   * @since 0.3.0
   */
  readonly background: ReadonlyArray<BackgroundReport>
}

/** Work that was accepted, and that the shutdown has not let end. */
export const isLost = ({ outcome }: BackgroundReport): boolean => outcome === "Interrupted" || outcome === "Abandoned"

/** Requests were cut, or background work was lost, and nobody has wanted that. */
export const isFailure = ({ outcome }: Report): boolean => outcome === "DeadlineExceeded" || outcome === "Cut"
