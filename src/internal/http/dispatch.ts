/**
 * The Effect app that a server's listeners answer with: attached by `HttpServer.serve`, kept attached until the
 * drain has ended. Requests that arrive before it is there wait for it.
 */
import type { HttpMiddleware } from "@effect/platform/HttpMiddleware"
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"
import type * as Http from "node:http"
import type { Http2ServerResponse } from "node:http2"
import type { RequestFibers } from "../drain/requestFibers.js"
import { upgradesToAny } from "../effect/httpApps.js"
import type { App } from "../listener/app.js"
import { answerWith } from "../protocol/http2Exchange.js"
import { reject503, rejectUpgrade503 } from "../protocol/reject503.js"
import * as Listener from "./fastPath/requestListener.js"
import { PendingRequests } from "./pendingRequests.js"
import * as PlatformHandler from "./platformHandler.js"
import type { PlatformOptions } from "./platformOptions.js"

/** An Effect app, or the place of one that is to come. */
export interface EffectApp extends App {
  readonly serve: PlatformHandler.PlatformHandler["serve"]
}

export const make =
  (fastPath: boolean, options: PlatformOptions) =>
  (handlers: RequestFibers): Effect.Effect<EffectApp, never, Scope.Scope> =>
    Effect.gen(function*() {
      const platform = yield* PlatformHandler.make(options, handlers)
      let answer: Listener.RequestListener = platform.request

      const pending = new PendingRequests()
      let taken = false

      const deliver = (
        listener: () => Listener.RequestListener,
        request: Http.IncomingMessage,
        response: Http.ServerResponse
      ): void => {
        if (request.httpVersionMajor > 1) asHttp1(request, response)
        if (!pending.mustHold) listener()(request, response)
        else {
          pending.hold(request, () => {
            if (!response.destroyed) listener()(request, response)
          }, () => reject503(response))
        }
      }
      const current = () => answer
      const { checkContinue } = platform

      return {
        request: (request, response) => deliver(current, request, response),
        checkContinue: checkContinue && ((request, response) => deliver(() => checkContinue, request, response)),
        upgradesToAny,
        upgrade: (request, socket, head) => {
          if (!pending.mustHold) platform.upgrade(request, socket, head)
          else {
            pending.hold(request, () => {
              if (!socket.destroyed) platform.upgrade(request, socket, head)
            }, () => rejectUpgrade503(request, socket))
          }
        },
        rejectPending: () => pending.reject(),
        taken: () => taken,
        serve: (httpApp, middleware) =>
          Effect.uninterruptible(Effect.gen(function*() {
            taken = true
            const scope = yield* Scope.make()
            yield* Effect.addFinalizer((exit) => {
              pending.detach()
              // it waits for the handlers of upgrades to end; those that a drain had to leave behind never will
              const close = Scope.close(scope, exit)
              return handlers.idle ? close : Effect.asVoid(Effect.forkDaemon(close))
            })
            const own = fastPath ? yield* Listener.make(httpApp, middleware, handlers) : undefined
            if (own !== undefined) answer = own
            yield* Scope.extend(platform.serve(httpApp, own === undefined ? middleware : lazily(middleware)), scope)
            pending.attach()
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
  answerWith(response as unknown as Http2ServerResponse)
  const authority = request.headers[":authority"]
  if (typeof authority === "string") request.headers.host ??= authority
}
