/**
 * What the socket servers have in common: the sockets that their handlers get, and how they are run.
 */
import * as NodeSocket from "@effect/platform-node/NodeSocket"
import * as Socket from "@effect/platform/Socket"
import * as SocketServer from "@effect/platform/SocketServer"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Net from "node:net"
import type { TrackedConnection } from "../core/connection.js"
import { fibersOf } from "../drain/requestFibers.js"
import { callsOf } from "../protocol/rpcCalls.js"
import { UndrainedCalls } from "./undrainedCalls.js"

/** Whoever runs a socket server says how its connections are asked to leave: those of RPC, between their calls. */
export class BetweenCalls extends Context.Reference<BetweenCalls>()("quiesce/internal/BetweenCalls", {
  defaultValue: () => false
}) {}

/**
 * The same socket, which is not opened a second time: what is written once it has ended fails. As it is, it would wait
 * for ever, and with it the call that has just finished when its client left.
 *
 * Calls of RPC that are spoken over it are seen, so that the report can name those that are cut.
 */
export const once = (socket: Socket.Socket, connection: TrackedConnection | undefined): Socket.Socket => {
  let ended = false
  const calls = connection === undefined ? undefined : new UndrainedCalls(connection)
  const end = Effect.sync(() => {
    calls?.end()
    ended = true
  })
  return Socket.Socket.of({
    [Socket.TypeId]: Socket.TypeId,
    run: (handler, options) => Effect.ensuring(socket.run(handler, options), end),
    runRaw: (handler, options) => {
      const run = socket.runRaw(handler, options)
      return Effect.ensuring(calls === undefined ? run : Effect.supervised(run, calls), end)
    },
    writer: Effect.map(
      socket.writer,
      (write) => (chunk) =>
        Effect.withFiberRuntime((fiber) => {
          calls?.sends(fiber, chunk)
          return ended ? new Socket.SocketCloseError({ reason: "Close", code: 1000 }) : write(chunk)
        })
    )
  })
}

/** The socket of a connection that was accepted. When its handler lets go of it, it is closed. */
export const fromConnection = (
  conn: Net.Socket,
  connection: TrackedConnection | undefined
): Effect.Effect<Socket.Socket> =>
  Effect.map(
    NodeSocket.fromDuplex(
      Effect.acquireRelease(
        Effect.suspend((): Effect.Effect<Net.Socket, Socket.SocketError> =>
          conn.errored !== null
            ? new Socket.SocketGenericError({ reason: "Open", cause: conn.errored })
            : conn.closed
            ? new Socket.SocketCloseError({ reason: "Close", code: 1000 })
            : Effect.succeed(conn)
        ),
        (conn) => Effect.sync(() => conn.destroySoon())
      )
    ),
    (socket) => once(socket, connection)
  )

/** Works for a connection until it ends: a drain awaits it, and interrupts it at the deadline. */
export const tracked = <A, E, R>(
  connection: TrackedConnection | undefined,
  effect: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  Effect.withFiberRuntime((fiber) => {
    if (connection !== undefined) fibersOf(connection).add(fiber, connection, ignore)
    return effect
  })

const ignore = () => {}

/** RPC is awaited call by call. */
export const betweenCalls = (connection: TrackedConnection | undefined): Effect.Effect<void> =>
  Effect.map(BetweenCalls, (asked) => {
    if (asked && connection !== undefined) callsOf(connection)
  })

/** An error of a socket server that says what its cause says. */
export const socketServerError = (
  reason: "Open" | "Unknown",
  cause: Error
): SocketServer.SocketServerError =>
  Object.defineProperty(new SocketServer.SocketServerError({ reason, cause }), "message", { value: cause.message })
