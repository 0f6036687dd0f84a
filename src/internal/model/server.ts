/**
 * A server, as its owner sees it.
 */
import type * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type { LazyArg } from "effect/Function"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import type { Connection } from "./connection.js"
import type { DeadlineExceeded, InvalidPolicy, ServerClosed } from "./errors.js"
import type { Listener, ListenError, NodeServer, Options } from "./listener.js"
import type { Phase } from "./policy.js"
import type { HookReport, Report } from "./report.js"

/**
 * What happens in a server, as its `events` tell it. `at` is in milliseconds since the epoch.
 *
 * @since 0.1.0
 * @category models
 */
export type Event = Data.TaggedEnum<{
  /** The server has entered a phase. */
  PhaseChanged: { readonly phase: Phase; readonly at: number }
  /** A connection is in another state, or was accepted (`New`). */
  ConnectionChanged: { readonly connection: Connection }
  /** A hook has ended. */
  HookEnded: { readonly hook: HookReport }
  /**
   * Background work has failed, before a shutdown or in it.
   *
   * @since 0.3.0
   */
  BackgroundFailed: { readonly name: string; readonly cause: Cause.Cause<unknown> }
  /** The system could not accept a connection (EMFILE and its like). The server goes on. */
  AcceptFailed: { readonly error: Error }
}>

/**
 * The constructors and the matcher of {@link Event}.
 *
 * **Example**
 *
 * ```ts
 * import { Console, Effect, Stream } from "effect"
 * import { Server } from "quiesce"
 *
 * const watch = Server.Server.pipe(
 *   Effect.flatMap((server) =>
 *     Stream.runForEach(server.events, (event) =>
 *       Server.Event.$is("PhaseChanged")(event) ? Console.log(event.phase) : Effect.void)
 *   )
 * )
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const Event = Data.taggedEnum<Event>()

/**
 * A value that is now, and its changes.
 *
 * @since 0.1.0
 * @category models
 */
export interface Current<out A> {
  readonly get: Effect.Effect<A>
  /** Begins with the value of now. */
  readonly changes: Stream.Stream<A>
}

/**
 * What a server can do.
 *
 * @since 0.1.0
 * @category models
 */
export interface ServerService {
  /**
   * Listens with one more Node server, until its scope closes ([Go rules B5, B6](../../../docs/go-rules.md#b-listeners)). A Node
   * server that has a `request` listener keeps it. One that has none answers with the app that `HttpServer.serve`
   * attached.
   *
   * Fails with `ListenError` where it cannot bind; with `ServerClosed`, and without binding, once a shutdown has
   * begun ([Go rule B4](../../../docs/go-rules.md#b-listeners)).
   *
   * Its own `close`, called by other code, closes it alone while this server listens with others, and starts this
   * server's shutdown where it is the last of them, as that of an adopted one does.
   *
   * ```ts
   * import { Effect } from "effect"
   * import { Server } from "quiesce"
   * import { createServer } from "node:http"
   *
   * const AdminSocket = Effect.flatMap(
   *   Server.Server,
   *   (server) => server.listen(() => createServer(), { path: "/tmp/admin.sock" })
   * )
   * ```
   */
  readonly listen: (
    evaluate: LazyArg<NodeServer>,
    options: Options
  ) => Effect.Effect<Listener, ListenError | ServerClosed, Scope.Scope>
  /**
   * Takes over a Node server that something else has made, and listens with, or will: a framework's. Its handlers stay
   * its own; from now on it is drained with this server. Adopt it before its first connection: of those that are open
   * already, Node keeps a list for HTTP/1.1 alone.
   *
   * While it is adopted, its own `close` (and what comes down to that: `Symbol.asyncDispose`,
   * `cluster.worker.disconnect()`, a framework's or socket.io's) starts this server's shutdown, and calls back when it
   * has closed; after that, and until it listens again, it succeeds at once. `closeIdleConnections` and
   * `closeAllConnections` do nothing during a shutdown; outside of one, `closeAllConnections` cuts what is in flight,
   * and the log says how much. Closing the scope does what it does for `listen`. One that begins to listen only after a
   * shutdown has begun is closed at once.
   *
   * Fails with `ListenError` where it is no Node server, or one that has been listened with or adopted; with
   * `ServerClosed` once a shutdown has begun.
   *
   * ```ts
   * import { Effect } from "effect"
   * import { Server } from "quiesce"
   * import { createServer } from "node:http"
   *
   * const nodeServer = createServer((_, response) => response.end("hello")).listen(3000)
   *
   * const adopt = Effect.flatMap(Server.Server, (server) => server.adopt(nodeServer))
   * ```
   */
  readonly adopt: (
    server: NodeServer
  ) => Effect.Effect<Listener, ListenError | ServerClosed, Scope.Scope>
  /**
   * Runs `hook` once when draining starts, together with all others (Go's `RegisterOnShutdown`, [rule
   * D9](../../../docs/go-rules.md#d-shutdown), awaited). It may take until the deadline, or until its own `timeout`;
   * then it is interrupted. How it ended is in the report: a hook that fails or hangs never stops the shutdown, nor
   * makes it fail. Registered after the start, it runs at once. When the scope closes before a shutdown has begun, the
   * hook is taken back; after that, the scope waits for the hook to end.
   *
   * ```ts
   * import { Effect } from "effect"
   * import { Server } from "quiesce"
   *
   * const flushMetrics = Effect.log("flushed")
   *
   * const register = Effect.flatMap(
   *   Server.Server,
   *   (server) => server.onShutdown("flush metrics", flushMetrics, { timeout: "2 seconds" })
   * )
   * ```
   */
  readonly onShutdown: <A, E, R>(
    name: string,
    hook: Effect.Effect<A, E, R>,
    options?: { readonly timeout?: Duration.DurationInput | undefined }
  ) => Effect.Effect<void, InvalidPolicy, R | Scope.Scope>
  /**
   * Runs `effect` in the background: it outlives the request whose handler has started it, and a shutdown waits for it
   * as for a request. At the deadline it is interrupted, and has `killTimeout` for its finalizers. It has a scope of its
   * own, which closes when it has ended.
   *
   * How it ended is in the report (`background`). One that is interrupted then, or left behind, is work that was
   * accepted and lost: the outcome of the shutdown is `DeadlineExceeded`, and the process exits with 1. So is one that
   * fails after it was interrupted; one that succeeds all the same is not. One that fails is logged and counted, at any
   * time; before the deadline it fails no shutdown. One that somebody else interrupts is nobody's loss.
   *
   * `name` says what kind of work it is, and not which: reports and metrics add up what has one name.
   *
   * - **Work of a request** (answered with 202): nothing more to do. What waits in memory is waited for.
   * - **A consumer** that never ends by itself has to stop taking in when a shutdown begins, and to end when it has
   *   finished what it has: see {@link ServerService.shuttingDown}. What it uses must outlive it: start it by
   *   `Server.layerBackground`, on the layers of what it uses.
   *
   * Fails with `ServerClosed` once nothing is awaited any more: after the deadline, after `close`, and when the drain is
   * over. While the server drains it does not, since requests in flight may start some.
   *
   * ```ts
   * import { HttpServerResponse } from "@effect/platform"
   * import { Effect } from "effect"
   * import { Server } from "quiesce"
   *
   * declare const fulfil: (order: string) => Effect.Effect<void>
   *
   * const accept = (order: string) =>
   *   Effect.flatMap(Server.Server, (server) => server.background("orders", fulfil(order))).pipe(
   *     Effect.as(HttpServerResponse.text("accepted", { status: 202 })),
   *     Effect.catchTag("ServerClosed", () => Effect.succeed(HttpServerResponse.text("try again", { status: 503 })))
   *   )
   * ```
   *
   * @since 0.3.0
   */
  readonly background: <A, E, R>(
    name: string,
    effect: Effect.Effect<A, E, R>
  ) => Effect.Effect<Fiber.RuntimeFiber<A, E>, ServerClosed, Exclude<R, Scope.Scope>>
  /**
   * Shuts the server down gracefully, or joins the shutdown that has begun, and returns its report. There is one
   * shutdown, shared by all callers; a caller that is interrupted does not stop it. Fails with `DeadlineExceeded`
   * if requests were cut.
   *
   * From inside a handler, fork it: a shutdown waits for every handler, and for its caller too
   * ([Go rule D12](../../../docs/go-rules.md#d-shutdown)).
   */
  readonly shutdown: Effect.Effect<Report, DeadlineExceeded>
  /**
   * Starts draining without a lame duck, or ends the lame duck that has begun. Otherwise it does nothing, and it waits
   * for nothing: `closed` does.
   */
  readonly drainNow: Effect.Effect<void>
  /**
   * Cuts everything now (Go's `Close`, [rules E1 to E6](../../../docs/go-rules.md#e-close)): no hooks are started; handlers are
   * interrupted, and get `killTimeout` for their finalizers. During a shutdown it ends that one, and its callers get
   * this report.
   */
  readonly close: Effect.Effect<Report>
  /** Suspends until the server has shut down, and starts nothing. Fails like `shutdown`. */
  readonly closed: Effect.Effect<Report, DeadlineExceeded>
  /**
   * The current phase (`phase.get`), and its changes (`phase.changes`, which begins with the current one, and ends with
   * `"Closed"`).
   */
  readonly phase: Current<Phase>
  /**
   * Suspends until a shutdown begins. A stream that never ends by itself ends in time with
   * `Stream.interruptWhen(server.shuttingDown)`. A loop ends between two of its rounds where a round is uninterruptible
   * once it has taken something in:
   *
   * ```ts
   * import { Effect, Queue } from "effect"
   * import { Server } from "quiesce"
   *
   * declare const jobs: Queue.Dequeue<string>
   * declare const run: (job: string) => Effect.Effect<void>
   *
   * const consume = Effect.flatMap(Server.Server, ({ shuttingDown }) =>
   *   Effect.uninterruptibleMask((restore) => Effect.flatMap(restore(Queue.take(jobs)), run)).pipe(
   *     Effect.forever,
   *     Effect.raceFirst(shuttingDown)
   *   ))
   * ```
   */
  readonly shuttingDown: Effect.Effect<void>
  /** Who is connected, doing what, since when. */
  readonly connections: Effect.Effect<ReadonlyArray<Connection>>
  /**
   * Calls `observer` at each change of a connection's state, until the scope closes (Go's `ConnState`, [rules A1 to
   * A10](../../../docs/go-rules.md#a-connection-states)). It is called synchronously and must be quick; what it throws
   * is logged. Each connection is seen `New` once and `Closed` once, and `Closed` before the report is there.
   */
  readonly observe: (observer: (connection: Connection) => void) => Effect.Effect<void, never, Scope.Scope>
  /**
   * What happens, from now on, until the server has closed. Buffers 4,096 events per subscriber; the oldest are dropped.
   */
  readonly events: Stream.Stream<Event>
  /**
   * `false`: every response says `Connection: close`, and connections that are idle leave as they do in a drain,
   * while the server goes on serving; `true` takes that back (Go's `SetKeepAlivesEnabled`,
   * [rules C9, C10](../../../docs/go-rules.md#c-keep-alive)). No effect once a shutdown has begun.
   */
  readonly setKeepAlives: (enabled: boolean) => Effect.Effect<void>
}

/** What a server can do beyond what takes Effect's streams, which only programs on Effect load. */
export type PlainService = Omit<ServerService, "events" | "phase"> & { readonly phase: Pick<Current<Phase>, "get"> }

/**
 * The server that an app runs on.
 *
 * **Example**
 *
 * ```ts
 * import { HttpServerResponse } from "@effect/platform"
 * import { Effect } from "effect"
 * import { Server } from "quiesce"
 *
 * // an endpoint that says who is connected
 * const connections = Effect.gen(function*() {
 *   const server = yield* Server.Server
 *   return yield* HttpServerResponse.json(yield* server.connections)
 * })
 * ```
 *
 * @since 0.1.0
 * @category tags
 */
export class Server extends Context.Tag("quiesce/Server")<Server, ServerService>() {}
