/**
 * The Effect app that a server's listeners answer with: attached by `HttpServer.serve`, kept attached until the
 * drain has ended. Requests that arrive before it is there wait for it.
 */
import type { HttpMiddleware } from "@effect/platform/HttpMiddleware"
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"
import type * as Http from "node:http"
import type { Http2ServerResponse } from "node:http2"
import { connectionOf, type TrackedConnection } from "../core/connection.js"
import { Queue } from "../core/queue.js"
import type { RequestFibers } from "../drain/requestFibers.js"
import type { App } from "../listener/app.js"
import { inOwnContext } from "../node/asyncContext.js"
import { clearTimeout, setImmediate, setTimeout } from "../node/timers.js"
import * as Http2 from "../protocol/http2.js"
import { reject503, rejectUpgrade503 } from "../protocol/reject503.js"
import * as Listener from "./fastPath/requestListener.js"
import * as PlatformHandler from "./platformHandler.js"

/** How long a request waits for an app to be attached, in milliseconds, before it is answered with 503. */
const attachMillis = 10_000

/** How many requests wait for an app at the most; further ones are answered with 503. */
const maxHeld = 1000

/** How many of them are handed over in one turn of the event loop. */
const batch = 64

/** How many of one connection, so that one client does not take the place of all others. */
const maxHeldOfOne = 250

/** An Effect app, or the place of one that is to come. */
export interface EffectApp extends App {
  readonly serve: PlatformHandler.PlatformHandler["serve"]
}

export const make = (fastPath: boolean) =>
(
  handlers: RequestFibers,
  eventStreamsEnd: Effect.Effect<void>
): Effect.Effect<EffectApp, never, Scope.Scope> =>
  Effect.gen(function*() {
    const platform = yield* PlatformHandler.make(handlers, eventStreamsEnd)
    let answer: Listener.RequestListener = platform.request

    const held = new Queue<{ readonly deliver: () => void; readonly refuse: () => void }>()
    /** How many of them have come on each connection. */
    const shares = new Map<TrackedConnection | undefined, number>()
    let taken = false
    let attached = false
    let over = false
    let timer: NodeJS.Timeout | undefined = undefined

    const refuseHeld = () => {
      clearTimeout(timer)
      timer = undefined
      shares.clear()
      for (let next = held.take(); next !== undefined; next = held.take()) next.refuse()
    }
    const deliverHeld = () => {
      if (!attached) return refuseHeld()
      try {
        for (let n = 0; n < batch; n++) held.take()?.deliver()
      } finally {
        if (held.size > 0) setImmediate(deliverHeld)
        else shares.clear()
      }
    }
    const hold = (request: Http.IncomingMessage, deliver: () => void, refuse: () => void) => {
      const connection = connectionOf(request.socket)
      const share = shares.get(connection) ?? 0
      // once it is there, the others are before it for a moment only
      if (!attached) {
        if (over || held.size >= maxHeld || share >= maxHeldOfOne) return refuse()
        timer ??= setTimeout(refuseHeld, attachMillis)
      }
      shares.set(connection, share + 1)
      held.add({ deliver: inOwnContext(deliver), refuse })
    }

    return {
      request: (request, response) => {
        if (request.httpVersionMajor > 1) asHttp1(request, response)
        if (attached && held.size === 0) answer(request, response)
        else {
          hold(request, () => {
            if (!response.destroyed) answer(request, response)
          }, () => reject503(response))
        }
      },
      upgrade: (request, socket, head) => {
        if (attached && held.size === 0) platform.upgrade(request, socket, head)
        else {
          hold(request, () => {
            if (!socket.destroyed) platform.upgrade(request, socket, head)
          }, () => rejectUpgrade503(request, socket))
        }
      },
      rejectPending: () => {
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
          const own = fastPath ? yield* Listener.make(httpApp, middleware, handlers, eventStreamsEnd) : undefined
          if (own !== undefined) answer = own
          yield* Scope.extend(platform.serve(httpApp, own === undefined ? middleware : lazily(middleware)), scope)
          attached = true
          clearTimeout(timer)
          deliverHeld()
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
