/**
 * A drop-in for `@effect/platform-node`'s `NodeSocketServer`: the same names and signatures, on a server that stops
 * properly.
 *
 * ```ts effect3
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
 * With Effect 4, a socket has a reader and a writer:
 *
 * ```ts effect4
 * import { NodeRuntime } from "@effect/platform-node"
 * import { Effect, Layer, Stream } from "effect"
 * import { Socket, SocketServer } from "effect/socket"
 * import { NodeSocketServer, Server } from "quiesce"
 *
 * const Echo = Effect.gen(function*() {
 *   const sockets = yield* SocketServer.SocketServer
 *   const server = yield* Server.Server
 *   return yield* sockets.run((socket) =>
 *     Effect.scoped(
 *       Effect.flatMap(socket.writer, ({ write }) => Stream.runForEach(Socket.toStream(socket), write))
 *     ).pipe(
 *       // its client has left
 *       Effect.catchReason("SocketError", "SocketCloseError", () => Effect.void),
 *       Effect.raceFirst(server.shuttingDown)
 *     )
 *   )
 * })
 *
 * Layer.effectDiscard(Effect.forkScoped(Echo)).pipe(
 *   Layer.provide(NodeSocketServer.layer({ port: 3000, timeout: "5 seconds" })),
 *   Layer.launch,
 *   NodeRuntime.runMain
 * )
 * ```
 *
 * The options are Node's (of `net` or `tls`, or those of `ws`) and the fields of `Shutdown.Policy`. The layers also provide
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
 * @module
 */

import * as PlatformNode from "@effect/platform-node/NodeSocketServer"
import * as SocketServer from "@effect/platform/SocketServer"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { Options, TlsOptions, WebSocketOptions } from "./internal/model/socketServer.js"
import * as PlainSockets from "./internal/sockets/plainSockets.js"
import * as WebSockets from "./internal/sockets/webSockets.js"
import type { Server } from "./Server.js"

export type { Options, TlsOptions, WebSocketOptions }

export { AlreadyRunning } from "./internal/sockets/socketHandler.js"

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
 *   sockets.run(() =>
 *     Effect.gen(function*() {
 *       const request = yield* NodeSocketServer.IncomingMessage
 *       yield* Effect.log(`a WebSocket on ${request.url}`)
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
 *   return yield* sockets.run(() => Effect.log("a client has connected"))
 * }).pipe(Effect.scoped)
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  options: Options
): Effect.Effect<typeof SocketServer.SocketServer.Service, SocketServer.SocketServerError, Scope.Scope> =>
  Effect.map(PlainSockets.make(options), Context.get(SocketServer.SocketServer))

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
  Layer.scopedContext(PlainSockets.make(options))

/**
 * Listens for sockets over TLS, and returns the `SocketServer` that a handler is run on, once their handshake is through.
 * A connection that fails it is destroyed.
 *
 * **Example**
 *
 * ```ts
 * import { Effect } from "effect"
 * import { readFileSync } from "node:fs"
 * import { NodeSocketServer } from "quiesce"
 *
 * const program = Effect.gen(function*() {
 *   const sockets = yield* NodeSocketServer.makeTls({
 *     port: 3000,
 *     key: readFileSync("tls/key.pem"),
 *     cert: readFileSync("tls/cert.pem"),
 *     timeout: "5 seconds"
 *   })
 *   return yield* sockets.run(() => Effect.log("a connection"))
 * }).pipe(Effect.scoped)
 * ```
 *
 * @since 0.3.0
 * @category constructors
 */
export const makeTls = (
  options: TlsOptions
): Effect.Effect<typeof SocketServer.SocketServer.Service, SocketServer.SocketServerError, Scope.Scope> =>
  Effect.map(PlainSockets.makeTls(options), Context.get(SocketServer.SocketServer))

/**
 * The `SocketServer` for sockets over TLS, and the {@link Server} that it runs on.
 *
 * **Example**
 *
 * ```ts
 * import { readFileSync } from "node:fs"
 * import { NodeSocketServer } from "quiesce"
 *
 * const SocketServerLive = NodeSocketServer.layerTls({
 *   port: 3000,
 *   key: readFileSync("tls/key.pem"),
 *   cert: readFileSync("tls/cert.pem"),
 *   timeout: "5 seconds"
 * })
 * ```
 *
 * @since 0.3.0
 * @category layers
 */
export const layerTls = (
  options: TlsOptions
): Layer.Layer<SocketServer.SocketServer | Server, SocketServer.SocketServerError> =>
  Layer.scopedContext(PlainSockets.makeTls(options))

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
 *   return yield* sockets.run(() => Effect.log("a client has connected"))
 * }).pipe(Effect.scoped)
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const makeWebSocket = (
  options: WebSocketOptions
): Effect.Effect<typeof SocketServer.SocketServer.Service, SocketServer.SocketServerError, Scope.Scope> =>
  Effect.map(WebSockets.make(options), Context.get(SocketServer.SocketServer))

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
  Layer.scopedContext(WebSockets.make(options))
