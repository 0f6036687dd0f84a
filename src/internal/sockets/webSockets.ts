/**
 * A socket server for WebSockets, which are `@effect/platform-node`'s.
 */
import * as PlatformNode from "@effect/platform-node/NodeSocketServer"
import type * as SocketServer from "@effect/platform/SocketServer"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Http from "node:http"
import type * as Net from "node:net"
import { connectionOf } from "../core/connection.js"
import { serverError } from "../effect/sockets.js"
import type { WebSocketOptions } from "../model/socketServer.js"
import * as Patch from "../node/patch.js"
import { nextMacrotask } from "../node/turn.js"
import { policyNames, wrongNameAmongOthers } from "../policy/optionNames.js"
import { makeServer, type Services, services } from "./socketHandler.js"
import * as Sockets from "./socketServer.js"
import { once } from "./undrainedCalls.js"

/** `new WebSocketServer({ noServer: true })` never listens, and stock waits for it for ever. */
class NotListening extends Data.TaggedError("NotListening") {
  override readonly message = "Cannot listen with noServer true: nothing would be listened on. "
    + "Pass a port, or a server; or upgrade requests in an HttpApp with HttpServerRequest.upgrade."
}

/** The other options of `ws` are its own to know. */
const optionNames = [
  ...policyNames,
  ...Object.keys(
    {
      WebSocket: true,
      allowSynchronousEvents: true,
      autoPong: true,
      backlog: true,
      clientTracking: true,
      handleProtocols: true,
      host: true,
      maxPayload: true,
      noServer: true,
      path: true,
      perMessageDeflate: true,
      port: true,
      server: true,
      skipUTF8Validation: true,
      verifyClient: true
    } satisfies { readonly [K in keyof WebSocketOptions]: true }
  ),
  "closeTimeout",
  "maxBufferedChunks",
  "maxFragments",
  "maxPendingAutoPongs"
]

export const make = (
  given: WebSocketOptions
): Effect.Effect<Services, SocketServer.SocketServerError, Scope.Scope> =>
  Effect.gen(function*() {
    const problem = wrongNameAmongOthers(given, optionNames)
    if (problem !== undefined) return yield* problem
    const { backlog, host, noServer, port, server: adopted, ...options } = given
    if (noServer === true) return yield* new NotListening()
    // `@effect/platform-node` attaches its WebSocket server to what it is given: to one that never listens, so that
    // upgrades reach it from the one that does, through us
    const facade = Patch.neverListens(Http.createServer())
    const [stock] = yield* Effect.all([
      PlatformNode.makeWebSocket({ ...options, server: facade }),
      Effect.zipRight(nextMacrotask, Effect.sync(() => facade.emit("listening")))
    ], { concurrency: "unbounded" })
    const made = yield* makeServer(options)
    const relay = (request: Http.IncomingMessage, socket: Net.Socket, head: Buffer) => {
      facade.emit("upgrade", request, socket, head)
    }
    if (adopted !== undefined && adopted !== null && !adopted.listening) yield* listening(adopted)
    const { address } = adopted !== undefined && adopted !== null
      ? yield* made.service.adopt(adopted.on("upgrade", relay))
      : yield* made.service.listen(() => Http.createServer(upgradeRequired).on("upgrade", relay), {
        port,
        host,
        backlog
      })
    return services(made, address, (handler) =>
      stock.run((socket) =>
        Effect.flatMap(Effect.serviceOption(PlatformNode.IncomingMessage), (request) => {
          const connection = connectionOf(Option.getOrUndefined(request)?.socket)
          return Sockets.tracked(
            connection,
            Effect.zipRight(Sockets.betweenCalls(connection), handler(once(socket, connection)))
          )
        })
      ))
  }).pipe(Effect.mapError((error) =>
    serverError("Open", error)
  ))

/** What `ws` answers on a server of its own. */
const upgradeRequired: Http.RequestListener = (_, response) => {
  const body = Http.STATUS_CODES[426] ?? ""
  response.writeHead(426, { "content-length": body.length, "content-type": "text/plain" }).end(body)
}

const listening = (server: Net.Server): Effect.Effect<void, Error> =>
  Effect.async((resume) => {
    const failed = (error: Error) => resume(Effect.fail(error))
    server.once("error", failed)
    server.once("listening", () => {
      server.off("error", failed)
      resume(Effect.void)
    })
  })
