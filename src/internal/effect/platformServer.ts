/**
 * What `NodeHttpServer` passes on of `@effect/platform-node`'s as it is.
 */
import type * as NodeContext from "@effect/platform-node/NodeContext"
import * as PlatformNode from "@effect/platform-node/NodeHttpServer"
import type * as Etag from "@effect/platform/Etag"
import type * as HttpPlatform from "@effect/platform/HttpPlatform"
import type * as Layer from "effect/Layer"

/**
 * A listener for the `request` event of a Node server that something else owns: `@effect/platform-node`'s own,
 * here so that the import stays one. A server that is used in this way is not drained.
 *
 * **Example**
 *
 * ```ts
 * import { HttpServerResponse } from "@effect/platform"
 * import { Effect } from "effect"
 * import { NodeHttpServer } from "quiesce"
 * import { createServer } from "node:http"
 *
 * const program = Effect.map(
 *   NodeHttpServer.makeHandler(HttpServerResponse.text("hello")),
 *   (handler) => createServer(handler)
 * )
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const makeHandler: typeof PlatformNode.makeHandler = PlatformNode.makeHandler

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
 *   Layer.provideMerge(NodeHttpServer.layerContext)
 * )
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layerContext: Layer.Layer<
  HttpPlatform.HttpPlatform | Etag.Generator | NodeContext.NodeContext
> = PlatformNode.layerContext
