/**
 * The router of Effect 3 in terms of Effect 4's: for tests that are the same on both.
 */
import * as Effect from "effect/Effect"
import * as Router from "effect/http/HttpRouter"
import { type HttpServerResponse, isHttpServerResponse } from "effect/http/HttpServerResponse"

export { params, type PathInput, RouteContext } from "effect/http/HttpRouter"

interface Route {
  readonly method: "*" | "GET" | "POST"
  readonly path: Router.PathInput
  readonly handler: Effect.Effect<HttpServerResponse, unknown, any>
  readonly options: Options | undefined
}

interface Options {
  readonly uninterruptible?: boolean | undefined
}

export interface HttpRouter<_E = any, _R = any> extends Effect.Effect<HttpServerResponse, any, any> {
  readonly routes: ReadonlyArray<Route>
}

const of = (routes: ReadonlyArray<Route>): HttpRouter => {
  let app: Effect.Effect<HttpServerResponse, unknown, any> | undefined
  const made = Effect.flatMap(Router.make, (router) =>
    Effect.flatMap(
      Effect.forEach(routes, ({ handler, method, options, path }) => router.add(method, path, handler, options), {
        discard: true
      }),
      () => app = router.asHttpEffect() as never
    ))
  return Object.assign(Effect.suspend(() => app ?? made), { routes }) as never
}

export const empty: HttpRouter = of([])

type Handler = HttpServerResponse | Effect.Effect<HttpServerResponse, any, any>

interface Add {
  (router: HttpRouter, path: Router.PathInput, handler: Handler, options?: Options): HttpRouter
  (path: Router.PathInput, handler: Handler, options?: Options): (router: HttpRouter) => HttpRouter
}

const route = (method: Route["method"]): Add => (...args: ReadonlyArray<any>): any => {
  const add = (router: HttpRouter, path: Router.PathInput, handler: Handler, options: Options | undefined) =>
    of([
      ...router.routes,
      { method, path, handler: isHttpServerResponse(handler) ? Effect.succeed(handler) : handler, options }
    ])
  return typeof args[0] !== "string"
    ? add(args[0], args[1], args[2], args[3])
    : (router: HttpRouter) => add(router, args[0], args[1], args[2])
}

export const get = route("GET")
export const post = route("POST")
export const all = route("*")

export const concat = (that: HttpRouter) => (self: HttpRouter): HttpRouter => of([...self.routes, ...that.routes])
