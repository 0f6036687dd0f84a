/**
 * What starts and stops the process, other than systemd (`Systemd`): PM2, Docker, npm.
 *
 * **PM2** tells a process to stop with SIGINT, or with a message where `shutdown_with_message` is set, as on Windows,
 * and kills it after `kill_timeout`, by default 1.6 seconds. With `wait_ready` it waits for a message when the process
 * starts. {@link pm2} sends the one and obeys the other.
 *
 * **Docker** runs the process as PID 1, for which the kernel has no default action: a signal that nobody listens for
 * does nothing, and `docker stop` kills after 10 seconds. Under `runMain` or with `Signals.handle` the process listens,
 * and needs no init. `CMD ["node", "server.js"]`, in brackets: otherwise a shell is PID 1, and passes nothing on.
 *
 * **npm** ends on SIGTERM without passing it on, so that what `npm start` has started is killed without a drain, or lives
 * on alone; Ctrl-C at a terminal reaches both. The first server of a process that was started by npm in production logs a
 * warning: where `NODE_ENV` is `production`, in Kubernetes, and where npm is PID 1. `layerTest` does not.
 *
 * @since 0.1.0
 * @module
 */

import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as internal from "./internal/supervisor/pm2.js"
import { Server } from "./Server.js"

/**
 * The same layer, for PM2: once it has been built it sends `"ready"` (`wait_ready`). The message `"shutdown"`
 * (`shutdown_with_message`) does what SIGTERM does, to all that listen for that: `runMain`, `Signals.handle`; where
 * nobody does, it shuts the server down. Put it around the layer that serves. It does nothing where there is no channel
 * to a parent process.
 *
 * **Example**
 *
 * ```ts
 * import { HttpServer, HttpServerResponse } from "@effect/platform"
 * import { NodeRuntime } from "@effect/platform-node"
 * import { Effect, Layer } from "effect"
 * import { NodeHttpServer, Supervisor } from "quiesce"
 * import { createServer } from "node:http"
 *
 * HttpServer.serve(Effect.succeed(HttpServerResponse.text("hello"))).pipe(
 *   Supervisor.pm2,
 *   // `kill_timeout: 10_000` or more: the defaults need 9 seconds
 *   Layer.provide(NodeHttpServer.layer(() => createServer(), { port: 3000 })),
 *   Layer.launch,
 *   NodeRuntime.runMain
 * )
 * ```
 *
 * @since 0.1.0
 * @category supervisors
 */
export const pm2 = <A, E, R>(layer: Layer.Layer<A, E, R>): Layer.Layer<A, E, R | Server> =>
  Layer.unwrapEffect(Effect.map(Server, (server) => internal.pm2(server, layer)))
