/**
 * What the socket servers have in common: the sockets that their handlers get, and how they are run.
 */
import type * as Socket from "@effect/platform/Socket"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Net from "node:net"
import type { TrackedConnection } from "../core/connection.js"
import { fibersOf } from "../drain/requestFibers.js"
import { closeError, openError, socketOf } from "../effect/sockets.js"
import { callsOf } from "../protocol/rpcCalls.js"
import { once } from "./undrainedCalls.js"

/** Whoever runs a socket server says how its connections are asked to leave: those of RPC, between their calls. */
export class BetweenCalls extends Context.Reference<BetweenCalls>()("quiesce/internal/BetweenCalls", {
  defaultValue: () => false
}) {}

/** The socket of a connection that was accepted. When its handler lets go of it, it is closed. */
export const fromConnection = (
  conn: Net.Socket,
  connection: TrackedConnection | undefined
): Effect.Effect<Socket.Socket> =>
  Effect.map(
    socketOf(Effect.acquireRelease(
      Effect.suspend((): Effect.Effect<Net.Socket, Socket.SocketError> =>
        conn.errored !== null ? openError(conn.errored) : conn.closed ? closeError : Effect.succeed(conn)
      ),
      (conn) => Effect.sync(() => conn.destroySoon())
    )),
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
