/**
 * The Effect app that a server's listeners answer with: attached by `HttpServer.serve`, kept attached until the
 * drain has ended. Requests that arrive before it is there wait for it.
 */
import type { HttpMiddleware } from "@effect/platform/HttpMiddleware"
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"
import type * as Http from "node:http"
import type { Http2ServerResponse } from "node:http2"
import type { Handlers } from "./handlers.js"
import { inOwnContext } from "./node/asyncContext.js"
import { clearTimeout, setTimeout } from "./node/timers.js"
import { refuse, refuseUpgrade } from "./protocol/http1.js"
import * as Http2 from "./protocol/http2.js"
import * as Listener from "./request/listener.js"
import * as PlatformWay from "./request/platformWay.js"

/** How long a request waits for an app to be attached, in milliseconds, before it is answered with 503. */
const attachMillis = 10_000

/** How many requests wait for an app at the most; further ones are answered with 503. */
const maxHeld = 1000

export interface App extends PlatformWay.PlatformWay {
  /** No app will come any more: those that still wait are answered with 503. */
  readonly giveUp: () => void
  /** An app has been attached, now or before: there is one in the life of a server. */
  readonly taken: () => boolean
}

export const make = (
  handlers: Handlers,
  eventStreamsEnd: Effect.Effect<void>
): Effect.Effect<App, never, Scope.Scope> =>
  Effect.gen(function*() {
    const platform = yield* PlatformWay.make(handlers, eventStreamsEnd)
    let answer: Listener.RequestListener = platform.request

    const held: Array<{ readonly deliver: () => void; readonly refuse: () => void }> = []
    let taken = false
    let attached = false
    let over = false
    let timer: NodeJS.Timeout | undefined = undefined

    const refuseHeld = () => {
      clearTimeout(timer)
      timer = undefined
      for (const { refuse } of held.splice(0)) refuse()
    }
    const hold = (deliver: () => void, refuse: () => void) => {
      if (over || held.length >= maxHeld) return refuse()
      timer ??= setTimeout(refuseHeld, attachMillis)
      held.push({ deliver: inOwnContext(deliver), refuse })
    }

    return {
      request: (request, response) => {
        if (request.httpVersionMajor > 1) asHttp1(request, response)
        if (attached) answer(request, response)
        else {
          hold(() => {
            if (!response.destroyed) answer(request, response)
          }, () => refuse(response))
        }
      },
      upgrade: (request, socket, head) => {
        if (attached) platform.upgrade(request, socket, head)
        else {
          hold(() => {
            if (!socket.destroyed) platform.upgrade(request, socket, head)
          }, () => refuseUpgrade(request, socket))
        }
      },
      giveUp: () => {
        over = true
        if (!attached) refuseHeld()
      },
      taken: () => taken,
      serve: (httpApp, middleware) =>
        Effect.uninterruptible(Effect.gen(function*() {
          taken = true
          const scope = yield* Scope.make()
          yield* Effect.addFinalizer((exit) => {
            attached = false
            over = true
            // it waits for the handlers of upgrades to end; those that a drain had to leave behind never will
            const close = Scope.close(scope, exit)
            return handlers.idle ? close : Effect.asVoid(Effect.forkDaemon(close))
          })
          const own = yield* Listener.make(httpApp, middleware, handlers, eventStreamsEnd)
          if (own !== undefined) answer = own
          yield* Scope.extend(platform.serve(httpApp, own === undefined ? middleware : lazily(middleware)), scope)
          attached = true
          clearTimeout(timer)
          for (const { deliver } of held.splice(0)) deliver()
        }))
    }
  })

/** A middleware that is applied when a request comes its way: ours have had it applied already. */
const lazily = (middleware: HttpMiddleware | undefined): HttpMiddleware | undefined =>
  middleware === undefined ? undefined : (app) => {
    let applied: ReturnType<HttpMiddleware> | undefined
    return Effect.suspend(() => applied ??= middleware(app))
  }

/** What `@effect/platform` expects of a request, and HTTP/2 calls by other names. */
const asHttp1 = (request: Http.IncomingMessage, response: Http.ServerResponse): void => {
  Http2.answerWith(response as unknown as Http2ServerResponse)
  const authority = request.headers[":authority"]
  if (typeof authority === "string") request.headers.host ??= authority
}
