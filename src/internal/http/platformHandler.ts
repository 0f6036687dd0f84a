/**
 * The handlers of `@effect/platform-node`, for what we leave to them: upgrades, and all requests where its classes are
 * not what we take them for.
 */
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import type { HttpMiddleware } from "@effect/platform/HttpMiddleware"
import { HttpServerRequest } from "@effect/platform/HttpServerRequest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import * as Http from "node:http"
import type * as Net from "node:net"
import { connectionOf, type TrackedConnection } from "../core/connection.js"
import type { RequestFibers } from "../drain/requestFibers.js"
import { hasEnded, unsafeInterrupt } from "../effect/fibers.js"
import {
  asksToContinue,
  type Change,
  changing,
  type HttpApp,
  responseOf,
  serverOf,
  withUpgrade
} from "../effect/httpApps.js"
import { writeClose } from "../effect/sockets.js"
import { completeEnd } from "../node/endCallbacks.js"
import * as Patch from "../node/patch.js"
import { Http1 } from "../protocol/http1.js"
import { hijack } from "../protocol/upgraded.js"
import { once } from "../sockets/undrainedCalls.js"
import { endingWithDrain, isStreamed } from "./endEventStreams.js"
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
  handlers: RequestFibers
): Effect.Effect<PlatformHandler, never, Scope.Scope> =>
  Effect.gen(function*() {
    const facade = Patch.neverListens(Http.createServer())
    const platform = yield* Effect.orDie(serverOf(facade, options))
    const starting = new StartingFiber(handlers)
    let answer: PlatformHandler["request"] = ignore
    return {
      request: (request, response) => starting.during(answer, request, response),
      checkContinue: asksToContinue
        ? (request, response) => void facade.emit("checkContinue", request, response)
        : undefined,
      upgrade: (request, socket, head) => void facade.emit("upgrade", request, socket, head),
      serve: (httpApp, middleware) => {
        const tracked = track(httpApp, starting, handlers)
        const serving = middleware === undefined ? platform.serve(tracked) : platform.serve(tracked, middleware)
        return Effect.tap(serving, () =>
          Effect.sync(() => {
            answer = facade.listeners("request")[0] as PlatformHandler["request"]
          }))
      }
    }
  })

/** The fiber of the request that is given to the platform: where it ends at once, nobody has to know of it. */
class StartingFiber {
  readonly #handlers: RequestFibers
  #isStarting = false
  #fiber: Fiber.RuntimeFiber<unknown, unknown> | undefined = undefined
  #connection: TrackedConnection | undefined = undefined

  constructor(handlers: RequestFibers) {
    this.#handlers = handlers
  }

  during(
    answer: PlatformHandler["request"],
    request: Http.IncomingMessage,
    response: Http.ServerResponse
  ): void {
    this.#isStarting = true
    try {
      answer(request, response)
    } finally {
      this.#isStarting = false
      this.#settle()
    }
  }

  add(fiber: Fiber.RuntimeFiber<unknown, unknown>, connection: TrackedConnection): void {
    // another one has come to its handler within this one
    this.#settle()
    this.#fiber = fiber
    this.#connection = connection
    // a middleware has waited for something first
    if (!this.#isStarting) this.#settle()
  }

  #settle(): void {
    const fiber = this.#fiber
    const connection = this.#connection
    if (fiber === undefined || connection === undefined) return
    this.#fiber = undefined
    this.#connection = undefined
    if (hasEnded(fiber)) return
    this.#handlers.add(fiber, connection, ignore)
    // it began before the deadline, and nobody knew of it when the others were interrupted
    if (connection.registry.lifecycle.isAborting) unsafeInterrupt(fiber)
  }
}

/** Knows each request fiber from the inside, without forking one. */
const track = <E, R>(
  app: HttpApp<E, R>,
  starting: StartingFiber,
  handlers: RequestFibers
): HttpApp<E, R> => {
  const ending: Change = { concerns: isStreamed, change: endingWithDrain }
  const endingApp = changing(app, ending)
  return Effect.withFiberRuntime((fiber) => {
    const request = Context.unsafeGet(fiber.currentContext, HttpServerRequest)
    const source = NodeHttpServerRequest.toIncomingMessage(request)
    const connection = connectionOf(source.socket)
    if (connection === undefined) return app
    const { protocol: spoken } = connection
    const http1 = spoken instanceof Http1 ? spoken : undefined
    const exchange = http1?.upgradeOf(source)
    if (http1 === undefined || exchange === undefined) {
      starting.add(fiber, connection)
      return endingApp(fiber)
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
          const { code, reason } = connection.registry.goingAway
          const errand = handlers.fork(writeClose(socket, code, reason))
          connection.socket.once("close", () => unsafeInterrupt(errand))
        })
      }
      return once(socket, connection)
    })
    const upgrading = Effect.tap(Effect.provideService(app, HttpServerRequest, upgradable), () =>
      Effect.sync(() => {
        // it has declined to upgrade, and answers as it would any request
        if (!upgraded) exchange.answerUpgrade(responseOf(request))
      }))
    return changing(upgrading, ending)(fiber)
  })
}

const ignore = () => {}
