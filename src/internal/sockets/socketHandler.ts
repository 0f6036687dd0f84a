/**
 * What a socket server runs: one handler, attached until its server has drained.
 */
import type * as Socket from "@effect/platform/Socket"
import * as SocketServer from "@effect/platform/SocketServer"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { toPlatformAddress } from "../effect/address.js"
import { hasRpc, serverError } from "../effect/sockets.js"
import * as Line from "../log/line.js"
import { type Address, printAddress } from "../model/listener.js"
import type { Policy } from "../model/policy.js"
import { Server } from "../model/server.js"
import * as internal from "../server/make.js"
import { type StreamingHandle, withStreams } from "../server/streams.js"
import { BetweenCalls } from "./socketServer.js"

/**
 * `SocketServer.run` was called on a server that already has, or had, a handler: the cause of the `SocketServerError`
 * that it fails with. Run one handler, or make a server for each.
 *
 * @since 0.1.0
 * @category errors
 */
export class AlreadyRunning extends Data.TaggedError("AlreadyRunning")<{ readonly address: string }> {
  override get message(): string {
    return `SocketServer.run: the server on ${this.address} has a handler already, or has begun to shut down. `
      + `Run one handler, or make a server for each.`
  }
}

export type Services = Context.Context<SocketServer.SocketServer | Server>

/** Hands sockets to a handler for as long as it runs. */
type Attach = <R, E, _>(handler: (socket: Socket.Socket) => Effect.Effect<_, E, R>) => Effect.Effect<
  never,
  SocketServer.SocketServerError,
  R
>

export const services = (
  { isStopping, service }: StreamingHandle<undefined>,
  address: Address,
  attach: Attach
): Services => {
  let taken = false
  const run: Attach = (handler) =>
    Effect.suspend(() => {
      if (taken || isStopping()) {
        const cause = new AlreadyRunning({ address: printAddress(address) })
        // where `run` is forked, as by the layers of RPC, nobody would hear of it
        return Effect.zipRight(Line.error(cause.message), serverError("Unknown", cause))
      }
      taken = true
      return Effect.zipRight(
        warnOfRpc,
        Effect.acquireUseRelease(
          // the handler stays attached while the drain lasts
          Effect.forkDaemon(Effect.interruptible(attach(handler))),
          Fiber.join,
          // what was cut is raised by the finalizer of the server, whose exit somebody looks at
          (fiber) => Effect.zipRight(Effect.ignore(service.shutdown), Fiber.interrupt(fiber))
        )
      )
    })
  return Context.make(SocketServer.SocketServer, { address: toPlatformAddress(address), run }).pipe(
    Context.add(Server, service)
  )
}

/** RPC that is run without `withDrain` would interrupt its calls, and its idle clients hold up the drain. */
const warnOfRpc = Effect.contextWithEffect((context: Context.Context<never>) =>
  hasRpc(context) && !Context.get(context, BetweenCalls)
    ? Line.warning(
      "RPC over this socket server is not drained: wrap the layer of its protocol in withDrain of quiesce/rpc"
    )
    : Effect.void
)

export const makeServer = (policy: Policy) =>
  Effect.map(internal.make(policy, { quiet: false, app: () => Effect.succeed(undefined) }), withStreams)
