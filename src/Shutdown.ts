/**
 * How a server stops: the {@link Policy} that bounds it, the {@link Phase}s it goes through and the {@link Report}
 * of what happened.
 *
 * A shutdown goes through four phases:
 *
 * 1. **LameDuck** (`lameDuck`, default 0): still accepting and serving, but every response says `Connection: close`,
 *    so that clients and load balancers move on of their own accord.
 * 2. **Draining** (`timeout`, default 8 s): listeners close, hooks start together, idle connections are closed,
 *    requests in flight finish.
 * 3. **The deadline**: request fibers are interrupted (a handler that has not answered answers 503) and get
 *    `killTimeout` (default 1 s) to finish their finalizers; what is still open then is cut.
 * 4. **Closed**: the report. A request that did not get its whole answer makes the shutdown fail with
 *    {@link DeadlineExceeded}, so that a process under `NodeRuntime.runMain` exits with 1.
 *
 * **Gotchas**
 *
 * - The defaults add up to 9 s, so that they fit in the 10 s of `docker stop`. Under Kubernetes raise `timeout` with
 *   `terminationGracePeriodSeconds`.
 * - Only `timeout` may be infinite. Without a deadline a shutdown takes as long as its slowest client.
 *
 * @since 0.1.0
 */
import type * as Cause from "effect/Cause"
import * as Config from "effect/Config"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Inspectable from "effect/Inspectable"
import type * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import type * as Connection from "./Connection.js"
import * as PolicyConfig from "./internal/policyConfig.js"
import * as Presets from "./internal/presets.js"
import { clip } from "./internal/progress.js"

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
 *   idleGrace: "promised"
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
   * How long after its accept a connection that has never sent a byte is waited for (Go's rule D13; Chromium opens
   * such connections in advance). Default: 5 seconds.
   */
  readonly newConnectionGrace?: Duration.DurationInput | undefined
  /**
   * How long after it went idle a keep-alive connection is kept for its next request, which is then answered with
   * `Connection: close`. A client that was active a moment ago is about to send again, and closing under it loses
   * that request. `"promised"` waits out the `Keep-Alive: timeout` that the last response promised, which loses
   * nothing to a client that honours it; `timeout` must then be longer than that promise and a second (less than a
   * second is an error). 0 closes idle connections at once, as Go does; otherwise one that has been idle for longer is
   * still given 50 milliseconds. Default: 500 milliseconds.
   */
  readonly idleGrace?: Duration.DurationInput | "promised" | undefined
  /**
   * Whether responses of type `text/event-stream` that an Effect app makes from a `Stream` end when draining starts: in
   * full, with their last chunk, so that an `EventSource` connects again, elsewhere (HTML Living Standard, "Server-sent
   * events"). Other streams end themselves with `Server.untilShutdown`. `false` leaves them to the deadline, as Go does.
   * Default: true.
   */
  readonly endEventStreams?: boolean | undefined
  /**
   * When to look again whether the drain is done. The last close and the end of a grace wake it anyway; this is the
   * net under them. A schedule that ends leaves only those. Default: {@link pollSchedule}.
   */
  readonly pollSchedule?: Schedule.Schedule<unknown> | undefined
}

/**
 * Go's poll law (`net/http` `Server.Shutdown`, rule D2): 1 ms, doubling, capped at 500 ms, each plus up to 10 %
 * jitter, in whole milliseconds. Without the jitter the checks fall at 0, 1, 3, 7, 15, 31, 63, 127, 255, 511,
 * 1011 … ms.
 *
 * **Example**
 *
 * ```ts
 * import { Effect, Schedule } from "effect"
 * import { Server, Shutdown } from "quiesce"
 *
 * // the same law, with a line for each look
 * const ServerLive = Server.layer({
 *   pollSchedule: Shutdown.pollSchedule.pipe(Schedule.tapOutput(() => Effect.logDebug("looking again")))
 * })
 * ```
 *
 * @since 0.1.0
 * @category policies
 */
export const pollSchedule: Schedule.Schedule<unknown> = Schedule.exponential("1 millis").pipe(
  Schedule.union(Schedule.spaced("500 millis")),
  Schedule.jitteredWith({ min: 1, max: 1.1 }),
  // `Clock.currentTimeNanos` throws under `TestClock` when a sleep has a fraction of a millisecond
  Schedule.delayed((delay) => Duration.millis(Math.floor(Duration.toMillis(delay))))
)

/**
 * The policy of a server for which nothing was chosen. `timeout` and `killTimeout` together fit in the 10 seconds
 * that `docker stop` gives a container.
 *
 * **Example**
 *
 * ```ts
 * import { Server, Shutdown } from "quiesce"
 *
 * const ServerLive = Server.layer({ ...Shutdown.defaultPolicy, timeout: "20 seconds" })
 * ```
 *
 * @since 0.1.0
 * @category policies
 */
export const defaultPolicy: { readonly [K in keyof Policy]-?: NonNullable<Policy[K]> } = {
  lameDuck: 0,
  timeout: "8 seconds",
  killTimeout: "1 second",
  newConnectionGrace: "5 seconds",
  idleGrace: "500 millis",
  endEventStreams: true,
  pollSchedule
}

/**
 * Go's numbers (`net/http` `Server.Shutdown` with a background context): no lame duck, no deadline, no grace for
 * idle connections, 5 seconds for those that never sent a byte (rules D3, D13).
 *
 * **Example**
 *
 * ```ts
 * import { NodeHttpServer, Shutdown } from "quiesce"
 * import { createServer } from "node:http"
 *
 * const ServerLive = NodeHttpServer.layer(() => createServer(), { port: 3000, ...Shutdown.goPolicy })
 * ```
 *
 * @since 0.1.0
 * @category policies
 */
export const goPolicy: Policy = {
  lameDuck: 0,
  timeout: Duration.infinity,
  killTimeout: 0,
  newConnectionGrace: "5 seconds",
  idleGrace: 0,
  endEventStreams: false,
  pollSchedule
}

/**
 * For a pod: `terminationGracePeriodSeconds` (default: 30 seconds) in its parts.
 *
 * - `lameDuck`, 5 seconds: the endpoint is removed from services while the pod already stops, and whoever balances the
 *   load hears of it a few seconds later. No `preStop` sleep is needed; one that there is counts against the period.
 * - `killTimeout`, 1 second, and 1 second for the release of everything else.
 * - `timeout`: what is left of the period, 23 of 30 seconds.
 * - `idleGrace: "promised"`: a proxy that keeps connections to the pod loses nothing on them. It takes the server's
 *   `keepAliveTimeout` (Node's default: 5 seconds) and a second after the last response, within `timeout`.
 *
 * Throws `InvalidPolicy` where the period is too short for that.
 *
 * **Example**
 *
 * ```ts
 * import { NodeHttpServer, Shutdown } from "quiesce"
 * import { createServer } from "node:http"
 *
 * const ServerLive = NodeHttpServer.layer(() => createServer(), {
 *   port: 3000,
 *   ...Shutdown.kubernetes({ terminationGracePeriod: "60 seconds" })
 * })
 * ```
 *
 * @since 0.1.0
 * @category policies
 */
export const kubernetes = (options: {
  /** `terminationGracePeriodSeconds` of the pod. Default: 30 seconds. */
  readonly terminationGracePeriod?: Duration.DurationInput | undefined
  /** How long clients may go on sending after the pod was told to stop. Default: 5 seconds. */
  readonly lameDuck?: Duration.DurationInput | undefined
  /** The `keepAliveTimeout` of the Node server. Default: 5 seconds, as Node's. */
  readonly keepAliveTimeout?: Duration.DurationInput | undefined
} = {}): Policy => ({
  ...within(
    "terminationGracePeriod",
    options.terminationGracePeriod ?? "30 seconds",
    millisOf("lameDuck", options.lameDuck ?? Presets.lameDuckMillis),
    millisOf("keepAliveTimeout", options.keepAliveTimeout ?? Presets.keepAliveMillis) + Presets.wayMillis
  ),
  idleGrace: "promised"
})

/**
 * For a container under `docker stop` or Compose: its 10 seconds (`--time`, `stop_grace_period`) in their parts. No
 * lame duck, for nobody is told to send elsewhere; `killTimeout` 1 second, 1 second for the release of everything else,
 * and `timeout` what is left: 8 seconds. Throws `InvalidPolicy` where the time is too short for that.
 *
 * **Example**
 *
 * ```ts
 * import { NodeHttpServer, Shutdown } from "quiesce"
 * import { createServer } from "node:http"
 *
 * const ServerLive = NodeHttpServer.layer(() => createServer(), {
 *   port: 3000,
 *   ...Shutdown.docker({ stopTimeout: "30 seconds" })
 * })
 * ```
 *
 * @since 0.1.0
 * @category policies
 */
export const docker = (options: {
  /** `docker stop --time`, or `stop_grace_period`. Default: 10 seconds, as Docker's. */
  readonly stopTimeout?: Duration.DurationInput | undefined
} = {}): Policy => within("stopTimeout", options.stopTimeout ?? "10 seconds", 0)

/**
 * For a systemd service: its `TimeoutStopSec=` (default: 90 seconds) in its parts. No lame duck; `killTimeout` 1
 * second, 1 second for the release of everything else, and `timeout` what is left: 88 seconds. Throws `InvalidPolicy`
 * where the time is too short for that.
 *
 * **Example**
 *
 * ```ts
 * import { NodeHttpServer, Shutdown } from "quiesce"
 * import { createServer } from "node:http"
 *
 * const ServerLive = NodeHttpServer.layer(() => createServer(), {
 *   port: 3000,
 *   ...Shutdown.systemd({ timeoutStop: "30 seconds" })
 * })
 * ```
 *
 * @since 0.1.0
 * @category policies
 */
export const systemd = (options: {
  /** `TimeoutStopSec=`. Default: 90 seconds, as `DefaultTimeoutStopSec=`. */
  readonly timeoutStop?: Duration.DurationInput | undefined
} = {}): Policy => within("timeoutStop", options.timeoutStop ?? "90 seconds", 0)

/**
 * For Ctrl-C while developing: no grace for connections that a browser keeps or has opened in advance, and 2 seconds
 * for requests in flight.
 *
 * **Example**
 *
 * ```ts
 * import { NodeHttpServer, Shutdown } from "quiesce"
 * import { createServer } from "node:http"
 *
 * const ServerLive = NodeHttpServer.layer(() => createServer(), { port: 3000, ...Shutdown.development })
 * ```
 *
 * @since 0.1.0
 * @category policies
 */
export const development: Policy = {
  lameDuck: 0,
  timeout: "2 seconds",
  killTimeout: "500 millis",
  newConnectionGrace: 0,
  idleGrace: 0
}

const millisOf = (field: string, value: Duration.DurationInput): number => {
  const millis = Duration.toMillis(value)
  if (Number.isFinite(millis) && (typeof value !== "number" || value >= 0)) return millis
  throw new InvalidPolicy({ field, value, expected: `a duration of 0 or more, and finite, such as "30 seconds"` })
}

const within = (field: string, allowed: Duration.DurationInput, lameDuck: number, least = 0): Policy => {
  const parts = Presets.draining({ field, millis: millisOf(field, allowed), lameDuck, draining: least })
  if ("timeout" in parts) return { lameDuck, timeout: parts.timeout, killTimeout: Presets.killMillis }
  const { killMillis, marginMillis } = Presets
  throw new InvalidPolicy({
    field,
    value: allowed,
    expected: `${Duration.format(Duration.millis(parts.least))} or more: `
      + `${lameDuck} ms of lame duck, ${least} ms of draining, ${killMillis} ms of killTimeout and `
      + `${marginMillis} ms for the release of everything else`
  })
}

/**
 * The whole policy from the configuration. What is not set is taken from `defaults`, such as a preset.
 *
 * | name                            | unit, bounds                                                             |
 * | ------------------------------- | ------------------------------------------------------------------------ |
 * | `SHUTDOWN_LAME_DUCK`            | a duration of 0 or more, finite                                          |
 * | `SHUTDOWN_TIMEOUT`              | a duration of 0 or more, or `infinity`                                   |
 * | `SHUTDOWN_KILL_TIMEOUT`         | a duration of 0 or more, finite                                          |
 * | `SHUTDOWN_NEW_CONNECTION_GRACE` | a duration of 0 or more, finite                                          |
 * | `SHUTDOWN_IDLE_GRACE`           | a duration of 0 or more, finite; or `promised` (then the timeout is 1 second at the least) |
 * | `SHUTDOWN_END_EVENT_STREAMS`    | `true` or `false`                                                        |
 *
 * A duration is a number with a unit (`20 seconds`, `500 millis`, `2 minutes`), or a bare number of milliseconds. What
 * it cannot be is a `ConfigError` that names it.
 *
 * **Example**
 *
 * ```ts
 * import { Config } from "effect"
 * import { NodeHttpServer, Shutdown } from "quiesce"
 * import { createServer } from "node:http"
 *
 * const ServerLive = NodeHttpServer.layerConfig(
 *   () => createServer(),
 *   Config.all({ port: Config.integer("PORT"), policy: Shutdown.config(Shutdown.docker()) }).pipe(
 *     Config.map(({ policy, port }) => ({ port, ...policy }))
 *   )
 * )
 * ```
 *
 * @since 0.1.0
 * @category policies
 */
export const config = (defaults: Policy = {}): Config.Config<Policy> =>
  Config.all({
    lameDuck: Config.withDefault(PolicyConfig.duration("SHUTDOWN_LAME_DUCK"), defaults.lameDuck),
    timeout: Config.withDefault(PolicyConfig.infinite("SHUTDOWN_TIMEOUT"), defaults.timeout),
    killTimeout: Config.withDefault(PolicyConfig.duration("SHUTDOWN_KILL_TIMEOUT"), defaults.killTimeout),
    newConnectionGrace: Config.withDefault(
      PolicyConfig.duration("SHUTDOWN_NEW_CONNECTION_GRACE"),
      defaults.newConnectionGrace
    ),
    idleGrace: Config.withDefault(PolicyConfig.orPromised("SHUTDOWN_IDLE_GRACE"), defaults.idleGrace),
    endEventStreams: Config.withDefault(Config.boolean("SHUTDOWN_END_EVENT_STREAMS"), defaults.endEventStreams),
    pollSchedule: Config.succeed(defaults.pollSchedule)
  })

/**
 * A request that did not get its whole answer before the deadline.
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
  readonly answer: "503" | "truncated" | "none"
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
   * `"Drained"`: every request got its whole answer. `"DeadlineExceeded"`: those in `cut` did not. `"Closed"`:
   * `close` was called, by choice; what it cut is in `cut` too.
   */
  readonly outcome: "Drained" | "DeadlineExceeded" | "Closed"
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
    readonly left: number
    /** Idle, or never used, and closed by us. */
    readonly dismissed: number
    /** Closed by us at the deadline, or by `close`. */
    readonly cut: number
  }
  /** The requests that did not get their whole answer. */
  readonly cut: ReadonlyArray<CutRequest>
  /** Connections that were owed nothing and had to be closed all the same: no failure. */
  readonly forced: ReadonlyArray<Connection.Connection>
  readonly handlers: {
    /** Request fibers interrupted at the deadline. */
    readonly interrupted: number
    /** Of these, the ones that ignored it for all of `killTimeout` and still run. */
    readonly abandoned: number
  }
  /** In the order of registration. */
  readonly hooks: ReadonlyArray<HookReport>
}

/**
 * A field of a {@link Policy} (or the limit of a hook) has a value that it cannot have. The message names the field,
 * the value and what would be right.
 *
 * @since 0.1.0
 * @category errors
 */
export class InvalidPolicy extends Data.TaggedError("InvalidPolicy")<{
  readonly field: string
  readonly value: unknown
  readonly expected: string
}> {
  override get message(): string {
    return `${this.field} is ${printValue(this.value)}, and must be ${this.expected}`
  }
}

/**
 * Requests were cut at the deadline: they are in `report.cut`. `shutdown` fails with it, and the finalizer of the
 * server dies with it, so that a process under `NodeRuntime.runMain` exits with 1.
 *
 * **Example**
 *
 * ```ts
 * import { Console, Effect } from "effect"
 * import { Server } from "quiesce"
 *
 * const stop = Server.Server.pipe(
 *   Effect.flatMap((server) => server.shutdown),
 *   Effect.catchTag("DeadlineExceeded", ({ report }) => Console.error(`${report.cut.length} requests were cut`))
 * )
 * ```
 *
 * @since 0.1.0
 * @category errors
 */
export class DeadlineExceeded extends Data.TaggedError("DeadlineExceeded")<{ readonly report: Report }> {
  override get message(): string {
    const { cut, draining } = this.report
    const shown = cut.slice(0, 5).map((request) =>
      `${request.method} ${clip(request.path)} (${Duration.format(request.age)}, ${request.answer})`
    )
    const more = cut.length > shown.length ? ` and ${cut.length - shown.length} more` : ""
    return `${cut.length} request${cut.length === 1 ? "" : "s"} did not get the whole answer before the deadline, `
      + `${Duration.format(draining)} after draining began: ${shown.join(", ")}${more}. `
      + `Raise \`timeout\`, or let the handler end earlier (see \`Server.shuttingDown\`).`
  }
}

/**
 * The server has begun to shut down, or is closed, and cannot be used for `operation` any more (Go's
 * `ErrServerClosed`, rules B4, B10). A server stops once: make a new one.
 *
 * @since 0.1.0
 * @category errors
 */
export class ServerClosed extends Data.TaggedError("ServerClosed")<{ readonly operation: string }> {
  override get message(): string {
    return `${this.operation}: this server has begun to shut down. A server stops once; make a new one.`
  }
}

const printValue = (value: unknown): string =>
  typeof value === "string"
    ? JSON.stringify(value)
    : Duration.isDuration(value)
    ? Duration.format(value)
    : typeof value === "function"
    ? "a function"
    : clip(Inspectable.toStringUnknown(value, 0))
