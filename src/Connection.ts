/**
 * The connections of a server: who is connected, doing what, since when; and what a handler may attach to the
 * connection that its request came on.
 *
 * ```text
 * New → Active ⇄ Idle → Closed
 *         └→ Hijacked → Closed
 * ```
 *
 * @since 0.1.0
 * @module
 */

import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import { HttpServerRequest } from "@effect/platform/HttpServerRequest"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"
import { connectionOf, snapshot, type TrackedConnection } from "./internal/core/connection.js"
import * as internal from "./internal/http/connectionScope.js"
import type { Connection } from "./internal/model/connection.js"

export type { Connection, ConnectionState } from "./internal/model/connection.js"

/**
 * The request did not come over a connection of a `quiesce` server: it was made from a web `Request`, or by another
 * server.
 *
 * @since 0.1.0
 * @category errors
 */
export class NoConnection extends Data.TaggedError("NoConnection")<{ readonly method: string; readonly url: string }> {
  override get message(): string {
    return `${this.method} ${this.url} did not come over a connection of this server. `
      + `Serve the app with NodeHttpServer from "quiesce".`
  }
}

const open: Effect.Effect<TrackedConnection, NoConnection, HttpServerRequest> = Effect.flatMap(
  HttpServerRequest,
  (request) => {
    const source: { readonly socket?: Parameters<typeof connectionOf>[0] } = NodeHttpServerRequest.toIncomingMessage(
      request
    )
    const connection = connectionOf(source.socket)
    return connection === undefined
      ? new NoConnection({ method: request.method, url: request.url })
      : Effect.succeed(connection)
  }
)

/**
 * The connection that the current request came on.
 *
 * **Example**
 *
 * ```ts
 * import { HttpServerResponse } from "@effect/platform"
 * import { Effect } from "effect"
 * import { Connection } from "quiesce"
 *
 * const handler = Effect.gen(function*() {
 *   const { id, served } = yield* Connection.current
 *   return HttpServerResponse.text(`request ${served + 1} on connection ${id}\n`)
 * })
 * ```
 *
 * @since 0.1.0
 * @category accessors
 */
export const current: Effect.Effect<Connection, NoConnection, HttpServerRequest> = Effect.map(open, snapshot)

/**
 * The scope of the connection that the current request came on. It closes when the connection has closed, also when
 * it was cut, and its last handler has ended. To acquire something once for all requests of a connection, use
 * {@link once}.
 *
 * **Example**
 *
 * ```ts
 * import { HttpServerResponse } from "@effect/platform"
 * import { Effect, Scope } from "effect"
 * import { Connection } from "quiesce"
 *
 * const handler = Effect.gen(function*() {
 *   const scope = yield* Connection.scope
 *   yield* Scope.addFinalizer(scope, Effect.log("that client has gone"))
 *   return HttpServerResponse.text("hello\n")
 * })
 * ```
 *
 * @since 0.1.0
 * @category accessors
 */
export const scope: Effect.Effect<Scope.Scope, NoConnection, HttpServerRequest> = Effect.map(open, internal.scopeOf)

/**
 * Acquires something once per connection, for all its requests, and releases it when the connection has closed and
 * its last handler has ended (what Go's `ConnContext` is for, [rule B11](../docs/go-rules.md#b-listeners)). The first request
 * on a connection acquires; others, at the same time or later, get the same value. A failed or interrupted acquisition
 * is tried again by the next request.
 *
 * What is returned is the key: call `once` when the app is built, not in each request.
 *
 * **Example**
 *
 * ```ts
 * import { HttpServerResponse } from "@effect/platform"
 * import { Effect } from "effect"
 * import { Connection } from "quiesce"
 *
 * const session = Connection.once(
 *   Effect.acquireRelease(
 *     Effect.sync(() => ({ requests: 0 })),
 *     ({ requests }) => Effect.log(`gone after ${requests} requests`)
 *   )
 * )
 *
 * const handler = Effect.map(session, (state) => HttpServerResponse.text(`request ${++state.requests}\n`))
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const once = <A, E, R>(
  acquire: Effect.Effect<A, E, R>
): Effect.Effect<A, E | NoConnection, Exclude<R, Scope.Scope> | HttpServerRequest> => {
  const acquireOn = internal.once<A, E, Exclude<R, Scope.Scope>>((scope) => Scope.extend(acquire, scope))
  return Effect.flatMap(open, acquireOn)
}
