/**
 * The router that is a value, in terms of the one that is a service.
 */
import * as Effect from "effect/Effect"
import * as Router from "effect/http/HttpRouter"
import { type HttpServerResponse, isHttpServerResponse } from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import type { HttpApp } from "./apps.js"

export { params, type PathInput, RouteContext } from "effect/http/HttpRouter"

/** Adds what it has to a router. */
type Add = (router: Router.HttpRouter) => Effect.Effect<unknown>

type Routes = Layer.Layer<never, never, any>

export interface HttpRouter<E = any, R = any> extends HttpApp<E, R> {
  readonly adds: ReadonlyArray<Add>
  readonly types?: () => readonly [E, R]
}

const of = <E, R>(adds: ReadonlyArray<Add>): HttpRouter<E, R> => {
  let app: HttpApp<unknown> | undefined
  const made = Effect.gen(function*() {
    const router = yield* Router.make
    for (const add of adds) yield* add(router)
    app ??= router.asHttpEffect() as HttpApp<unknown>
    return yield* app
  })
  return Object.assign(Effect.suspend(() => app ?? made), { adds }) as never
}

const addsOf = (routes: HttpRouter | Routes): ReadonlyArray<Add> =>
  Layer.isLayer(routes)
    ? [(router) =>
      Layer.buildWithScope(
        Layer.provide(routes as Routes, Layer.succeed(Router.HttpRouter, router)),
        Scope.makeUnsafe()
      ) as Effect.Effect<unknown>]
    : (routes as HttpRouter).adds

export const empty: HttpRouter<never, never> = of([])

type Handler<E, R> = HttpServerResponse | Effect.Effect<HttpServerResponse, E, R>

interface Options {
  readonly uninterruptible?: boolean
}

const route =
  (method: "*" | "GET" | "POST") =>
  <E = never, R = never>(path: Router.PathInput, handler: Handler<E, R>, options?: Options) =>
  <E0, R0>(self: HttpRouter<E0, R0>): HttpRouter<E0 | E, R0 | Exclude<R, Router.RouteContext>> =>
    of([
      ...self.adds,
      (router) =>
        router.add(
          method,
          path,
          isHttpServerResponse(handler) ? Effect.succeed(handler) : handler,
          options
        ) as Effect.Effect<
          void
        >
    ])

export const get = route("GET")
export const post = route("POST")
export const all = route("*")

export const concat =
  <E = never, R = never>(that: HttpRouter<E, R> | Routes) =>
  <E0, R0>(self: HttpRouter<E0, R0>): HttpRouter<E0 | E, R0 | R> => of([...self.adds, ...addsOf(that)])

export const mount =
  <E = never, R = never>(prefix: string, that: HttpRouter<E, R> | Routes) =>
  <E0, R0>(self: HttpRouter<E0, R0>): HttpRouter<E0 | E, R0 | R> =>
    of([...self.adds, ...addsOf(that).map((add): Add => (router) => add(router.prefixed(prefix)))])
