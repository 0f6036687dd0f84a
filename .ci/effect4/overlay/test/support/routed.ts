import * as HttpRouter from "effect/http/HttpRouter"
import type * as HttpServer from "effect/http/HttpServer"
import * as Layer from "effect/Layer"

export const served = <E, R>(
  routes: Layer.Layer<never, E, R>
): Layer.Layer<never, E, Exclude<R, HttpRouter.HttpRouter> | HttpServer.HttpServer> =>
  HttpRouter.serve(routes, { disableListenLog: true, disableLogger: true }) as never

export const servedBeside = <A, E, R, E2, R2>(
  routes: Layer.Layer<never, E, R>,
  shared: Layer.Layer<A, E2, R2>
): Layer.Layer<
  never,
  E | E2,
  Exclude<Exclude<R, HttpRouter.HttpRouter> | HttpServer.HttpServer, A> | Exclude<R2, HttpRouter.HttpRouter>
> =>
  Layer.merge(routes, HttpRouter.serve(Layer.empty, { disableListenLog: true, disableLogger: true })).pipe(
    Layer.provide(shared),
    Layer.provide(HttpRouter.layer)
  ) as never
