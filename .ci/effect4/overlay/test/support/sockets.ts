import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as Socket from "effect/socket/Socket"
import type * as SocketServer from "effect/socket/SocketServer"

export const receive = <E = never, R = never>(
  socket: Socket.Socket,
  handler: (data: string | Uint8Array) => Effect.Effect<unknown, E, R> | void
): Effect.Effect<void, E | Socket.SocketError, R> =>
  Effect.gen(function*() {
    const { pull } = yield* socket.reader
    while (true) for (const data of yield* pull) yield* handler(data) ?? Effect.void
  }).pipe(
    Effect.scoped,
    Effect.catchIf(
      (error) =>
        isSocketError(error) && (error.reason._tag === "SocketCloseError") && [1000, 1006].includes(error.reason.code),
      () => Effect.void
    )
  )

export const openUnread = (socket: Socket.Socket): Effect.Effect<void, never, Scope.Scope> =>
  Effect.asVoid(Effect.orDie(socket.reader))

const isSocketError = (error: unknown): error is Socket.SocketError =>
  (error as { readonly _tag?: unknown } | undefined)?._tag === "SocketError"

export const writerOf = (
  socket: Socket.Socket
): Effect.Effect<(data: string | Uint8Array) => Effect.Effect<void, Socket.SocketError>, never, Scope.Scope> =>
  Effect.map(socket.writer, ({ write }) => write)

export const reasonOf = ({ reason }: Socket.SocketError | SocketServer.SocketServerError): string =>
  reason._tag.replace(/^Socket(Server)?|Error$/g, "")

/** As an internal error. */
export const codeOfDefect = 1011
