/**
 * The handlers of `@effect/platform-node`, for what we leave to them: upgrades, and all requests where its classes are
 * not what we take them for.
 */
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import type { HttpMiddleware } from "@effect/platform/HttpMiddleware"
import { HttpServerRequest } from "@effect/platform/HttpServerRequest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Http from "node:http"
import type * as Net from "node:net"
import { connectionOf } from "../core/connection.js"
import type { RequestFibers } from "../drain/requestFibers.js"
import { unsafeInterrupt } from "../effect/fibers.js"
import { asksToContinue, type HttpApp, responseOf, serverOf, withUpgrade } from "../effect/httpApps.js"
import { writeClose } from "../effect/sockets.js"
import { completeEnd } from "../node/endCallbacks.js"
import * as Patch from "../node/patch.js"
import { http1Of } from "../protocol/http1.js"
import { goingAway, hijack } from "../protocol/upgraded.js"
import { once } from "../sockets/undrainedCalls.js"
import { endingWithDrain } from "./endEventStreams.js"
import type { PlatformOptions } from "./platformOptions.js"

export interface PlatformHandler {
  readonly request: (request: Http.IncomingMessage, response: Http.ServerResponse) => void
  /** The same for one whose client waits for `100 Continue`, where the app decides when it comes. */
  readonly checkContinue: ((request: Http.IncomingMessage, response: Http.ServerResponse) => void) | undefined
  readonly upgrade: (request: Http.IncomingMessage, socket: Net.Socket, head: Buffer) => void
  readonly serve: (
    httpApp: HttpApp<unknown>,
    middleware?: HttpMiddleware
  ) => Effect.Effect<void, never, Scope.Scope>
}

/**
 * `@effect/platform-node` attaches its handlers to the Node server that it is given. It is given one that never
 * listens, so that requests reach them when we say so, from as many listeners as there are.
 */
export const make = (
  options: PlatformOptions,
  handlers: RequestFibers,
  eventStreamsEnd: Effect.Effect<void>
): Effect.Effect<PlatformHandler, never, Scope.Scope> =>
  Effect.gen(function*() {
    const facade = Patch.neverListens(Http.createServer())
    const platform = yield* Effect.orDie(serverOf(facade, options))
    return {
      request: (request, response) => void facade.emit("request", request, response),
      checkContinue: asksToContinue
        ? (request, response) => void facade.emit("checkContinue", request, response)
        : undefined,
      upgrade: (request, socket, head) => void facade.emit("upgrade", request, socket, head),
      serve: (httpApp, middleware) => {
        const tracked = track(httpApp, handlers, eventStreamsEnd)
        return middleware === undefined ? platform.serve(tracked) : platform.serve(tracked, middleware)
      }
    }
  })

/** Knows each request fiber from the inside, without forking one. */
const track = <E, R>(
  app: HttpApp<E, R>,
  handlers: RequestFibers,
  eventStreamsEnd: Effect.Effect<void>
): HttpApp<E, R> =>
  Effect.withFiberRuntime((fiber) => {
    const request = Context.unsafeGet(fiber.currentContext, HttpServerRequest)
    const source = NodeHttpServerRequest.toIncomingMessage(request)
    const connection = connectionOf(source.socket)
    if (connection === undefined) return app
    const http1 = http1Of(source.socket)
    const exchange = http1?.upgradeOf(source)
    if (http1 === undefined || exchange === undefined) {
      handlers.add(fiber, connection, ignore)
      return Effect.map(app, (response) => endingWithDrain(response, request, eventStreamsEnd))
    }
    const protocol = source.headers.upgrade?.toLowerCase() ?? "websocket"
    let upgraded = false
    handlers.add(fiber, connection, () => http1.endUpgrade(exchange, () => responseOf(request)))
    connection.socket.once("close", () => {
      // its answer, if it is writing one, is known to nobody else
      if (!upgraded) completeEnd(responseOf(request))
    })
    const upgradable = withUpgrade(request, (socket) => {
      upgraded = true
      const taken = hijack(connection, protocol)
      // how the peer of another protocol is asked to leave is known to the handler alone
      if (protocol === "websocket") {
        taken.goAwayBy(() => {
          const errand = handlers.fork(writeClose(socket, goingAway.code, goingAway.reason))
          connection.socket.once("close", () => unsafeInterrupt(errand))
        })
      }
      return once(socket, connection)
    })
    return Effect.map(Effect.provideService(app, HttpServerRequest, upgradable), (response) => {
      // it has declined to upgrade, and answers as it would any request
      if (!upgraded) exchange.answerUpgrade(responseOf(request))
      return endingWithDrain(response, request, eventStreamsEnd)
    })
  })

const ignore = () => {}
