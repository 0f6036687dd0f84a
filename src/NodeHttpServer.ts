/**
 * A drop-in for `@effect/platform-node`'s `NodeHttpServer`: the same names and signatures, and a server that stops
 * properly. Changing the import is the whole migration.
 *
 * ```ts
 * import { HttpLayerRouter, HttpServerResponse } from "@effect/platform"
 * import { NodeRuntime } from "@effect/platform-node"
 * import { Layer } from "effect"
 * import { NodeHttpServer } from "quiesce"
 * import { createServer } from "node:http"
 *
 * HttpLayerRouter.serve(HttpLayerRouter.add("GET", "/", HttpServerResponse.text("hello"))).pipe(
 *   Layer.provide(NodeHttpServer.layer(() => createServer(), { port: 3000, timeout: "5 seconds" })),
 *   Layer.launch,
 *   NodeRuntime.runMain
 * )
 * ```
 *
 * The options are Node's listen options and the fields of `Shutdown.Policy`. The layers also provide `Server.Server`,
 * through which the same server takes hooks, more listeners, and orders to shut down.
 *
 * **Gotchas**
 *
 * - The drain starts when the scope of `HttpServer.serve` closes, before anything that the app uses is released,
 *   whatever the order of the `Layer.provide`s. So a server that was served cannot be served again: a second `serve`,
 *   at the same time or later, dies with {@link AlreadyServing}.
 * - A request that arrives before the app is attached waits for it, for 10 seconds at the most, and is then answered
 *   with 503.
 * - What goes wrong while listening is a `ServeError`, as in `@effect/platform-node`; its `cause` is a `ListenError` or
 *   an `InvalidPolicy`, and its message is theirs.
 * - An app without a router is uninterruptible, as in `@effect/platform-node`: at the deadline its client is answered
 *   with 503 on its behalf.
 *
 * @since 0.1.0
 * @module
 */

import type * as NodeContext from "@effect/platform-node/NodeContext"
import * as PlatformNode from "@effect/platform-node/NodeHttpServer"
import type * as Etag from "@effect/platform/Etag"
import type * as HttpClient from "@effect/platform/HttpClient"
import type * as HttpPlatform from "@effect/platform/HttpPlatform"
import * as HttpServer from "@effect/platform/HttpServer"
import { ServeError } from "@effect/platform/HttpServerError"
import * as Config from "effect/Config"
import type * as ConfigError from "effect/ConfigError"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type { LazyArg } from "effect/Function"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Http from "node:http"
import type * as Http2 from "node:http2"
import type * as Https from "node:https"
import { toPlatformAddress } from "./internal/effect/address.js"
import { testClient } from "./internal/effect/testClient.js"
import * as App from "./internal/http/dispatch.js"
import { usesFastPath } from "./internal/http/fastPath/switch.js"
import { platformNames, type PlatformOptions, policyOf } from "./internal/http/platformOptions.js"
import { checkNames, listenNames, policyNames, without } from "./internal/policy/optionNames.js"
import * as internal from "./internal/server/make.js"
import { withStreams } from "./internal/server/streams.js"
import type * as Listener from "./Listener.js"
import { Server } from "./Server.js"
import type * as Shutdown from "./Shutdown.js"

export * from "./internal/effect/platformServer.js"

/**
 * Where to listen and how to stop.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options extends Listener.Options, Shutdown.Policy, PlatformOptions {}

/**
 * The Node servers that an app can be served on: those of `node:http`, `node:https` and `node:http2`.
 *
 * @since 0.1.0
 * @category models
 */
export type HttpNodeServer = Http.Server | Https.Server | Http2.Http2Server | Http2.Http2SecureServer

/**
 * `HttpServer.serve` was called on a server that already has, or had, an app. Serve one app, made of several routers
 * where needed; or make a server for each.
 *
 * @since 0.1.0
 * @category errors
 */
export class AlreadyServing extends Data.TaggedError("AlreadyServing")<{ readonly address: string }> {
  override get message(): string {
    return `HttpServer.serve: the server on ${this.address} has an app already, or has begun to shut down. `
      + `Combine the apps into one router and serve that once, or make a server for each.`
  }
}

const ownNames = [...policyNames, ...platformNames]

const optionNames = [...listenNames, ...ownNames]

/** What is wrong is the cause's to say: the class has no message of its own. */
const serveError = (cause: Error): ServeError => Object.assign(new ServeError({ cause }), { message: cause.message })

const makeServices = (
  evaluate: LazyArg<HttpNodeServer>,
  options: Options,
  quiet = false
): Effect.Effect<Context.Context<HttpServer.HttpServer | Server>, ServeError, Scope.Scope> =>
  Effect.gen(function*() {
    yield* checkNames("options", options, optionNames)
    const policy = yield* policyOf(options)
    const fastPath = yield* usesFastPath(options)
    const { app, finalize, isStopping, listenApp, service } = withStreams(
      yield* internal.make(policy, { quiet, app: App.make(fastPath, options) })
    )
    const listener = yield* listenApp(evaluate, without(options, ownNames))
    const address = toPlatformAddress(listener.address)
    const httpServer = HttpServer.make({
      address,
      serve: (httpApp, middleware) =>
        Effect.gen(function*() {
          if (app.taken() || isStopping()) {
            return yield* Effect.die(new AlreadyServing({ address: HttpServer.formatAddress(address) }))
          }
          yield* app.serve(httpApp, middleware)
          // built after all that the app uses, this runs before any of it is released
          yield* Effect.addFinalizer(() => finalize)
        }).pipe(Effect.uninterruptible)
    })
    return Context.make(HttpServer.HttpServer, httpServer).pipe(Context.add(Server, service))
  }).pipe(Effect.mapError(serveError))

/**
 * Makes a server, listens, and returns the `HttpServer` that an app is served on. Fails with `ServeError`, whose
 * `cause` is a `ListenError` or an `InvalidPolicy`.
 *
 * **Example**
 *
 * ```ts
 * import { HttpServer, HttpServerResponse } from "@effect/platform"
 * import { Effect } from "effect"
 * import { NodeHttpServer } from "quiesce"
 * import { createServer } from "node:http"
 *
 * const program = Effect.gen(function*() {
 *   const server = yield* NodeHttpServer.make(() => createServer(), { port: 3000 })
 *   yield* server.serve(Effect.succeed(HttpServerResponse.text("hello")))
 *   yield* Effect.log(`Listening on ${HttpServer.formatAddress(server.address)}`)
 *   yield* Effect.never
 * }).pipe(Effect.scoped)
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  evaluate: LazyArg<HttpNodeServer>,
  options: Options
): Effect.Effect<typeof HttpServer.HttpServer.Service, ServeError, Scope.Scope> =>
  Effect.map(makeServices(evaluate, options), Context.get(HttpServer.HttpServer))

/**
 * The `HttpServer` alone, with the {@link Server} that it runs on.
 *
 * **Example**
 *
 * ```ts
 * import { NodeHttpServer } from "quiesce"
 * import { createServer } from "node:http"
 *
 * const ServerLive = NodeHttpServer.layerServer(() => createServer(), { port: 3000, timeout: "20 seconds" })
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layerServer = (
  evaluate: LazyArg<HttpNodeServer>,
  options: Options
): Layer.Layer<HttpServer.HttpServer | Server, ServeError> => Layer.scopedContext(makeServices(evaluate, options))

/**
 * The `HttpServer`, the {@link Server} that it runs on, and the platform's services that serving files and the like
 * need.
 *
 * **Example**
 *
 * ```ts
 * import { HttpServer, HttpServerResponse } from "@effect/platform"
 * import { NodeRuntime } from "@effect/platform-node"
 * import { Effect, Layer } from "effect"
 * import { NodeHttpServer } from "quiesce"
 * import { createServer } from "node:http"
 *
 * Effect.succeed(HttpServerResponse.text("hello")).pipe(
 *   HttpServer.serve(),
 *   HttpServer.withLogAddress,
 *   Layer.provide(NodeHttpServer.layer(() => createServer(), { port: 3000 })),
 *   Layer.launch,
 *   NodeRuntime.runMain
 * )
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (
  evaluate: LazyArg<HttpNodeServer>,
  options: Options
): Layer.Layer<
  HttpPlatform.HttpPlatform | Etag.Generator | NodeContext.NodeContext | HttpServer.HttpServer | Server,
  ServeError
> => Layer.mergeAll(layerServer(evaluate, options), PlatformNode.layerContext)

/**
 * {@link layer} with options that are read from the configuration.
 *
 * **Example**
 *
 * ```ts
 * import { Config } from "effect"
 * import { NodeHttpServer } from "quiesce"
 * import { createServer } from "node:http"
 *
 * const ServerLive = NodeHttpServer.layerConfig(() => createServer(), {
 *   port: Config.port("PORT").pipe(Config.withDefault(3000)),
 *   timeout: Config.duration("SHUTDOWN_TIMEOUT").pipe(Config.withDefault("8 seconds"))
 * })
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layerConfig = (
  evaluate: LazyArg<HttpNodeServer>,
  options: Config.Config.Wrap<Options>
): Layer.Layer<
  HttpPlatform.HttpPlatform | Etag.Generator | NodeContext.NodeContext | HttpServer.HttpServer | Server,
  ConfigError.ConfigError | ServeError
> =>
  Layer.mergeAll(
    Layer.scopedContext(Effect.flatMap(Config.unwrap(options), (options) => makeServices(evaluate, options))),
    PlatformNode.layerContext
  )

/**
 * A server on a free port of the loopback interface, and an `HttpClient` whose requests go to it. No connection is
 * given a grace, so that a test suite never waits for its own clients; and a shutdown that goes well says so at the
 * level of debugging only.
 *
 * **Example**
 *
 * ```ts
 * import { HttpClient, HttpServer, HttpServerResponse } from "@effect/platform"
 * import { Effect } from "effect"
 * import { NodeHttpServer } from "quiesce"
 *
 * const test = Effect.gen(function*() {
 *   yield* HttpServer.serveEffect(Effect.succeed(HttpServerResponse.text("hello")))
 *   const response = yield* HttpClient.get("/")
 *   return yield* response.text
 * }).pipe(Effect.scoped, Effect.provide(NodeHttpServer.layerTest))
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layerTest: Layer.Layer<
  | HttpClient.HttpClient
  | HttpServer.HttpServer
  | HttpPlatform.HttpPlatform
  | Etag.Generator
  | NodeContext.NodeContext
  | Server,
  ServeError
> = HttpServer.layerTestClient.pipe(
  Layer.provide(testClient),
  Layer.provideMerge(
    Layer.mergeAll(
      Layer.scopedContext(
        makeServices(Http.createServer, { port: 0, host: "127.0.0.1", idleGrace: 0, newConnectionGrace: 0 }, true)
      ),
      PlatformNode.layerContext
    )
  )
)
