/**
 * Socket servers for plain sockets, and for sockets over TLS.
 */
import * as NodeSocket from "@effect/platform-node/NodeSocket"
import type * as Socket from "@effect/platform/Socket"
import type * as SocketServer from "@effect/platform/SocketServer"
import * as Effect from "effect/Effect"
import * as Runtime from "effect/Runtime"
import type * as Scope from "effect/Scope"
import * as Net from "node:net"
import * as Tls from "node:tls"
import { connectionOf } from "../core/connection.js"
import { logUnhandled } from "../effect/logs.js"
import { serverError } from "../effect/sockets.js"
import type { NodeServer } from "../model/listener.js"
import type { Options, TlsOptions } from "../model/socketServer.js"
import { inOwnContext } from "../node/asyncContext.js"
import {
  checkNames,
  listenNames,
  only,
  policyNames,
  socketNames,
  tlsNames,
  wrongNameAmongOthers
} from "../policy/optionNames.js"
import { upgradedOf } from "../protocol/upgraded.js"
import { makeServer, type Services, services } from "./socketHandler.js"
import * as Sockets from "./socketServer.js"

const optionNames = [...listenNames, ...policyNames, ...socketNames]

export const make = (options: Options): Effect.Effect<Services, SocketServer.SocketServerError, Scope.Scope> =>
  Effect.zipRight(
    checkNames("options", options, optionNames),
    serving(options, (connected) => Net.createServer(options, connected))
  ).pipe(openError)

/** Those that fail their handshake are none. */
export const makeTls = (options: TlsOptions): Effect.Effect<Services, SocketServer.SocketServerError, Scope.Scope> =>
  Effect.zipRight(
    // newer versions of Node have more
    Effect.suspend(() => wrongNameAmongOthers(options, [...optionNames, ...tlsNames]) ?? Effect.void),
    serving(options, (connected) =>
      Tls.createServer(options, connected).on("tlsClientError", (_, socket) => {
        socket.destroy()
      }))
  ).pipe(openError)

const openError = Effect.mapError((error: Error) => serverError("Open", error))

/** Listens with a Node server, whose connections wait for a handler. */
const serving = <S extends NodeServer>(
  options: Options | TlsOptions,
  createServer: (connected: (conn: Net.Socket) => void) => S
) =>
  Effect.gen(function*() {
    const made = yield* makeServer(options)
    const pending: Array<() => void> = []
    let connected = (conn: Net.Socket): void => {
      const connection = connectionOf(conn)
      // when a shutdown begins, nobody will serve it any more
      upgradedOf(connection)?.goAwayBy(() => conn.destroy())
      pending.push(inOwnContext(() => connected(conn)))
    }
    const listener = yield* made.service.listen(
      () =>
        createServer((conn) => {
          conn.on("error", ignore)
          connected(conn)
        }),
      only(options, listenNames)
    )
    return services(made, listener.address, <R, E, _>(handler: (socket: Socket.Socket) => Effect.Effect<_, E, R>) =>
      Effect.flatMap(Effect.runtime<R>(), (runtime) => {
        connected = (conn) => {
          const connection = connectionOf(conn)
          upgradedOf(connection)?.served()
          Effect.zipRight(Sockets.betweenCalls(connection), Sockets.fromConnection(conn, connection)).pipe(
            Effect.flatMap(handler),
            // as `@effect/platform-node` says it
            Effect.catchAllCause((cause) =>
              logUnhandled(cause, "Unhandled error in SocketServer")
            ),
            Effect.provideService(NodeSocket.NetSocket, conn),
            (effect) => Sockets.tracked(connection, effect),
            Effect.interruptible,
            Runtime.runFork(runtime)
          )
        }
        for (const deliver of pending.splice(0)) {
          deliver()
        }
        return Effect.never
      }))
  })

const ignore = () => {}
