/**
 * A server is a scoped resource, and shutting it down is closing its scope.
 *
 * ```text
 * application scope                      closed by NodeRuntime.runMain on SIGINT / SIGTERM
 * ├─ services the handlers use           released LAST: no request ever sees a closed pool
 * ├─ Server
 * │   ├─ Listener …                      released first: stop accepting
 * │   ├─ onShutdown hook …               run once, when draining starts
 * │   └─ Connection …                    idle: asked to leave at once; active: awaited
 * │        ├─ its own scope              what a handler attached to this connection
 * │        └─ request fibers             interrupted only after the deadline, and then awaited
 * └─ serve(app)                          its finalizer starts the drain and keeps handlers attached until it ends
 * ```
 *
 * With `@effect/platform`, use `NodeHttpServer`, whose layers provide a {@link Server} as well. Use this
 * module to reach that server from elsewhere (`onShutdown`, `shuttingDown`, `connections`, …), and to run plain
 * `node:http` servers.
 *
 * **What is seen of a shutdown**
 *
 * - Its log, through Effect's `Logger`: the beginning, the phases, what it waits for (every second at first, then less
 *   often), the deadline, each hook, the report. Each is one line. All of it as data is in one annotation, `quiesce`,
 *   which every logger gets but the pretty one: `event` (`ShutdownStarted`, `DrainingStarted`, `Waiting`, `HookEnded`,
 *   `DeadlineExceeded`, `Closing`, `ShutdownEnded`), `listeners`, `phase`, `connections` by state, `inFlight` (how many
 *   requests), `requests` (the 20 oldest: `method`, `path`, `remoteAddress`, `ageMillis`), `hooks`, `leftMillis`; at the
 *   end `outcome`, `durationMillis`, `served`, `cut`, `cutRequests`, …
 * - Its spans, where there is a `Tracer`: `quiesce.shutdown`, and in it `quiesce.lame_duck`, `quiesce.draining`
 *   (`quiesce.close_listeners`, `quiesce.hook`, `quiesce.wait`) and `quiesce.kill`.
 * - Its metrics, with `Metrics`, and on a terminal a live status, with `Status`.
 *
 * **Gotchas**
 *
 * - A server stops once. After a shutdown or a close, `listen` fails with `ServerClosed`.
 * - `Layer.launch` runs until it is interrupted, whatever the server does. If something other than a signal may stop
 *   the server, run {@link launch} instead: it ends when the server has shut down, and returns its report.
 * - A hook belongs to the scope that registered it. A scope that closes while the server still serves takes its hooks
 *   back; register in a layer that the serving layer is built on, or beside it.
 *
 * @since 0.1.0
 * @module
 */

import * as Cause from "effect/Cause"
import * as Config from "effect/Config"
import type * as ConfigError from "effect/ConfigError"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { LazyArg } from "effect/Function"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type * as Subscribable from "effect/Subscribable"
import type { Connection } from "./Connection.js"
import { checkNames, policyNames } from "./internal/policy/optionNames.js"
import * as internal from "./internal/server/make.js"
import { untilClosed } from "./internal/signals/program.js"
import type * as Listener from "./Listener.js"
import * as Shutdown from "./Shutdown.js"

/**
 * What happens in a server, as its `events` tell it. `at` is in milliseconds since the epoch.
 *
 * @since 0.1.0
 * @category models
 */
export type Event = Data.TaggedEnum<{
  /** The server has entered a phase. */
  PhaseChanged: { readonly phase: Shutdown.Phase; readonly at: number }
  /** A connection is in another state, or was accepted (`New`). */
  ConnectionChanged: { readonly connection: Connection }
  /** A hook has ended. */
  HookEnded: { readonly hook: Shutdown.HookReport }
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
 * What a server can do.
 *
 * @since 0.1.0
 * @category models
 */
export interface ServerService {
  /**
   * Listens with one more Node server, until its scope closes ([Go rules B5, B6](../docs/go-rules.md#b-listeners)). A Node
   * server that has a `request` listener keeps it. One that has none answers with the app that `HttpServer.serve`
   * attached.
   *
   * Fails with `ListenError` where it cannot bind; with `ServerClosed`, and without binding, once a shutdown has
   * begun ([Go rule B4](../docs/go-rules.md#b-listeners)).
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
    evaluate: LazyArg<Listener.NodeServer>,
    options: Listener.Options
  ) => Effect.Effect<Listener.Listener, Listener.ListenError | Shutdown.ServerClosed, Scope.Scope>
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
    server: Listener.NodeServer
  ) => Effect.Effect<Listener.Listener, Listener.ListenError | Shutdown.ServerClosed, Scope.Scope>
  /**
   * Runs `hook` once when draining starts, together with all others (Go's `RegisterOnShutdown`,
   * [rule D9](../docs/go-rules.md#d-shutdown), awaited). It may take until the deadline, or until its own `timeout`; then it is
   * interrupted. How it ended is in the report: a hook that fails or hangs never stops the shutdown, nor makes it fail.
   * Registered after the start, it runs at once. When the scope closes before a shutdown has begun, the hook is taken
   * back; after that, the scope waits for the hook to end.
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
  ) => Effect.Effect<void, Shutdown.InvalidPolicy, R | Scope.Scope>
  /**
   * Shuts the server down gracefully, or joins the shutdown that has begun, and returns its report. There is one
   * shutdown, shared by all callers; a caller that is interrupted does not stop it. Fails with `DeadlineExceeded`
   * if requests were cut.
   *
   * From inside a handler, fork it: a shutdown waits for every handler, and for its caller too
   * ([Go rule D12](../docs/go-rules.md#d-shutdown)).
   */
  readonly shutdown: Effect.Effect<Shutdown.Report, Shutdown.DeadlineExceeded>
  /**
   * Starts draining without a lame duck, or ends the lame duck that has begun. Otherwise it does nothing, and it waits
   * for nothing: `closed` does.
   */
  readonly drainNow: Effect.Effect<void>
  /**
   * Cuts everything now (Go's `Close`, [rules E1 to E6](../docs/go-rules.md#e-close)): no hooks are started; handlers are
   * interrupted, and get `killTimeout` for their finalizers. During a shutdown it ends that one, and its callers get
   * this report.
   */
  readonly close: Effect.Effect<Shutdown.Report>
  /** Suspends until the server has shut down, and starts nothing. Fails like `shutdown`. */
  readonly closed: Effect.Effect<Shutdown.Report, Shutdown.DeadlineExceeded>
  /** The current phase (`phase.get`), and its changes (`phase.changes`, which begins with the current one). */
  readonly phase: Subscribable.Subscribable<Shutdown.Phase>
  /**
   * Suspends until a shutdown begins. A stream that never ends by itself ends in time with
   * `Stream.interruptWhen(server.shuttingDown)`.
   */
  readonly shuttingDown: Effect.Effect<void>
  /** Who is connected, doing what, since when. */
  readonly connections: Effect.Effect<ReadonlyArray<Connection>>
  /**
   * Calls `observer` at each change of a connection's state, until the scope closes (Go's `ConnState`,
   * [rules A1 to A10](../docs/go-rules.md#a-connection-states)). It is called synchronously and must be quick; what it throws is
   * logged. Each connection is seen `New` once and `Closed` once, and `Closed` before the report is there.
   */
  readonly observe: (observer: (connection: Connection) => void) => Effect.Effect<void, never, Scope.Scope>
  /**
   * What happens, from now on, until the server has closed. Buffers 4,096 events per subscriber; the oldest are dropped.
   */
  readonly events: Stream.Stream<Event>
  /**
   * `false`: every response says `Connection: close`, and connections that are idle leave as they do in a drain,
   * while the server goes on serving; `true` takes that back (Go's `SetKeepAlivesEnabled`,
   * [rules C9, C10](../docs/go-rules.md#c-keep-alive)). No effect once a shutdown has begun.
   */
  readonly setKeepAlives: (enabled: boolean) => Effect.Effect<void>
}

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

/**
 * Makes a server that has no listener yet. Closing the scope shuts it down; if requests were cut then, the scope's
 * finalizer dies with `DeadlineExceeded`. Fails with `InvalidPolicy`, which names the field.
 *
 * **Example**
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Server } from "quiesce"
 * import { createServer } from "node:http"
 *
 * // a plain Node server, drained when the scope closes
 * const program = Effect.gen(function*() {
 *   const server = yield* Server.make({ timeout: "20 seconds" })
 *   yield* server.listen(() => createServer((_, response) => response.end("hello")), { port: 3000 })
 *   yield* Effect.never
 * }).pipe(Effect.scoped)
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  policy: Shutdown.Policy = {}
): Effect.Effect<ServerService, Shutdown.InvalidPolicy, Scope.Scope> =>
  checkNames("policy", policy, policyNames).pipe(
    Effect.zipRight(internal.make(policy, { quiet: false, app: () => Effect.succeed(undefined) })),
    Effect.map(({ service }) => service)
  )

/**
 * A server for a Node server that something else has made and listens with: plain `node:http`, express, fastify, koa,
 * hono, … Closing the scope drains it. It is {@link make} and `adopt` in one; to drain several together, make one
 * server and let it adopt each.
 *
 * **Example**
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Server } from "quiesce"
 * import { createServer } from "node:http"
 *
 * const program = Effect.gen(function*() {
 *   const nodeServer = createServer((_, response) => response.end("hello")).listen(3000)
 *   yield* Server.adopt(nodeServer, { timeout: "20 seconds" })
 *   yield* Effect.never
 * }).pipe(Effect.scoped)
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const adopt = (
  server: Listener.NodeServer,
  policy: Shutdown.Policy = {}
): Effect.Effect<ServerService, Shutdown.InvalidPolicy | Listener.ListenError, Scope.Scope> =>
  Effect.tap(make(policy), (service) =>
    // nobody can have shut it down yet
    Effect.catchTag(service.adopt(server), "ServerClosed", Effect.die))

/**
 * A stream that ends when a shutdown begins: for those that never end by themselves. What it has emitted by then is
 * sent; where it is a response, its client sees it end whole. (`text/event-stream` responses do so without it, when
 * draining starts, unless the policy says otherwise.)
 *
 * **Example**
 *
 * ```ts
 * import { HttpServerResponse } from "@effect/platform"
 * import { Effect, Schedule, Stream } from "effect"
 * import { Server } from "quiesce"
 *
 * const ticks = Stream.fromSchedule(Schedule.spaced("1 second")).pipe(
 *   Stream.map((n) => `tick ${n}\n`),
 *   Stream.encodeText,
 *   Server.untilShutdown
 * )
 *
 * const handler = Effect.map(
 *   Effect.context<Server.Server>(),
 *   (context) => HttpServerResponse.stream(Stream.provideContext(ticks, context))
 * )
 * ```
 *
 * @since 0.1.0
 * @category combinators
 */
export const untilShutdown = <A, E, R>(stream: Stream.Stream<A, E, R>): Stream.Stream<A, E, R | Server> =>
  Stream.unwrap(Effect.map(Server, ({ shuttingDown }) => Stream.interruptWhen(stream, shuttingDown)))

/**
 * {@link make} as a layer.
 *
 * **Example**
 *
 * ```ts
 * import { Server } from "quiesce"
 *
 * const ServerLive = Server.layer({ timeout: "20 seconds" })
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (policy: Shutdown.Policy = {}): Layer.Layer<Server, Shutdown.InvalidPolicy> =>
  Layer.scoped(Server, make(policy))

/**
 * {@link layer} with a policy that is read from the configuration.
 *
 * **Example**
 *
 * ```ts
 * import { Config } from "effect"
 * import { Server } from "quiesce"
 *
 * const ServerLive = Server.layerConfig({
 *   timeout: Config.duration("SHUTDOWN_TIMEOUT").pipe(Config.withDefault("8 seconds"))
 * })
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layerConfig = (
  policy: Config.Config.Wrap<Shutdown.Policy>
): Layer.Layer<Server, Shutdown.InvalidPolicy | ConfigError.ConfigError> =>
  Layer.scoped(Server, Effect.flatMap(Config.unwrap(policy), make))

/**
 * Runs a layer until its server has shut down, whatever started that, closes it, and returns the report. Fails with
 * `DeadlineExceeded` if requests were cut. Go's `ListenAndServe` and `Shutdown` in one
 * ([rule B9](../docs/go-rules.md#b-listeners): waiting for `Shutdown` itself).
 *
 * An interruption shuts it down too, but then there is nobody to return to. `runMain` interrupts at a signal: with
 * `Signals.handle` around the program, the signal shuts the server down instead, and the report is returned.
 *
 * **Example**
 *
 * ```ts
 * import { HttpRouter, HttpServer, HttpServerResponse } from "@effect/platform"
 * import { NodeRuntime } from "@effect/platform-node"
 * import { Effect, Layer } from "effect"
 * import { NodeHttpServer, Server } from "quiesce"
 * import { createServer } from "node:http"
 *
 * HttpRouter.empty.pipe(
 *   HttpRouter.get("/", HttpServerResponse.text("hello")),
 *   HttpServer.serve(),
 *   Layer.provideMerge(NodeHttpServer.layer(() => createServer(), { port: 3000 })),
 *   Server.launch,
 *   Effect.tap((report) => Effect.log(report.outcome)),
 *   NodeRuntime.runMain
 * )
 * ```
 *
 * @since 0.1.0
 * @category execution
 */
export const launch = <A, E, R>(
  layer: Layer.Layer<A | Server, E, R>
): Effect.Effect<Shutdown.Report, E | Shutdown.DeadlineExceeded, R> =>
  Effect.scoped(Effect.flatMap(Layer.build(layer), (context) => untilClosed(Context.get(context, Server)))).pipe(
    // the finalizer of the server dies with what `closed` has failed with
    Effect.catchAllCause((cause) =>
      Effect.failCause(
        Cause.isFailure(cause)
          ? Cause.filter(cause, (part) => !(part._tag === "Die" && part.defect instanceof Shutdown.DeadlineExceeded))
          : cause
      )
    )
  )
