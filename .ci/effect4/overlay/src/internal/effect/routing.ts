/**
 * Routes of our own, as the routers of both lines of Effect take them.
 */
import * as Effect from "effect/Effect"
import * as HttpMiddleware from "effect/http/HttpMiddleware"
import * as HttpRouter from "effect/http/HttpRouter"
import type { HttpServerRequest } from "effect/http/HttpServerRequest"
import type { HttpServerResponse } from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import type { HttpApp } from "./httpApps.js"

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
export type Router<R> = Layer.Layer<never, never, HttpRouter.HttpRouter | HttpRouter.Request.From<"Requires", R>>

/** A route with `/*` at its end is one for what is before it, too: there, it answers as the route for that would. */
const withoutDoubles = <R>(routes: ReadonlyArray<Route<R>>): ReadonlyArray<Route<R>> =>
  routes.filter(({ path }) => !routes.some((other) => other.path === `${path}/*`)).map((route) => {
    const { handler, path } = route
    const before = routes.find((other) => `${other.path}/*` === path)
    return before === undefined ? route : {
      path,
      handler: Effect.flatMap(HttpRouter.params, (params) => params["*"] === undefined ? before.handler : handler)
    }
  })

export const routerOf = <R>(routes: ReadonlyArray<Route<R>>): Router<R> =>
  Layer.mergeAll(
    ...withoutDoubles(routes).map(({ handler, method, path }) =>
      HttpRouter.add(method ?? "GET", path, handler)
    ) as never
  ) as Router<R>

/** The app that answers with them alone. */
export const appOf = (routes: ReadonlyArray<Route<never>>): Effect.Effect<HttpApp<unknown>> =>
  Effect.gen(function*() {
    const router = yield* HttpRouter.make
    yield* addRoutes(router, routes)
    return router.asHttpEffect() as HttpApp<unknown>
  })

export const LayerRouter = HttpRouter.HttpRouter

export const addRoutes = (
  router: HttpRouter.HttpRouter,
  routes: ReadonlyArray<Route<never>>
): Effect.Effect<void> =>
  Effect.forEach(withoutDoubles(routes), ({ handler, method, path }) => router.add(method ?? "GET", path, handler), {
    discard: true
  })

/** What is served in it is not traced. */
export const untraced = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.provideService(effect, HttpMiddleware.TracerDisabledWhen, () => true)

export const wildcard: Effect.Effect<string, never, HttpRouter.RouteContext> = Effect.map(
  HttpRouter.params,
  (params) => params["*"] ?? ""
)
