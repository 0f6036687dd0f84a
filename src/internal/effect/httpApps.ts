/**
 * Effect apps on Node servers. Effect 3 and Effect 4 have other types for an app, for Node's response and for an upgrade,
 * and other options for the server that serves an app.
 */
import * as PlatformNode from "@effect/platform-node/NodeHttpServer"
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import type * as Platform from "@effect/platform/HttpApp"
import type { HttpServer } from "@effect/platform/HttpServer"
import type { ServeError } from "@effect/platform/HttpServerError"
import { HttpServerRequest } from "@effect/platform/HttpServerRequest"
import type { HttpServerResponse } from "@effect/platform/HttpServerResponse"
import type * as Socket from "@effect/platform/Socket"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import type * as Http from "node:http"

/** An effect that answers a request. */
export type HttpApp<E = never, R = never> = Platform.Default<E, R>

/** The `HttpServer` of `@effect/platform-node` on a Node server that never listens, and so has no shutdown of its own. */
export const serverOf = (node: Http.Server, _options: object): Effect.Effect<HttpServer, ServeError, Scope.Scope> =>
  PlatformNode.make(() => node, {})

/** Whether `@effect/platform-node` lets the app decide when a client that waits for `100 Continue` may go on. */
export const asksToContinue = false

/** Whether its requests can become anything that an `Upgrade` header may name, and not a WebSocket only. */
export const upgradesToAny = false

/** Node's response to a request. */
export const responseOf = (request: HttpServerRequest): Http.ServerResponse =>
  NodeHttpServerRequest.toServerResponse(request)

/** What some of the responses of an app become before they are sent. */
export interface Change {
  readonly concerns: (response: HttpServerResponse) => boolean
  readonly change: (response: HttpServerResponse, request: HttpServerRequest) => HttpServerResponse
}

/** The same app, to be run in the fiber of its request. */
export const changing = <E, R>(
  app: HttpApp<E, R>,
  { change, concerns }: Change
): (fiber: Fiber.Fiber<unknown, unknown>) => HttpApp<E, R> => {
  // made once, not for each request
  const changed = Effect.flatMap(app, (response) =>
    concerns(response)
      ? Effect.map(HttpServerRequest, (request) => change(response, request))
      : Effect.succeed(response))
  return () => changed
}

/** The same request. When it is upgraded, its handler gets what `onUpgrade` makes of the socket. */
export const withUpgrade = (
  request: HttpServerRequest,
  onUpgrade: (socket: Socket.Socket) => Socket.Socket
): HttpServerRequest =>
  Object.create(request, {
    upgrade: { value: Effect.map(request.upgrade, onUpgrade) },
    modify: {
      value: (options: Parameters<HttpServerRequest["modify"]>[0]) => withUpgrade(request.modify(options), onUpgrade)
    }
  })
