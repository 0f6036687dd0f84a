/**
 * Routes. On Effect 3 a router is a value, which can be combined with others; on Effect 4 it is a service, and routes are
 * layers that add to it. What is not traced is in a `FiberRef` on Effect 3, and in the context on Effect 4.
 */
import type * as HttpLayerRouter from "@effect/platform/HttpLayerRouter"
import * as HttpMiddleware from "@effect/platform/HttpMiddleware"
import * as HttpRouter from "@effect/platform/HttpRouter"
import type { HttpServerRequest } from "@effect/platform/HttpServerRequest"
import type { HttpServerResponse } from "@effect/platform/HttpServerResponse"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { HttpApp } from "./httpApps.js"

/** What answers a GET of a path, or a POST. */
export interface Route<R> {
  readonly method?: "POST"
  readonly path: HttpRouter.PathInput
  readonly handler: Effect.Effect<HttpServerResponse, never, R | HttpServerRequest | HttpRouter.RouteContext>
}

/**
 * Routes that a program adds to its own: those of an `HttpRouter` of `@effect/platform`.
 *
 * @since 0.2.0
 * @category routing
 */
export type Router<R> = HttpRouter.HttpRouter<never, R>

export const routerOf = <R>(routes: ReadonlyArray<Route<R>>): Router<R> =>
  routes.reduce<Router<R>>(
    (router, { handler, method, path }) =>
      method === "POST" ? HttpRouter.post(router, path, handler) : HttpRouter.get(router, path, handler),
    HttpRouter.empty
  )

/** An app that answers with those routes, and everything else with 404. */
export const appOf = (routes: ReadonlyArray<Route<never>>): Effect.Effect<HttpApp<unknown>> =>
  HttpRouter.toHttpApp(routerOf(routes))

/**
 * The router that is a service on Effect 3, too, by its key: whoever imports its module waits 25 ms for the builder of APIs
 * that comes with it, whether there is such a router or not.
 */
export const LayerRouter: typeof HttpLayerRouter.HttpRouter = Context.GenericTag("@effect/platform/HttpLayerRouter")

/** Adds routes to it. */
export const addRoutes = (
  router: HttpLayerRouter.HttpRouter,
  routes: ReadonlyArray<Route<never>>
): Effect.Effect<void> =>
  Effect.forEach(routes, ({ handler, method, path }) => router.add(method ?? "GET", path, handler), {
    discard: true
  })

/** What the `*` at the end of the path stands for. */
export const wildcard: Effect.Effect<string, never, HttpRouter.RouteContext> = Effect.map(
  HttpRouter.params,
  (params) => params["*"] ?? ""
)

/** Requests to what is served in it are not traced. */
export const untraced = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.locally(effect, HttpMiddleware.currentTracerDisabledWhen, () => true)
