import * as NodeSocket from "@effect/platform-node/NodeSocket"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Socket from "effect/socket/Socket"
import * as SocketServer from "effect/socket/SocketServer"
import type * as Net from "node:net"

export const socketOf = (
  connection: Effect.Effect<Net.Socket, Socket.SocketError, Scope.Scope>
): Effect.Effect<Socket.Socket> => NodeSocket.fromDuplex(connection, { tlsServer: true })

export const openError = (cause: Error): Effect.Effect<never, Socket.SocketError> =>
  Effect.fail(new Socket.SocketError({ reason: new Socket.SocketOpenError({ kind: "Unknown", cause }) }))

export const closeError: Effect.Effect<never, Socket.SocketError> = Effect.suspend(() =>
  Effect.fail(new Socket.SocketError({ reason: new Socket.SocketCloseError({ code: 1000 }) }))
)

export const writeClose = (socket: Socket.Socket, code: number, reason: string): Effect.Effect<void> =>
  Effect.scoped(Effect.flatMap(socket.writer, ({ write }) => write(new Socket.CloseEvent(code, reason)))).pipe(
    Effect.ignore
  )

export const serverError = (reason: "Open" | "Unknown", cause: Error): SocketServer.SocketServerError =>
  Object.defineProperty(
    new SocketServer.SocketServerError({
      reason: reason === "Open"
        ? new SocketServer.SocketServerOpenError({ cause })
        : new SocketServer.SocketServerUnknownError({ cause })
    }),
    "message",
    { value: cause.message }
  )

export const hasRpc = (context: Context.Context<never>): boolean => context.mapUnsafe.has("effect/rpc/RpcSerialization")
