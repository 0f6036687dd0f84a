/**
 * Sockets. Effect 3 and Effect 4 have other errors for them, another writer, other options for one that is made of a
 * connection of Node's, and other keys for the services of RPC, which is spoken over them.
 */
import * as NodeSocket from "@effect/platform-node/NodeSocket"
import * as Socket from "@effect/platform/Socket"
import * as SocketServer from "@effect/platform/SocketServer"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as Net from "node:net"

/** A socket over a connection that a server has accepted. */
export const socketOf = (
  connection: Effect.Effect<Net.Socket, Socket.SocketError, Scope.Scope>
): Effect.Effect<Socket.Socket> => NodeSocket.fromDuplex(connection)

/** It has failed before it could be opened. */
export const openError = (cause: Error): Effect.Effect<never, Socket.SocketError> =>
  new Socket.SocketGenericError({ reason: "Open", cause })

/** It has closed, with nothing wrong. */
export const closeError: Effect.Effect<never, Socket.SocketError> = Effect.suspend(() =>
  new Socket.SocketCloseError({ reason: "Close", code: 1000 })
)

/** Asks the peer to close. */
export const writeClose = (socket: Socket.Socket, code: number, reason: string): Effect.Effect<void> =>
  Effect.scoped(Effect.flatMap(socket.writer, (write) => write(new Socket.CloseEvent(code, reason)))).pipe(
    Effect.ignore
  )

/** An error of a socket server that says what its cause says. */
export const serverError = (reason: "Open" | "Unknown", cause: Error): SocketServer.SocketServerError =>
  Object.defineProperty(new SocketServer.SocketServerError({ reason, cause }), "message", { value: cause.message })

/** Whether RPC is configured there. `@effect/rpc` itself is an optional peer. */
export const hasRpc = (context: Context.Context<never>): boolean =>
  context.unsafeMap.has("@effect/rpc/RpcSerialization")
