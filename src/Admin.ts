/**
 * A listener beside the traffic, for whoever operates the server: its health, its metrics, and what it is doing now. It
 * answers before there is an app and for as long as a shutdown takes, and closes last.
 *
 * | path | what it answers |
 * |---|---|
 * | `/` | what the server does and waits for, live, as HTML for a browser; else what there is, as text |
 * | `/events` | what changes of that page, as an event stream |
 * | `/livez` `/readyz` `/startupz` | as `Health`, and why a check fails |
 * | `/metrics` | Effect's metrics, for Prometheus (text 0.0.4, or OpenMetrics 1.0 for those who accept it) |
 * | `/status` | where the server is, and what it waits for: hooks, background work, the time that is left: JSON ({@link AdminStatus}) |
 * | `/connections` | who is connected, doing what, since when: JSON |
 * | `/requests` | the requests in flight, the oldest first: JSON |
 *
 * ```ts
 * import { HttpLayerRouter, HttpServerResponse } from "@effect/platform"
 * import { NodeRuntime } from "@effect/platform-node"
 * import { Layer } from "effect"
 * import { Admin, Health, NodeHttpServer } from "quiesce"
 * import { createServer } from "node:http"
 *
 * HttpLayerRouter.serve(HttpLayerRouter.add("GET", "/", HttpServerResponse.text("hello"))).pipe(
 *   Health.startup("app"),
 *   Layer.provide(Admin.layer({ port: 9000, host: "0.0.0.0" })),
 *   Layer.provide(Health.layer),
 *   Layer.provide(NodeHttpServer.layer(() => createServer(), { port: 3000 })),
 *   Layer.launch,
 *   NodeRuntime.runMain
 * )
 * ```
 *
 * While a shutdown waits, `/metrics` names what it waits for: the oldest requests in flight, as
 * `quiesce_shutdown_waiting_request_age_seconds`. Before, no label of it depends on what clients send. Without
 * `Metrics.layer` the page has what else is in Effect's registry, and nothing of a server that serves.
 *
 * **Gotchas**
 *
 * - It listens on the loopback interface, because it shows everything to everybody. The probes of a kubelet come from
 *   outside of the container: they need `host: "0.0.0.0"`.
 * - It answers only requests whose `Host` is an address, `localhost`, the name of the machine or the `host` that it
 *   listens on, and others with 421 (RFC 9110, section 7.4): a web page whose name resolves to this address (DNS
 *   rebinding) must not read it. Whoever asks by another name, as of a Kubernetes Service, is named in `allowedHosts`.
 * - The query of a path is not shown, because it may hold a secret: `showQuery` shows it.
 * - All workers of `Handoff.launchWorkers` (or of `node:cluster`) listen on its port, and one of them answers, in turn: give
 *   each a `path` of its own, such as `/run/app/admin-${process.pid}.sock`, export metrics by OTLP, and have probes ask the
 *   app's own port (`Health.layerRouter`), where a worker that drains accepts nothing.
 * - A counter that may go down (`incremental` is false, which is Effect's default) is a gauge to Prometheus. Others end in
 *   `_total`, and a frequency is a counter with the label `key`.
 * - It is no part of the shutdown that it reports. A request to it that is still running when the traffic has drained gets
 *   another second, which all listeners beside one server have in common.
 *
 * @since 0.1.0
 * @module
 */

import type * as HttpServer from "@effect/platform/HttpServer"
import { HttpServerRequest } from "@effect/platform/HttpServerRequest"
import type { HttpServerResponse } from "@effect/platform/HttpServerResponse"
import * as Config from "effect/Config"
import type * as ConfigError from "effect/ConfigError"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Http from "node:http"
import * as Health from "./Health.js"
import { oneServer } from "./internal/admin/administered.js"
import { isAllowedHosts, isOwnHost, misdirected } from "./internal/admin/hosts.js"
import { adminRoutes } from "./internal/admin/pages.js"
import { toPlatformAddress } from "./internal/effect/address.js"
import { appOf, type Route, routerOf, untraced } from "./internal/effect/routing.js"
import * as App from "./internal/http/dispatch.js"
import { actionRouteOf, eventsRouteOf, responseWith, routeOf } from "./internal/http/pageRoutes.js"
import { invalidOption, wrongListenOption } from "./internal/listener/listenErrors.js"
import { InvalidPolicy } from "./internal/model/errors.js"
import { onLoopback } from "./internal/policy/onLoopback.js"
import { assertNames, listenNames } from "./internal/policy/optionNames.js"
import { beside } from "./internal/server/beside.js"
import type * as Listener from "./Listener.js"
import { Server } from "./Server.js"
import type { Phase } from "./Shutdown.js"

export type { AdminStatus } from "./internal/model/adminStatus.js"

/**
 * Where to listen: `port` (and `host`, default `127.0.0.1`), or `path` for a Unix socket, or `fd`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options extends Listener.Options, RouterOptions {
  /**
   * The names that it may be asked by, beside its own: a whole name, or one with a dot before it for all below it
   * (`".monitoring.svc"`). `"all"`: whatever the `Host` is. Default: none; with `path`, where no browser can ask, all.
   *
   * @since 0.2.0
   */
  readonly allowedHosts?: "all" | ReadonlyArray<string> | undefined
  /**
   * The page has a button that starts draining (`Server.drainNow`): for whoever reaches the listener. It is guarded against
   * pages of other sites: by the token of the page, by `Origin` and `Sec-Fetch-Site`, and by the `Host`, also on a Unix
   * socket, and so it does not go with `allowedHosts: "all"`. Default: false.
   *
   * @since 0.3.0
   */
  readonly actions?: boolean | undefined
}

/**
 * What the pages show.
 *
 * @since 0.2.0
 * @category models
 */
export interface RouterOptions {
  /** Say why a check has failed. Default: true, here. */
  readonly reasons?: boolean | undefined
  /** Show the query of each path. It may hold secrets. Default: false. */
  readonly showQuery?: boolean | undefined
}

/**
 * The admin listener.
 *
 * @since 0.1.0
 * @category models
 */
export interface AdminService {
  /** Where it listens: with `port: 0`, the port that was chosen. */
  readonly address: HttpServer.Address
}

/**
 * The admin listener of a server.
 *
 * **Example**
 *
 * ```ts
 * import { HttpServer } from "@effect/platform"
 * import { Effect } from "effect"
 * import { Admin } from "quiesce"
 *
 * const logAddress = Effect.flatMap(
 *   Admin.Admin,
 *   ({ address }) => Effect.log(`Admin on ${HttpServer.formatAddress(address)}`)
 * )
 * ```
 *
 * @since 0.1.0
 * @category tags
 */
export class Admin extends Context.Tag("quiesce/Admin")<Admin, AdminService>() {}

/**
 * What the admin listener answers with, for an app of its own that stands behind more than the loopback interface. With
 * Effect 4, where a router is a service, it is a layer.
 *
 * **Example**
 *
 * ```ts effect3
 * import { HttpMiddleware, HttpRouter, HttpServerRequest, HttpServerResponse } from "@effect/platform"
 * import { Effect } from "effect"
 * import { Admin } from "quiesce"
 *
 * const onlyWithToken = HttpMiddleware.make((app) =>
 *   Effect.flatMap(HttpServerRequest.HttpServerRequest, ({ headers }) =>
 *     headers["authorization"] === `Bearer ${process.env["TOKEN"]}`
 *       ? app
 *       : HttpServerResponse.empty({ status: 401 }))
 * )
 *
 * const app = HttpRouter.empty.pipe(
 *   HttpRouter.mount("/admin", Admin.router().pipe(HttpRouter.use(onlyWithToken)))
 * )
 * ```
 *
 * ```ts effect4
 * import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
 * import { Effect, Layer } from "effect"
 * import { Admin } from "quiesce"
 *
 * const onlyWithToken = HttpRouter.middleware((app) =>
 *   Effect.flatMap(HttpServerRequest.HttpServerRequest, ({ headers }) =>
 *     headers["authorization"] === `Bearer ${process.env["TOKEN"]}`
 *       ? app
 *       : Effect.succeed(HttpServerResponse.empty({ status: 401 })))
 * )
 *
 * const Prefixed = Layer.effect(
 *   HttpRouter.HttpRouter,
 *   Effect.map(HttpRouter.HttpRouter, (router) => router.prefixed("/admin"))
 * )
 *
 * const Routes = Admin.router().pipe(Layer.provide([onlyWithToken.layer, Prefixed]))
 * ```
 *
 * @since 0.1.0
 * @category routing
 */
export const router = (
  options: RouterOptions = {}
): Health.Router<Health.Health | Server> => routerOf(routes(options, { actions: false, ended: drains }))

/** Where an app answers with these pages, its own drain must not wait for one that is watched. */
const drains = Effect.flatMap(
  Server,
  ({ phase }) =>
    Stream.runDrain(Stream.takeUntil(phase.changes, (phase: Phase) => phase === "Draining" || phase === "Closed"))
)

const routes = (
  options: RouterOptions,
  own: { readonly actions: boolean; readonly ended: Effect.Effect<void, never, Server> }
): ReadonlyArray<Route<Health.Health | Server>> => {
  assertNames("options", options, routerOptionNames)
  const wrong = notBoolean(options)
  if (wrong !== undefined) throw new InvalidPolicy({ field: wrong[0], value: wrong[1], expected: "true, or false" })
  const { reasons = true, showQuery = false } = options
  const { actions, events, pages } = adminRoutes(Effect.map(Server, oneServer), Health.Health, {
    ...own,
    reasons,
    showQuery
  })
  return [...pages.map(routeOf), eventsRouteOf(events), ...actions.map(actionRouteOf)]
}

const routerOptionNames = Object.keys(
  { reasons: true, showQuery: true } satisfies { readonly [K in keyof RouterOptions]-?: true }
)

const optionNames = [...listenNames, ...routerOptionNames, "actions", "allowedHosts"]

/** The first that is neither, with its name. A program without types may pass anything. */
const notBoolean = ({ actions, reasons, showQuery }: Pick<Options, "actions" | "reasons" | "showQuery">) =>
  Object.entries({ actions, reasons, showQuery }).find(([, value]) => value !== undefined && typeof value !== "boolean")

const wrongOption = (options: Options): Listener.ListenError | undefined => {
  const { actions, allowedHosts } = options
  if (!isAllowedHosts(allowedHosts)) {
    return invalidOption(
      "allowedHosts",
      allowedHosts,
      "it is no list of names",
      `Pass "all", or names, such as ["admin.internal"].`
    )
  }
  const wrong = notBoolean(options)
  if (wrong !== undefined) {
    return invalidOption(wrong[0], wrong[1], "it is neither true nor false", "Pass true or false, or leave it out.")
  }
  return actions === true && allowedHosts === "all"
    ? invalidOption(
      "allowedHosts",
      allowedHosts,
      "with `actions`, a page of any other site could use them by DNS rebinding",
      `Name the hosts, such as ["admin.internal"], or leave out \`actions\`.`
    )
    : undefined
}

/** Answers with `app` what is meant for this server. */
const onlyOwnHosts = (allowed: ReadonlyArray<string>) => {
  const isOwn = isOwnHost(allowed)
  return <E, R>(app: Effect.Effect<HttpServerResponse, E, R>) =>
    Effect.flatMap(
      HttpServerRequest,
      ({ headers }): Effect.Effect<HttpServerResponse, E, R> =>
        isOwn(headers["host"]) ? app : Effect.succeed(responseWith(misdirected))
    )
}

/**
 * Listens until the scope closes. Closing the scope shuts the server down, or joins its shutdown, and closes this listener
 * when that has ended.
 *
 * **Example**
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Admin } from "quiesce"
 *
 * const admin = Effect.gen(function*() {
 *   const { address } = yield* Admin.make({ path: "/tmp/admin.sock" })
 *   yield* Effect.log("listening", address)
 * })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  options: Options
): Effect.Effect<AdminService, Listener.ListenError, Health.Health | Server | Scope.Scope> =>
  Effect.gen(function*() {
    const problem = wrongListenOption(options, optionNames) ?? wrongOption(options)
    if (problem !== undefined) return yield* problem
    const { actions = false, reasons, showQuery, allowedHosts: hosts, ...listen } = options
    const allowedHosts = hosts ?? (options.path === undefined || actions ? [] : "all")
    const ended = yield* Effect.makeLatch()
    const context = yield* Effect.context<Health.Health | Server>()
    const app = yield* appOf(
      routes({ reasons, showQuery }, { actions, ended: ended.await }).map((route) => ({
        ...route,
        handler: Effect.provide(route.handler, context)
      }))
    )
    const httpApp = allowedHosts === "all"
      ? app
      : onlyOwnHosts(listen.host === undefined ? allowedHosts : [listen.host, ...allowedHosts])(app)

    const { own, scope } = yield* beside(App.make(true, {}), ended.open)
    yield* own.app.serve(httpApp).pipe(
      Scope.extend(scope),
      // nobody traces the scraping of metrics
      untraced
    )
    const { address } = yield* own.listenApp(() => Http.createServer(), onLoopback(listen)).pipe(
      Effect.catchTag("ServerClosed", Effect.die),
      Scope.extend(scope)
    )
    return { address: toPlatformAddress(address) }
  })

/**
 * {@link make} as a layer.
 *
 * **Example**
 *
 * ```ts
 * import { Layer } from "effect"
 * import { Admin, Health, NodeHttpServer } from "quiesce"
 * import { createServer } from "node:http"
 *
 * const ServerLive = Admin.layer({ port: 9000 }).pipe(
 *   Layer.provideMerge(Health.layer),
 *   Layer.provideMerge(NodeHttpServer.layer(() => createServer(), { port: 3000 }))
 * )
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (
  options: Options
): Layer.Layer<Admin, Listener.ListenError, Health.Health | Server> => Layer.scoped(Admin, make(options))

/**
 * {@link layer} with options that are read from the configuration.
 *
 * **Example**
 *
 * ```ts
 * import { Config } from "effect"
 * import { Admin } from "quiesce"
 *
 * const AdminLive = Admin.layerConfig({
 *   port: Config.port("ADMIN_PORT").pipe(Config.withDefault(9000)),
 *   host: Config.string("ADMIN_HOST").pipe(Config.withDefault("127.0.0.1"))
 * })
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layerConfig = (
  options: Config.Config.Wrap<Options>
): Layer.Layer<Admin, Listener.ListenError | ConfigError.ConfigError, Health.Health | Server> =>
  Layer.scoped(Admin, Effect.flatMap(Config.unwrap(options), make))
