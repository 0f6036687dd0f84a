/**
 * The Effect app that a server's listeners answer with: attached by `HttpServer.serve`, kept attached until the
 * drain has ended. Requests that arrive before it is there wait for it.
 */
import * as PlatformNode from "@effect/platform-node/NodeHttpServer"
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import type * as HttpApp from "@effect/platform/HttpApp"
import * as HttpBody from "@effect/platform/HttpBody"
import type { HttpMiddleware } from "@effect/platform/HttpMiddleware"
import { HttpServerRequest } from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Socket from "@effect/platform/Socket"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FiberId from "effect/FiberId"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Http from "node:http"
import type { Http2ServerResponse } from "node:http2"
import type * as Net from "node:net"
import type { Handlers } from "./handlers.js"
import { completeEnd, endUpgrade, refuse, refuseUpgrade, upgradeOf } from "./protocol/http1.js"
import * as Http2 from "./protocol/http2.js"
import { goingAway, hijack, tellWith } from "./protocol/upgraded.js"
import { openOf } from "./registry.js"
import { once } from "./socketServer.js"

/** How long a request waits for an app to be attached, in milliseconds, before it is answered with 503. */
const attachMillis = 10_000

/** How many requests wait for an app at the most; further ones are answered with 503. */
const maxHeld = 1000

export interface App {
  readonly request: (request: Http.IncomingMessage, response: Http.ServerResponse) => void
  readonly upgrade: (request: Http.IncomingMessage, socket: Net.Socket, head: Buffer) => void
  /** No app will come any more: those that still wait are answered with 503. */
  readonly giveUp: () => void
  /** An app has been attached, now or before: there is one in the life of a server. */
  readonly taken: () => boolean
  readonly serve: (
    httpApp: HttpApp.Default<unknown>,
    middleware?: HttpMiddleware
  ) => Effect.Effect<void, never, Scope.Scope>
}

/**
 * `@effect/platform-node` attaches its handlers to the Node server that it is given. It is given one that never
 * listens, so that requests reach the app when we say so, from as many listeners as there are.
 */
export const make = (
  handlers: Handlers,
  eventStreamsEnd: Effect.Effect<void>
): Effect.Effect<App, never, Scope.Scope> =>
  Effect.gen(function*() {
    const facade = Object.assign(Http.createServer(), {
      listen: (_options: unknown, listening: () => void) => {
        listening()
        return facade
      },
      address: () => ({ address: "", family: "", port: 0 })
    }) as Http.Server
    const stock = yield* Effect.orDie(PlatformNode.make(() => facade, {}))

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
      held.push({ deliver, refuse })
    }

    return {
      request: (request, response) => {
        if (request.httpVersionMajor > 1) asHttp1(request, response)
        if (attached) facade.emit("request", request, response)
        else {
          hold(() => {
            if (!response.destroyed) facade.emit("request", request, response)
          }, () => refuse(response))
        }
      },
      upgrade: (request, socket, head) => {
        if (attached) facade.emit("upgrade", request, socket, head)
        else {
          hold(() => {
            if (!socket.destroyed) facade.emit("upgrade", request, socket, head)
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
          const tracked = track(httpApp, handlers, eventStreamsEnd)
          const scope = yield* Scope.make()
          yield* Effect.addFinalizer((exit) => {
            attached = false
            over = true
            // it waits for the handlers of upgrades to end; those that a drain had to leave behind never will
            const close = Scope.close(scope, exit)
            return handlers.idle ? close : Effect.asVoid(Effect.forkDaemon(close))
          })
          yield* Scope.extend(middleware === undefined ? stock.serve(tracked) : stock.serve(tracked, middleware), scope)
          attached = true
          clearTimeout(timer)
          for (const { deliver } of held.splice(0)) deliver()
        }))
    }
  })

/** What `@effect/platform` expects of a request, and HTTP/2 calls by other names. */
const asHttp1 = (request: Http.IncomingMessage, response: Http.ServerResponse): void => {
  Http2.answerWith(response as unknown as Http2ServerResponse)
  const authority = request.headers[":authority"]
  if (typeof authority === "string") request.headers.host ??= authority
}

/** Knows each request fiber from the inside, without forking one. */
const track = <E, R>(
  app: HttpApp.Default<E, R>,
  handlers: Handlers,
  eventStreamsEnd: Effect.Effect<void>
): HttpApp.Default<E, R> =>
  Effect.withFiberRuntime((fiber) => {
    const request = Context.unsafeGet(fiber.currentContext, HttpServerRequest)
    const source = NodeHttpServerRequest.toIncomingMessage(request)
    const open = openOf(source.socket)
    if (open === undefined) return app
    const ending = (response: HttpServerResponse.HttpServerResponse) =>
      !isStreamed(response) ? response : open.registry.killing ? tooLate : endingWhen(eventStreamsEnd, response)
    const owed = upgradeOf(open, source)
    if (owed === undefined) {
      handlers.add(fiber, open, ignore)
      return Effect.map(app, ending)
    }
    let upgraded = false
    handlers.add(fiber, open, () => endUpgrade(open, owed, () => NodeHttpServerRequest.toServerResponse(request)))
    open.socket.once("close", () => {
      // its answer, if it is writing one, is known to nobody else
      if (!upgraded) completeEnd(NodeHttpServerRequest.toServerResponse(request))
    })
    const withUpgrade = upgradable(request, (socket) => {
      upgraded = true
      hijack(open, "websocket")
      tellWith(open, () => {
        const errand = handlers.fork(goAway(socket))
        open.socket.once("close", () => errand.unsafeInterruptAsFork(FiberId.none))
      })
    })
    return Effect.map(Effect.provideService(app, HttpServerRequest, withUpgrade), (response) => {
      // it has declined to upgrade, and answers as it would any request
      if (!upgraded) owed.response = NodeHttpServerRequest.toServerResponse(request)
      return ending(response)
    })
  })

const ignore = () => {}

/** Interrupted before its first byte, such a body would be sent as an empty one that is whole. */
const isStreamed = ({ body }: HttpServerResponse.HttpServerResponse): boolean =>
  body._tag === "Stream" || body._tag === "FormData"
  || (body._tag === "Raw" && typeof body.body === "object" && body.body !== null && "pipe" in body.body)

/** The same response; if it is an event stream, one that ends when `end` does. */
const endingWhen = (
  end: Effect.Effect<void>,
  response: HttpServerResponse.HttpServerResponse
): HttpServerResponse.HttpServerResponse => {
  const { body, headers } = response
  const contentType = headers["content-type"] ?? body.contentType
  if (body._tag !== "Stream" || contentType?.toLowerCase().startsWith("text/event-stream") !== true) return response
  return HttpServerResponse.setBody(response, HttpBody.stream(Stream.interruptWhen(body.stream, end), contentType))
}

const tooLate = HttpServerResponse.empty({ status: 503 })

/** The same request, which says when it is upgraded. */
const upgradable = (
  request: HttpServerRequest,
  onUpgrade: (socket: Socket.Socket) => void
): HttpServerRequest =>
  Object.create(request, {
    upgrade: {
      value: Effect.map(request.upgrade, (socket) => {
        onUpgrade(socket)
        return once(socket)
      })
    },
    modify: {
      value: (options: Parameters<HttpServerRequest["modify"]>[0]) => upgradable(request.modify(options), onUpgrade)
    }
  })

const goAway = (socket: Socket.Socket): Effect.Effect<void> =>
  Effect.scoped(
    Effect.flatMap(socket.writer, (write) => write(new Socket.CloseEvent(goingAway.code, goingAway.reason)))
  ).pipe(Effect.ignore)
