/**
 * Whether a server lives, has started, and wants traffic, as Kubernetes asks it: named checks, and the routes `/livez`,
 * `/readyz` and `/startupz` that answer as those of its API server do.
 *
 * ```ts
 * import { HttpLayerRouter, HttpServerResponse } from "@effect/platform"
 * import { NodeRuntime } from "@effect/platform-node"
 * import { Effect, Layer } from "effect"
 * import { Health, NodeHttpServer } from "quiesce"
 * import { createServer } from "node:http"
 *
 * const ping = Effect.void // select 1
 *
 * const Routes = Layer.mergeAll(
 *   HttpLayerRouter.add("GET", "/", HttpServerResponse.text("hello")),
 *   Health.layerRouter()
 * )
 *
 * HttpLayerRouter.serve(Routes).pipe(
 *   Layer.provide(Health.layerCheck("database", ping, { timeout: "500 millis" })),
 *   Layer.provide(Health.layer),
 *   Layer.provide(NodeHttpServer.layer(() => createServer(), { port: 3000, lameDuck: "5 seconds" })),
 *   Layer.launch,
 *   NodeRuntime.runMain
 * )
 * ```
 *
 * | request | what it answers |
 * |---|---|
 * | `/readyz` | 200 `ok`, or 500 and a line for each check |
 * | `/readyz?verbose` | a line for each check in any case: `[+]database ok`, `[-]database failed: reason withheld` |
 * | `/readyz?exclude=database` | the same without that check; repeatable |
 * | `/readyz/database` | that check alone |
 *
 * While the server shuts down, the answers of `/readyz` have the header `x-envoy-immediate-health-check-fail`, by which
 * Envoy takes a host out at once. `AgentCheck` tells HAProxy.
 *
 * Three checks are built in. `ping` always passes. `shutdown`, of readiness, fails from the moment at which a shutdown
 * begins, so that a lame duck is not ready from its first moment; liveness stays as it is until the end. And
 * {@link startup} makes one that passes once a layer has been built.
 *
 * **Gotchas**
 *
 * - Liveness decides whether the process is killed. A check of something outside of it (`on: ["live"]` for a database)
 *   lets one broken database kill every instance.
 * - The default `timeout`, 800 ms, is shorter than the second that a kubelet waits for its answer: what it gets says which
 *   check was too slow. Raise both together.
 * - A check that ignores its interruption is left running, fails for as long as it runs, and is not started again
 *   meanwhile. One that blocks the event loop cannot be bounded by anything in this process.
 * - During the drain the app's own listeners are closed: only an `Admin` listener goes on answering.
 * - Why a check fails is in the log, once for each change. The routes withhold it, unless they were made with
 *   `reasons: true`, because they are as public as their router.
 *
 * @since 0.1.0
 * @module
 */

import type * as HttpLayerRouter from "@effect/platform/HttpLayerRouter"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { addRoutes, LayerRouter, type Router, routerOf } from "./internal/effect/routing.js"
import * as internal from "./internal/health/health.js"
import { healthPages } from "./internal/health/healthPages.js"
import { routeOf } from "./internal/http/pageRoutes.js"
import {
  type Answer,
  type CheckOptions,
  type CheckResult,
  Health,
  type HealthService,
  type Probe,
  type RouteOptions
} from "./internal/model/health.js"
import { Server } from "./Server.js"
import type { InvalidPolicy } from "./Shutdown.js"

export { Health }
export type { Answer, CheckOptions, CheckResult, HealthService, Probe, RouteOptions }

/**
 * Makes the checks of a server. They know when its shutdown begins.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make: Effect.Effect<HealthService, never, Server | Scope.Scope> = Effect.flatMap(Server, internal.make)

/**
 * {@link make} as a layer.
 *
 * **Example**
 *
 * ```ts
 * import { Layer } from "effect"
 * import { Health, NodeHttpServer } from "quiesce"
 * import { createServer } from "node:http"
 *
 * const ServerLive = Health.layer.pipe(
 *   Layer.provideMerge(NodeHttpServer.layer(() => createServer(), { port: 3000 }))
 * )
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<Health, never, Server> = Layer.scoped(Health, make)

/**
 * Registers a check until its scope closes. It passes if the effect succeeds, with anything but `false`. It is run when
 * a probe asks for it, together with the others, in a fiber and a scope of its own; probes that come meanwhile get the
 * outcome of the same run. Fails with `InvalidPolicy` if the name is taken, or an option is no duration.
 *
 * **Example**
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Health } from "quiesce"
 *
 * declare const select1: Effect.Effect<void, Error>
 *
 * const Pool = Effect.gen(function*() {
 *   // … acquire it; the check is taken back before it is released
 *   yield* Health.check("database", select1, { timeout: "500 millis", cache: "2 seconds", on: ["ready"] })
 * })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const check = <A, E, R>(
  name: string,
  effect: Effect.Effect<A, E, R>,
  options?: CheckOptions
): Effect.Effect<void, InvalidPolicy, Exclude<R, Scope.Scope> | Health | Scope.Scope> =>
  Effect.flatMap(Health, (health) => health.check(name, effect, options))

/**
 * {@link check} as a layer.
 *
 * **Example**
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Health } from "quiesce"
 *
 * declare const queueLength: Effect.Effect<number, Error>
 *
 * const QueueCheck = Health.layerCheck("queue", Effect.map(queueLength, (length) => length < 10_000))
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layerCheck = <A, E, R>(
  name: string,
  effect: Effect.Effect<A, E, R>,
  options?: CheckOptions
): Layer.Layer<never, InvalidPolicy, Exclude<R, Scope.Scope> | Health> =>
  Layer.scopedDiscard(check(name, effect, options))

/**
 * The same layer, with a check of startup and readiness that fails until it has been built. On an admin listener, which
 * answers before there is an app, it keeps traffic away until there is one.
 *
 * **Example**
 *
 * ```ts
 * import { HttpLayerRouter, HttpServerResponse } from "@effect/platform"
 * import { Layer } from "effect"
 * import { Admin, Health, NodeHttpServer } from "quiesce"
 * import { createServer } from "node:http"
 *
 * const App = HttpLayerRouter.serve(HttpLayerRouter.add("GET", "/", HttpServerResponse.text("hello"))).pipe(
 *   Health.startup("app"),
 *   Layer.provide(Admin.layer({ port: 9000 })),
 *   Layer.provide(Health.layer),
 *   Layer.provide(NodeHttpServer.layer(() => createServer(), { port: 3000 }))
 * )
 * ```
 *
 * @since 0.1.0
 * @category combinators
 */
export const startup =
  (name: string) => <A, E, R>(layer: Layer.Layer<A, E, R>): Layer.Layer<A, E | InvalidPolicy, R | Health> =>
    Layer.unwrapScoped(Effect.gen(function*() {
      let built = false
      const isBuilt = Effect.suspend(() => built ? Effect.void : Effect.fail("it has not been built yet"))
      yield* check(name, isBuilt, { on: ["startup", "ready"], cache: 0 })
      return Layer.tap(layer, () =>
        Effect.sync(() => {
          built = true
        }))
    }))

export type { Router } from "./internal/effect/routing.js"

/**
 * The routes `/livez`, `/readyz` and `/startupz`, to be concatenated to an app's own, or mounted somewhere. They stay out
 * of the access log. With Effect 4, where a router is a service, they are a layer.
 *
 * **Example**
 *
 * ```ts effect3
 * import { HttpRouter, HttpServerResponse } from "@effect/platform"
 * import { Health } from "quiesce"
 *
 * const app = HttpRouter.empty.pipe(
 *   HttpRouter.get("/", HttpServerResponse.text("hello")),
 *   HttpRouter.concat(Health.router())
 * )
 * ```
 *
 * ```ts effect4
 * import { HttpRouter, HttpServerResponse } from "effect/http"
 * import { Layer } from "effect"
 * import { Health } from "quiesce"
 *
 * const Routes = Layer.mergeAll(
 *   HttpRouter.add("GET", "/", HttpServerResponse.text("hello")),
 *   Health.router()
 * )
 * ```
 *
 * @since 0.1.0
 * @category routing
 */
export const router = (options: RouteOptions = {}): Router<Health> =>
  routerOf(healthPages(Health, options).map(routeOf))

/**
 * {@link router} for an `HttpLayerRouter`.
 *
 * **Example**
 *
 * ```ts
 * import { HttpLayerRouter, HttpServerResponse } from "@effect/platform"
 * import { Layer } from "effect"
 * import { Health, NodeHttpServer } from "quiesce"
 * import { createServer } from "node:http"
 *
 * const Routes = Layer.mergeAll(
 *   HttpLayerRouter.add("GET", "/", HttpServerResponse.text("hello")),
 *   Health.layerRouter()
 * )
 *
 * const App = HttpLayerRouter.serve(Routes).pipe(
 *   Layer.provide(Health.layer),
 *   Layer.provide(NodeHttpServer.layer(() => createServer(), { port: 3000 }))
 * )
 * ```
 *
 * @since 0.1.0
 * @category routing
 */
export const layerRouter = (
  options: RouteOptions = {}
): Layer.Layer<never, never, HttpLayerRouter.HttpRouter | Health> =>
  Layer.effectDiscard(Effect.gen(function*() {
    const health = yield* Health
    const router = yield* LayerRouter
    yield* addRoutes(router, healthPages(Effect.succeed(health), options).map(routeOf))
  }))
