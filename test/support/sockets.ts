/**
 * What handlers do with a socket, in words that are right on both lines of Effect: on Effect 3 it runs a handler for what
 * comes, on Effect 4 what comes is pulled.
 */
import type * as Socket from "@effect/platform/Socket"
import type * as SocketServer from "@effect/platform/SocketServer"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/** Handles what comes, until the peer has left. */
export const receive = <E = never, R = never>(
  socket: Socket.Socket,
  handler: (data: string | Uint8Array) => Effect.Effect<unknown, E, R> | void
): Effect.Effect<void, E | Socket.SocketError, R> => socket.runRaw(handler)

/** Opens it for a handler that does not look at what comes. */
export const openUnread = (socket: Socket.Socket): Effect.Effect<void, never, Scope.Scope> =>
  Effect.asVoid(Effect.forkScoped(Effect.ignore(socket.runRaw(() => {}))))

/** Sends to the peer. */
export const writerOf = (
  socket: Socket.Socket
): Effect.Effect<(data: string | Uint8Array) => Effect.Effect<void, Socket.SocketError>, never, Scope.Scope> =>
  socket.writer

/** Why a socket, or the server of one, has failed: "Close", "Open", "Unknown". */
export const reasonOf = (error: Socket.SocketError | SocketServer.SocketServerError): string => error.reason

/** With what the WebSocket of a handler closes that has died: without a code. */
export const codeOfDefect = 1005
