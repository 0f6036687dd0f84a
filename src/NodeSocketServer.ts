/**
 * A drop-in for `@effect/platform-node`'s `NodeSocketServer`: the same names and signatures, on a server that stops
 * properly.
 *
 * ```ts
 * import { SocketServer } from "@effect/platform"
 * import { NodeRuntime } from "@effect/platform-node"
 * import { Effect, Layer } from "effect"
 * import { NodeSocketServer, Server } from "quiesce"
 *
 * // an echo server, whose clients are let go when a shutdown begins
 * const Echo = Effect.gen(function*() {
 *   const sockets = yield* SocketServer.SocketServer
 *   const server = yield* Server.Server
 *   return yield* sockets.run((socket) =>
 *     Effect.scoped(Effect.flatMap(socket.writer, (write) => socket.run(write))).pipe(
 *       Effect.raceFirst(server.shuttingDown)
 *     )
 *   )
 * })
 *
 * Layer.scopedDiscard(Effect.forkScoped(Echo)).pipe(
 *   Layer.provide(NodeSocketServer.layer({ port: 3000, timeout: "5 seconds" })),
 *   Layer.launch,
 *   NodeRuntime.runMain
 * )
 * ```
 *
 * The options are Node's (of `net`, or of `ws`) and the fields of `Shutdown.Policy`. The layers also provide
 * `Server.Server`.
 *
 * A shutdown, which begins at the latest when `run` is interrupted, stops accepting and then waits for the handlers of
 * the connections that are open. WebSockets are sent close code 1001 at once. Of what a plain socket speaks nothing is
 * known: its handler ends by itself, on `Server.shuttingDown` for instance, or is interrupted at the deadline.
 *
 * **Gotchas**
 *
 * - For RPC, add `withDrain` of `quiesce/rpc`: calls in flight are finished, and whoever is idle leaves at once.
 * - `run` is for one handler. A second `run`, at the same time or later, fails.
 * - A connection that is accepted before `run` is attached waits for it, until a shutdown begins.
 *
 * @since 0.1.0
 */
import * as NodeSocket from "@effect/platform-node/NodeSocket"
import * as PlatformNode from "@effect/platform-node/NodeSocketServer"
import type * as Socket from "@effect/platform/Socket"
import * as SocketServer from "@effect/platform/SocketServer"
import type { Cause } from "effect/Cause"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as FiberRef from "effect/FiberRef"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Runtime from "effect/Runtime"
import type * as Scope from "effect/Scope"
import * as Http from "node:http"
import * as Net from "node:net"
import { tellWith } from "./internal/protocol/upgraded.js"
import { openOf } from "./internal/registry.js"
import * as internal from "./internal/server.js"
import * as Sockets from "./internal/socketServer.js"
import { turn } from "./internal/turn.js"
import type * as Listener from "./Listener.js"
import { Server } from "./Server.js"
import type * as Shutdown from "./Shutdown.js"

/**
 * Where to listen and how to stop, for plain sockets.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options extends Net.ServerOpts, Listener.Options, Shutdown.Policy {}

/**
 * Where to listen and how to stop, for WebSockets: the options of a `WebSocketServer` of `ws`. Either `port`, or a
 * `server` of `node:http` or `node:https` that something else listens with, which is adopted.
 *
 * @since 0.1.0
 * @category models
 */
export type WebSocketOptions = Parameters<typeof PlatformNode.makeWebSocket>[0] & Shutdown.Policy

/**
 * The request that a WebSocket was opened with: `@effect/platform-node`'s own tag.
 *
 * **Example**
 *
 * ```ts
 * import { SocketServer } from "@effect/platform"
 * import { Effect } from "effect"
 * import { NodeSocketServer } from "quiesce"
 *
 * const program = Effect.flatMap(SocketServer.SocketServer, (sockets) =>
 *   sockets.run((socket) =>
 *     Effect.gen(function*() {
 *       const request = yield* NodeSocketServer.IncomingMessage
 *       yield* Effect.log(`a WebSocket on ${request.url}`)
 *       yield* socket.run(() => {})
 *     })
 *   ))
 * ```
 *
 * @since 0.1.0
 * @category tags
 */
export const IncomingMessage: typeof PlatformNode.IncomingMessage = PlatformNode.IncomingMessage

/**
 * The request that a WebSocket was opened with.
 *
 * @since 0.1.0
 * @category tags
 */
export type IncomingMessage = PlatformNode.IncomingMessage

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

/** `new WebSocketServer({ noServer: true })` never listens, and stock waits for it for ever. */
class NotListening extends Data.TaggedError("NotListening") {
  override readonly message = "Cannot listen with noServer true: nothing would be listened on. "
    + "Pass a port, or a server; or upgrade requests in an HttpApp with HttpServerRequest.upgrade."
}

type Services = Context.Context<SocketServer.SocketServer | Server>

/** Hands sockets to a handler for as long as it runs. */
type Attach = <R, E, _>(handler: (socket: Socket.Socket) => Effect.Effect<_, E, R>) => Effect.Effect<
  never,
  SocketServer.SocketServerError,
  R
>

const services = (
  { isStopping, service }: internal.Made<undefined>,
  address: SocketServer.Address,
  attach: Attach
): Services => {
  let taken = false
  const run: Attach = (handler) =>
    Effect.suspend(() => {
      if (taken || isStopping()) {
        const cause = new AlreadyRunning({ address: formatAddress(address) })
        // where `run` is forked, as by the layers of RPC, nobody would hear of it
        return Effect.zipRight(Effect.logError(cause.message), Sockets.socketServerError("Unknown", cause))
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
  return Context.make(SocketServer.SocketServer, { address, run }).pipe(Context.add(Server, service))
}

/** RPC that is run without `withDrain` would interrupt its calls, and its idle clients hold up the drain. */
const warnOfRpc = Effect.contextWithEffect((context: Context.Context<never>) =>
  context.unsafeMap.has("@effect/rpc/RpcSerialization") && !Context.get(context, Sockets.BetweenCalls)
    ? Effect.logWarning(
      "RPC over this socket server is not drained: wrap the layer of its protocol in withDrain of quiesce/rpc"
    )
    : Effect.void
)

const makeServer = (policy: Shutdown.Policy) =>
  internal.make(policy, { quiet: false, app: () => Effect.succeed(undefined) })

const makeServices = (
  options: Options
): Effect.Effect<Services, SocketServer.SocketServerError, Scope.Scope> =>
  Effect.gen(function*() {
    const made = yield* makeServer(options)
    const pending: Array<Net.Socket> = []
    let connected = (conn: Net.Socket): void => {
      const open = openOf(conn)
      // when a shutdown begins, nobody will serve it any more
      if (open !== undefined) tellWith(open, () => conn.destroy())
      pending.push(conn)
    }
    const listener = yield* made.service.listen(
      () =>
        Net.createServer(options, (conn) => {
          conn.on("error", ignore)
          connected(conn)
        }),
      options
    )
    return services(made, listener.address, <R, E, _>(handler: (socket: Socket.Socket) => Effect.Effect<_, E, R>) =>
      Effect.flatMap(Effect.runtime<R>(), (runtime) => {
        connected = (conn) => {
          const open = openOf(conn)
          if (open !== undefined) {
            open.tell = undefined
          }
          Effect.zipRight(Sockets.betweenCalls(open), Sockets.fromConnection(conn)).pipe(
            Effect.flatMap(handler),
            Effect.catchAllCause(reportUnhandledError),
            Effect.provideService(NodeSocket.NetSocket, conn),
            (effect) =>
              Sockets.tracked(open, effect),
            Effect.interruptible,
            Runtime.runFork(runtime)
          )
        }
        pending.splice(0).forEach(connected)
        return Effect.never
      }))
  }).pipe(Effect.mapError((error) =>
    Sockets.socketServerError("Open", error)
  ))

const makeWebSocketServices = (
  { backlog, host, noServer, port, server: adopted, ...options }: WebSocketOptions
): Effect.Effect<Services, SocketServer.SocketServerError, Scope.Scope> =>
  Effect.gen(function*() {
    if (noServer === true) return yield* new NotListening()
    // `@effect/platform-node` attaches its WebSocket server to what it is given: to one that never listens, so that
    // upgrades reach it from the one that does, through us
    const facade = Object.assign(Http.createServer(), { address: () => ({ address: "", family: "", port: 0 }) })
    const [stock] = yield* Effect.all([
      PlatformNode.makeWebSocket({ ...options, server: facade }),
      Effect.zipRight(turn, Effect.sync(() => facade.emit("listening")))
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
        Effect.flatMap(Effect.serviceOption(IncomingMessage), (request) => {
          const open = openOf(Option.getOrUndefined(request)?.socket)
          return Sockets.tracked(open, Effect.zipRight(Sockets.betweenCalls(open), handler(Sockets.once(socket))))
        })
      ))
  }).pipe(Effect.mapError((error) =>
    Sockets.socketServerError("Open", error)
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

const formatAddress = (address: SocketServer.Address): string =>
  address._tag === "UnixAddress" ? address.path : `${address.hostname}:${address.port}`

const ignore = () => {}

/** As `@effect/platform-node` says it. */
const reportUnhandledError = <E>(cause: Cause<E>): Effect.Effect<void> =>
  Effect.flatMap(FiberRef.get(FiberRef.unhandledErrorLogLevel), (level) =>
    level._tag === "Some"
      ? Effect.logWithLevel(level.value, cause, "Unhandled error in SocketServer")
      : Effect.void)

/**
 * Listens for plain sockets, and returns the `SocketServer` that a handler is run on. Fails with `SocketServerError`,
 * whose `cause` is a `ListenError` or an `InvalidPolicy`, and whose message is theirs.
 *
 * **Example**
 *
 * ```ts
 * import { Effect } from "effect"
 * import { NodeSocketServer } from "quiesce"
 *
 * const program = Effect.gen(function*() {
 *   const sockets = yield* NodeSocketServer.make({ port: 3000, timeout: "5 seconds" })
 *   return yield* sockets.run((socket) => socket.runRaw((chunk) => Effect.log(`${chunk.length} bytes`)))
 * }).pipe(Effect.scoped)
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  options: Options
): Effect.Effect<SocketServer.SocketServer["Type"], SocketServer.SocketServerError, Scope.Scope> =>
  Effect.map(makeServices(options), Context.get(SocketServer.SocketServer))

/**
 * The `SocketServer` for plain sockets, and the {@link Server} that it runs on.
 *
 * **Example**
 *
 * ```ts
 * import { NodeSocketServer } from "quiesce"
 *
 * const SocketServerLive = NodeSocketServer.layer({ port: 3000, timeout: "5 seconds" })
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (
  options: Options
): Layer.Layer<SocketServer.SocketServer | Server, SocketServer.SocketServerError> =>
  Layer.scopedContext(makeServices(options))

/**
 * Listens for WebSockets, and returns the `SocketServer` that a handler is run on. When a shutdown begins, each is
 * sent close code 1001; then its handler is awaited.
 *
 * **Example**
 *
 * ```ts
 * import { Effect } from "effect"
 * import { NodeSocketServer } from "quiesce"
 *
 * const program = Effect.gen(function*() {
 *   const sockets = yield* NodeSocketServer.makeWebSocket({ port: 3000, timeout: "5 seconds" })
 *   return yield* sockets.run((socket) => socket.runRaw((message) => Effect.log(message)))
 * }).pipe(Effect.scoped)
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const makeWebSocket = (
  options: WebSocketOptions
): Effect.Effect<SocketServer.SocketServer["Type"], SocketServer.SocketServerError, Scope.Scope> =>
  Effect.map(makeWebSocketServices(options), Context.get(SocketServer.SocketServer))

/**
 * The `SocketServer` for WebSockets, and the {@link Server} that it runs on.
 *
 * **Example**
 *
 * ```ts
 * import { NodeSocketServer } from "quiesce"
 *
 * const SocketServerLive = NodeSocketServer.layerWebSocket({ port: 3000, timeout: "5 seconds" })
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layerWebSocket = (
  options: WebSocketOptions
): Layer.Layer<SocketServer.SocketServer | Server, SocketServer.SocketServerError> =>
  Layer.scopedContext(makeWebSocketServices(options))
