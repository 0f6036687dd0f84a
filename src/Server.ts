/**
 * A server is a scoped resource, and shutting it down is closing its scope.
 *
 * ```text
 * application scope                      closed by NodeRuntime.runMain on SIGINT / SIGTERM
 * ├─ services the handlers use           released LAST: no request ever sees a closed pool
 * ├─ Server
 * │   ├─ Listener …                      released first: stop accepting
 * │   ├─ onShutdown hook …               run once, when draining starts
 * │   ├─ background work …               awaited; interrupted after the deadline
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
 *   `BackgroundEnded`, `BackgroundFailed`,
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
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { withoutDefects } from "./internal/effect/causes.js"
import { type Current, Event, Server, type ServerService } from "./internal/model/server.js"
import { checkNames, policyNames } from "./internal/policy/optionNames.js"
import { scopedBackground } from "./internal/server/background.js"
import * as internal from "./internal/server/make.js"
import { withStreams } from "./internal/server/streams.js"
import { untilClosed } from "./internal/signals/program.js"
import type * as Listener from "./Listener.js"
import * as Shutdown from "./Shutdown.js"

export { Event, Server }
export type { Current, ServerService }

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
    Effect.map((made) => withStreams(made).service)
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
 * Work in the background of a server, such as a consumer of a queue, for as long as the layer is built: see
 * {@link ServerService.background}. When a shutdown has begun, the layer waits for its end, so that what it uses
 * outlives it. If the layer is released before that, the work is interrupted.
 *
 * **Example**
 *
 * ```ts
 * import { Effect, Queue } from "effect"
 * import { Server } from "quiesce"
 *
 * declare const jobs: Queue.Dequeue<string>
 * declare const run: (job: string) => Effect.Effect<void>
 *
 * // takes one job after the other, until a shutdown begins; the job that runs then is finished
 * const consume = Effect.flatMap(Server.Server, ({ shuttingDown }) =>
 *   Effect.uninterruptibleMask((restore) => Effect.flatMap(restore(Queue.take(jobs)), run)).pipe(
 *     Effect.forever,
 *     Effect.raceFirst(shuttingDown)
 *   ))
 *
 * const Consumer = Server.layerBackground("jobs", consume)
 * ```
 *
 * @since 0.3.0
 * @category layers
 */
export const layerBackground = <A, E, R>(
  name: string,
  effect: Effect.Effect<A, E, R>
): Layer.Layer<never, Shutdown.ServerClosed, Server | Exclude<R, Scope.Scope>> =>
  Layer.scopedDiscard(Effect.flatMap(Server, (server) => scopedBackground(server, name, effect)))

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
 * import { HttpLayerRouter, HttpServerResponse } from "@effect/platform"
 * import { NodeRuntime } from "@effect/platform-node"
 * import { Effect, Layer } from "effect"
 * import { NodeHttpServer, Server } from "quiesce"
 * import { createServer } from "node:http"
 *
 * HttpLayerRouter.serve(HttpLayerRouter.add("GET", "/", HttpServerResponse.text("hello"))).pipe(
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
  Effect.suspend(() => {
    let ended: Exit.Exit<Shutdown.Report, Shutdown.DeadlineExceeded> | undefined
    const running = Effect.flatMap(
      Layer.build(layer),
      (context) =>
        Effect.map(Effect.exit(untilClosed(Context.get(context, Server))), (exit) => {
          ended = exit
          return exit
        })
    )
    return Effect.scoped(running).pipe(
      // the finalizer of the server dies with what `closed` has failed with
      Effect.catchAllCause((cause) =>
        Effect.failCause(
          withoutDefects(
            ended !== undefined && Exit.isFailure(ended) ? Cause.sequential(ended.cause, cause) : cause,
            (defect) => defect instanceof Shutdown.DeadlineExceeded
          )
        )
      ),
      Effect.flatten
    )
  })
