/**
 * What layers add to a router, served: the router of Effect 3 that they share is `HttpRouter.Default`, on Effect 4 it is the
 * one that they are served with.
 */
import * as HttpRouter from "@effect/platform/HttpRouter"
import type * as HttpServer from "@effect/platform/HttpServer"
import * as Layer from "effect/Layer"

/** On top of them: they are released when it has ended. */
export const served = <E, R>(routes: Layer.Layer<never, E, R>): Layer.Layer<never, E, R | HttpServer.HttpServer> =>
  HttpRouter.Default.serve().pipe(Layer.provide(routes))

/** Side by side, to be released in parallel. `shared` is what both of them are on top of. */
export const servedBeside = <A, E, R, E2, R2>(
  routes: Layer.Layer<never, E, R>,
  shared: Layer.Layer<A, E2, R2>
): Layer.Layer<never, E | E2, Exclude<R | HttpServer.HttpServer, A> | R2> =>
  Layer.merge(routes, HttpRouter.Default.serve()).pipe(Layer.provide(shared))
