import * as PlatformNode from "@effect/platform-node/NodeHttpServer"

/**
 * A listener for the `request` event of a Node server that something else owns: `@effect/platform-node`'s own,
 * here so that the import stays one. A server that is used in this way is not drained.
 *
 * **Example**
 *
 * ```ts
 * import { Effect } from "effect"
 * import { HttpServerResponse } from "effect/http"
 * import { NodeHttpServer } from "quiesce"
 * import { createServer } from "node:http"
 *
 * const program = Effect.gen(function*() {
 *   const scope = yield* Effect.scope
 *   return createServer(yield* NodeHttpServer.makeHandler(Effect.succeed(HttpServerResponse.text("hello")), { scope }))
 * })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const makeHandler: typeof PlatformNode.makeHandler = PlatformNode.makeHandler

/**
 * A listener for the `upgrade` event of such a server, `@effect/platform-node`'s own as well.
 *
 * **Example**
 *
 * ```ts
 * import { Effect } from "effect"
 * import { HttpServerRequest, HttpServerResponse } from "effect/http"
 * import { NodeHttpServer } from "quiesce"
 * import { createServer } from "node:http"
 * import { WebSocketServer } from "ws"
 *
 * const app = Effect.gen(function*() {
 *   const request = yield* HttpServerRequest.HttpServerRequest
 *   const socket = yield* request.upgrade
 *   // opens it
 *   const { pull } = yield* socket.reader
 *   const { write } = yield* socket.writer
 *   yield* write("hello")
 *   // until its client has left
 *   yield* Effect.ignore(Effect.forever(pull))
 *   return HttpServerResponse.empty()
 * })
 *
 * const program = Effect.gen(function*() {
 *   const scope = yield* Effect.scope
 *   const webSockets = Effect.succeed(new WebSocketServer({ noServer: true }))
 *   const server = createServer()
 *   server.on("upgrade", yield* NodeHttpServer.makeUpgradeHandler(webSockets, app, { scope }))
 * })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const makeUpgradeHandler: typeof PlatformNode.makeUpgradeHandler = PlatformNode.makeUpgradeHandler

/**
 * The platform's services, without a server: `@effect/platform-node`'s own.
 *
 * **Example**
 *
 * ```ts
 * import { Layer } from "effect"
 * import { NodeHttpServer } from "quiesce"
 * import { createServer } from "node:http"
 *
 * const ServerLive = NodeHttpServer.layerServer(() => createServer(), { port: 3000 }).pipe(
 *   Layer.provideMerge(NodeHttpServer.layerHttpServices)
 * )
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layerHttpServices: typeof PlatformNode.layerHttpServices = PlatformNode.layerHttpServices
