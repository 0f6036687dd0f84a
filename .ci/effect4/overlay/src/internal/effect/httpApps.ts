import * as PlatformNode from "@effect/platform-node/NodeHttpServer"
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as HttpEffect from "effect/http/HttpEffect"
import type { HttpServer } from "effect/http/HttpServer"
import type { ServeError } from "effect/http/HttpServerError"
import type { HttpServerRequest } from "effect/http/HttpServerRequest"
import type { HttpServerResponse } from "effect/http/HttpServerResponse"
import type * as Scope from "effect/Scope"
import type * as Socket from "effect/socket/Socket"
import type * as Http from "node:http"

export type HttpApp<E = never, R = never> = Effect.Effect<HttpServerResponse, E, R | HttpServerRequest | Scope.Scope>

export const serverOf = (
  node: Http.Server,
  { websocket }: Pick<PlatformNode.Options, "websocket">
): Effect.Effect<typeof HttpServer.Service, ServeError, Scope.Scope> =>
  PlatformNode.make(() => node, { disablePreemptiveShutdown: true, websocket })

export const asksToContinue = true

export const upgradesToAny = true

export const responseOf = (request: HttpServerRequest): Http.ServerResponse =>
  NodeHttpServerRequest.toServerResponse(request) as Http.ServerResponse

export interface Change {
  readonly concerns: (response: HttpServerResponse) => boolean
  readonly change: (response: HttpServerResponse, request: HttpServerRequest) => HttpServerResponse
}

export const changing = <E, R>(
  app: HttpApp<E, R>,
  { change, concerns }: Change
): (fiber: Fiber.Fiber<unknown, unknown>) => HttpApp<E, R> => {
  const handler = (request: HttpServerRequest, response: HttpServerResponse) =>
    Effect.succeed(concerns(response) ? change(response, request) : response)
  return (fiber) => {
    // another step of the app would cost more than all that is done for a request beside it
    HttpEffect.appendPreResponseHandlerUnsafe(fiber.context, handler)
    return app
  }
}

export const withUpgrade = (
  request: HttpServerRequest,
  onUpgrade: (socket: Socket.Socket) => Socket.Socket
): HttpServerRequest =>
  Object.create(request, {
    upgradeWith: {
      value: (options: Parameters<HttpServerRequest["upgradeWith"]>[0]) =>
        Effect.map(request.upgradeWith(options), onUpgrade)
    },
    modify: {
      value: (options: Parameters<HttpServerRequest["modify"]>[0]) => withUpgrade(request.modify(options), onUpgrade)
    }
  })
