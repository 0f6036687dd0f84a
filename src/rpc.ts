/**
 * RPC (`@effect/rpc`) whose calls are finished by a shutdown. Wrap the layer of the protocol that the server speaks,
 * whichever it is: nothing else changes.
 *
 * ```ts
 * import { NodeRuntime } from "@effect/platform-node"
 * import { Rpc, RpcGroup, RpcSerialization, RpcServer } from "@effect/rpc"
 * import { Effect, Layer, Schema } from "effect"
 * import { NodeSocketServer } from "quiesce"
 * import { withDrain } from "quiesce/rpc"
 *
 * const Greetings = RpcGroup.make(
 *   Rpc.make("Greet", { payload: { name: Schema.String }, success: Schema.String })
 * )
 *
 * RpcServer.layer(Greetings).pipe(
 *   Layer.provide(Greetings.toLayer({ Greet: ({ name }) => Effect.succeed(`hello ${name}`) })),
 *   Layer.provide(RpcServer.layerProtocolSocketServer.pipe(withDrain)),
 *   Layer.provide(RpcSerialization.layerNdjson),
 *   Layer.provide(NodeSocketServer.layer({ port: 3000, timeout: "5 seconds" })),
 *   Layer.launch,
 *   NodeRuntime.runMain
 * )
 * ```
 *
 * **Gotchas**
 *
 * - RPC has no word for "do not send any more calls here". Over sockets and WebSockets, calls that arrive during a drain
 *   are served while their connection waits for one that was there before. Later ones are never executed: they fail
 *   with the `RpcClientError` of the connection's end, and can be sent again.
 * - A stream that never ends is cut at the deadline. End it in time with `Server.untilShutdown`.
 * - Without this module, a server of `@effect/rpc` interrupts its calls when its layer is released, before anything
 *   that it runs on can wait for them. The exception is RPC over HTTP and its WebSockets where `HttpServer.serve` is built
 *   on top of it: their calls are awaited. Those that are cut over sockets and WebSockets are in the report (`by: "rpc"`,
 *   since 0.2.0).
 * - `RpcServer.layerHttpRouter` and `toHttpApp` (with Effect 4: `layerHttp`, `toHttpEffect`) make their protocol themselves:
 *   there is nothing to wrap. Use `RpcServer.layer` with one of the `layerProtocol…`.
 * - A call that is made `Rpc.uninterruptible` has its result sent when it ends within `killTimeout` after the deadline. Over
 *   HTTP its client has been answered with 503 by then.
 * - Over HTTP, the client of a call that is cut gets 503, as that of any other request; if its result was a stream that
 *   had begun, that ends midway. The client of RPC does not look at the status of an answer, be it ours or the 502 of a
 *   proxy, and goes on waiting for a result: give it an `HttpClient` that fails for those (`HttpClient.filterStatusOk`).
 *
 * @since 0.1.0
 * @module
 */

import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import * as NodeSocket from "@effect/platform-node/NodeSocket"
import { IncomingMessage } from "@effect/platform-node/NodeSocketServer"
import { HttpServerRequest } from "@effect/platform/HttpServerRequest"
import type * as RpcMessage from "@effect/rpc/RpcMessage"
import * as RpcServer from "@effect/rpc/RpcServer"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { connectionOf, type TrackedConnection } from "./internal/core/connection.js"
import { fibersOf } from "./internal/drain/requestFibers.js"
import { CallRun, clientGone } from "./internal/effect/rpc.js"
import { type Call, callsOf } from "./internal/protocol/rpcCalls.js"
import { BetweenCalls } from "./internal/sockets/socketServer.js"
import { Server } from "./Server.js"

/**
 * Makes the calls of an RPC server part of the drain of the {@link Server} that it runs on: shutting down the one
 * begins with shutting down the other, calls in flight end with their result, connections without any leave at once,
 * and what is cut at the deadline is named in the report.
 *
 * For any of the layers of `RpcServer.Protocol`: over sockets, WebSockets and HTTP.
 *
 * **Example**
 *
 * ```ts
 * import { HttpLayerRouter } from "@effect/platform"
 * import { NodeRuntime } from "@effect/platform-node"
 * import { Rpc, RpcGroup, RpcSerialization, RpcServer } from "@effect/rpc"
 * import { Effect, Layer, Schema } from "effect"
 * import { NodeHttpServer } from "quiesce"
 * import { withDrain } from "quiesce/rpc"
 * import { createServer } from "node:http"
 *
 * const Clock = RpcGroup.make(Rpc.make("Now", { success: Schema.Number }))
 *
 * const ClockLive = RpcServer.layer(Clock).pipe(
 *   Layer.provide(Clock.toLayer({ Now: () => Effect.clockWith((clock) => clock.currentTimeMillis) })),
 *   Layer.provide(RpcServer.layerProtocolWebsocketRouter({ path: "/rpc" }).pipe(withDrain))
 * )
 *
 * HttpLayerRouter.serve(ClockLive).pipe(
 *   Layer.provide(RpcSerialization.layerJson),
 *   Layer.provide(NodeHttpServer.layer(() => createServer(), { port: 3000 })),
 *   Layer.launch,
 *   NodeRuntime.runMain
 * )
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const withDrain = <E, R>(
  protocol: Layer.Layer<RpcServer.Protocol, E, R>
): Layer.Layer<RpcServer.Protocol, E, R | Server> =>
  Layer.effect(
    RpcServer.Protocol,
    Effect.map(
      Effect.all([RpcServer.Protocol, Server]),
      ([protocol, server]) => RpcServer.Protocol.of(draining(protocol, server.shutdown))
    )
  ).pipe(
    Layer.provide(protocol),
    // it may run a socket server of ours, whose connections are not all heard of here
    Layer.provide(Layer.succeed(BetweenCalls, true))
  )

type Protocol = typeof RpcServer.Protocol.Service

interface InFlight {
  readonly call: Call
  readonly run: CallRun
  /** Its client has left before its result was sent, or its connection was taken from it. */
  lost: boolean
}

const draining = (protocol: Protocol, shutdown: Effect.Effect<unknown, unknown>): Protocol => {
  const clients = new Map<number, Map<RequestId, InFlight>>()
  const inFlight = (clientId: number) => {
    const before = clients.get(clientId)
    if (before !== undefined) return before
    const calls = new Map<RequestId, InFlight>()
    clients.set(clientId, calls)
    return calls
  }

  const begin = (clientId: number, request: RpcMessage.RequestEncoded, handle: Effect.Effect<void>) =>
    Effect.contextWithEffect((context: Context.Context<never>) => {
      const connection = openOfContext(context)
      // a request of HTTP has been taken note of as such
      const calls = connection === undefined ? undefined : callsOf(connection)
      if (connection === undefined || calls === undefined) return handle
      const call = calls.begin(request.tag)
      if (call === undefined) return Effect.void
      const { id } = request
      const fibers = fibersOf(connection)
      const isAborting = () => connection.registry.lifecycle.isAborting
      const client = inFlight(clientId)
      const run = new CallRun(request, {
        isAborting,
        onFiber: (fiber, ended) => fibers.addCall(fiber, connection, ended),
        onAnswered: () => {
          if (!known.lost) call.answered = true
        },
        onEnd: () => {
          calls.end(call)
          // one that was waiting for its turn has its result sent after its end
          if (client.get(id)?.call !== call || isAborting()) return
          client.delete(id)
          if (client.size === 0) clients.delete(clientId)
        },
        run: (effect) => void fibers.fork(effect)
      })
      const known: InFlight = { call, run, lost: false }
      client.set(id, known)
      return run.start(handle)
    })

  /** Who has gone has its calls interrupted, as it would have done itself. */
  const interruptAbandoned = (handle: Handle) =>
    Effect.forever(Effect.flatMap(clientGone(protocol), (clientId) =>
      Effect.forEach(
        [...clients.get(clientId)?.keys() ?? []],
        (requestId) => handle(clientId, { _tag: "Interrupt", requestId }),
        { discard: true }
      )))

  return {
    ...protocol,
    send: (clientId, response, transferables) => {
      const sent = protocol.send(clientId, response, transferables)
      if (response._tag !== "Exit" && response._tag !== "Chunk") return sent
      const known = clients.get(clientId)?.get(response.requestId)
      if (known === undefined) return sent
      if (response._tag === "Exit") {
        const reached = Effect.flatMap(protocol.clientIds, (clientIds) => {
          known.lost = !clientIds.has(clientId)
          return sent
        })
        return known.run.answer(response.exit, reached)
      }
      known.call.begun = true
      return sent
    },
    // the server interrupts its calls when this has been interrupted: not before the drain is over
    run: (handle) =>
      Effect.acquireUseRelease(
        Effect.forkDaemon(Effect.interruptible(protocol.run((clientId, message) =>
          message._tag === "Request"
            ? begin(clientId, message, handle(clientId, message))
            : handle(clientId, message)
        ))),
        Fiber.join,
        (fiber) =>
          Effect.acquireUseRelease(
            Effect.forkDaemon(Effect.interruptible(interruptAbandoned(handle))),
            // what was cut is raised by the finalizer of the server, whose exit somebody looks at
            () => Effect.ignore(shutdown),
            (interrupting) => Fiber.interruptAll([interrupting, fiber])
          )
      )
  }
}

type RequestId = RpcMessage.RequestEncoded["id"]

/** What the server does with a message. */
type Handle = Parameters<Protocol["run"]>[0]

/** The connection that a message has come on, whatever has received it. */
const openOfContext = (context: Context.Context<never>): TrackedConnection | undefined => {
  const socket = Context.getOption(context, NodeSocket.NetSocket)
  if (Option.isSome(socket)) return connectionOf(socket.value)
  const message = Context.getOption(context, IncomingMessage)
  if (Option.isSome(message)) return connectionOf(message.value.socket)
  const request = Context.getOption(context, HttpServerRequest)
  return Option.isSome(request)
    ? connectionOf(NodeHttpServerRequest.toIncomingMessage(request.value).socket)
    : undefined
}
