/**
 * HAProxy's agent check: HAProxy is told that this server drains, instead of concluding it from health checks that fail. A
 * listener of its own answers every connection with one line, before there is an app and for as long as a shutdown takes,
 * and closes last.
 *
 * | line | when | what HAProxy does |
 * |---|---|---|
 * | `up ready` | the server serves, and is ready, as `Health` has it | sends to it |
 * | `down # not ready: database` | it serves, and a readiness check fails | sends nothing |
 * | `drain` | from the first moment of a lame duck | sends only what is bound to it, by a cookie say |
 * | `stopped # shutting down` | the app's listeners close, or have closed | sends nothing |
 *
 * ```ts
 * import { HttpLayerRouter, HttpServerResponse } from "@effect/platform"
 * import { NodeRuntime } from "@effect/platform-node"
 * import { Layer } from "effect"
 * import { AgentCheck, Health, NodeHttpServer } from "quiesce"
 * import { createServer } from "node:http"
 *
 * HttpLayerRouter.serve(HttpLayerRouter.add("GET", "/", HttpServerResponse.text("hello"))).pipe(
 *   Health.startup("app"),
 *   Layer.provide(AgentCheck.layer({ port: 9100, host: "0.0.0.0" })),
 *   Layer.provide(Health.layer),
 *   Layer.provide(NodeHttpServer.layer(() => createServer(), { port: 3000, lameDuck: "5 seconds" })),
 *   Layer.launch,
 *   NodeRuntime.runMain
 * )
 * ```
 *
 * ```text
 * server a 10.0.0.1:3000 check agent-check agent-port 9100 agent-inter 1s
 * ```
 *
 * The words are those of HAProxy's configuration manual, under `agent-check`.
 *
 * **Gotchas**
 *
 * - A lame duck has to be longer than `agent-inter`, or HAProxy does not hear of it.
 * - HAProxy needs a health check (`check`) besides: that an agent cannot be reached changes nothing for it. One that asks
 *   `/readyz` fails in a lame duck, too, and takes the clients away that `drain` leaves: ask `/livez`.
 * - A check that has not answered in 4 seconds, whatever its `timeout`, is `down`.
 * - HAProxy keeps what it was told. What starts at this address next must have an agent check, too, as only `up ready` ends
 *   a `drain` or `stopped`.
 * - `ready` also ends a DRAIN or MAINT that somebody has set by hand: `disable agent app/a` on HAProxy's socket comes first.
 * - It listens on the loopback interface; a HAProxy elsewhere needs `host: "0.0.0.0"`. The names of checks that fail are
 *   shown to everybody who can connect, and why they fail to nobody.
 * - Workers of `Handoff.launchWorkers` share its port, as they share that of the app, and one of them answers. While they
 *   are replaced one by one HAProxy must not be told of it: use no agent check there.
 *
 * @since 0.3.0
 * @module
 */

import type * as HttpServer from "@effect/platform/HttpServer"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Runtime from "effect/Runtime"
import * as Scope from "effect/Scope"
import { toPlatformAddress } from "./internal/effect/address.js"
import * as RealTime from "./internal/effect/realTime.js"
import * as internal from "./internal/health/agentCheck.js"
import { wrongListenOption } from "./internal/listener/listenErrors.js"
import { Health } from "./internal/model/health.js"
import { onLoopback } from "./internal/policy/onLoopback.js"
import { beside } from "./internal/server/beside.js"
import type * as Listener from "./Listener.js"
import { Server } from "./Server.js"

/**
 * Where to listen: `port` (and `host`, default `127.0.0.1`), or `path` for a Unix socket, or `fd`.
 *
 * @since 0.3.0
 * @category models
 */
export interface Options extends Listener.Options {}

/**
 * The listener of the agent check.
 *
 * @since 0.3.0
 * @category models
 */
export interface AgentCheckService {
  /** Where it listens: with `port: 0`, the port that was chosen. */
  readonly address: HttpServer.Address
}

/**
 * The agent check of a server.
 *
 * **Example**
 *
 * ```ts
 * import { HttpServer } from "@effect/platform"
 * import { Effect } from "effect"
 * import { AgentCheck } from "quiesce"
 *
 * const logAddress = Effect.flatMap(
 *   AgentCheck.AgentCheck,
 *   ({ address }) => Effect.log(`agent check on ${HttpServer.formatAddress(address)}`)
 * )
 * ```
 *
 * @since 0.3.0
 * @category tags
 */
export class AgentCheck extends Context.Tag("quiesce/AgentCheck")<AgentCheck, AgentCheckService>() {}

/**
 * Listens until the scope closes. Closing the scope shuts the server down, or joins its shutdown, and closes this listener
 * when that has ended.
 *
 * **Example**
 *
 * ```ts
 * import { Effect } from "effect"
 * import { AgentCheck } from "quiesce"
 *
 * const agent = Effect.gen(function*() {
 *   const { address } = yield* AgentCheck.make({ port: 9100, host: "0.0.0.0" })
 *   yield* Effect.log("HAProxy may ask", address)
 * })
 * ```
 *
 * @since 0.3.0
 * @category constructors
 */
export const make = (
  options: Options
): Effect.Effect<AgentCheckService, Listener.ListenError, Health | Server | Scope.Scope> =>
  Effect.gen(function*() {
    const problem = wrongListenOption(options)
    if (problem !== undefined) return yield* problem
    const { phase, shuttingDown } = yield* Server
    const line = internal.agentLine({ phase: phase.get, shuttingDown }, yield* Health)
    const runtime = yield* RealTime.runtime
    const { own, scope } = yield* beside(() => Effect.succeed(undefined))
    const { address } = yield* own.service.listen(
      () => internal.agentServer(() => Runtime.runPromise(runtime)(Effect.interruptible(line))),
      onLoopback(options)
    ).pipe(Effect.catchTag("ServerClosed", Effect.die), Scope.extend(scope))
    return { address: toPlatformAddress(address) }
  })

/**
 * {@link make} as a layer.
 *
 * **Example**
 *
 * ```ts
 * import { Layer } from "effect"
 * import { AgentCheck, Health, NodeHttpServer } from "quiesce"
 * import { createServer } from "node:http"
 *
 * const ServerLive = AgentCheck.layer({ port: 9100 }).pipe(
 *   Layer.provideMerge(Health.layer),
 *   Layer.provideMerge(NodeHttpServer.layer(() => createServer(), { port: 3000, lameDuck: "5 seconds" }))
 * )
 * ```
 *
 * @since 0.3.0
 * @category layers
 */
export const layer = (options: Options): Layer.Layer<AgentCheck, Listener.ListenError, Health | Server> =>
  Layer.scoped(AgentCheck, make(options))
