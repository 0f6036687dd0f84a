/**
 * A server as a systemd service: it says when it is ready, when it stops and what it waits for (`sd_notify`), gets more
 * time while it drains, and listens on sockets that systemd holds for it (socket activation).
 *
 * ```ts
 * import { HttpLayerRouter, HttpServerResponse } from "@effect/platform"
 * import { NodeRuntime } from "@effect/platform-node"
 * import { Effect, Layer } from "effect"
 * import { NodeHttpServer, Shutdown, Systemd } from "quiesce"
 * import { createServer } from "node:http"
 *
 * const ServerLive = Systemd.socket().pipe(
 *   Effect.map((socket) => NodeHttpServer.layer(() => createServer(), { ...socket, ...Shutdown.systemd() })),
 *   Layer.unwrapEffect
 * )
 *
 * HttpLayerRouter.serve(HttpLayerRouter.add("GET", "/", HttpServerResponse.text("hello"))).pipe(
 *   Systemd.service(),
 *   Layer.provide(ServerLive),
 *   Layer.launch,
 *   NodeRuntime.runMain
 * )
 * ```
 *
 * The unit has `Type=notify`. How notifications get to systemd, since Node has no Unix datagram sockets:
 *
 * | what the unit has | how | what it takes |
 * | --- | --- | --- |
 * | `OpenFile=/run/systemd/notify:notify` | written to that inherited descriptor, by this process | systemd 253 or later: an earlier one, such as Debian 12's 252, passes the line over |
 * | nothing more | by the command `systemd-notify`, a child process for each | that it is installed; and `NotifyAccess=all`, unless the service runs as root |
 *
 * **Gotchas**
 *
 * - `Type=notify` implies `NotifyAccess=main`, which takes no notification from a child process: as another user than
 *   root, without `NotifyAccess=all`, the start of the service times out.
 * - A shutdown that exceeds its deadline ends with exit code 1, which is `Result=exit-code` to systemd. `Restart=on-failure`
 *   then starts the service again, unless it was systemd that stopped it.
 * - A process that hands over (`Handoff`) says nothing of its own shutdown, and its successor nothing until it accepts:
 *   to systemd, the service goes on. It follows by `PIDFile=`, and not by `MAINPID=`: of a main process that was another
 *   one's child it would not await the end when it stops the service, but kill it at once.
 * - In a container, as of Podman with `--sdnotify=container`, `systemd-notify` has to be in the image.
 * - `ExecStart=` is `node …` itself. What is passed is passed to one process: under `npm start` or a shell that does not
 *   `exec`, {@link socket} fails with {@link NotActivated}.
 * - An extended shutdown is bounded by the server's policy, and no longer by `TimeoutStopSec=`: not at all where
 *   `timeout` is infinite.
 *
 * @since 0.1.0
 * @module
 */

import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as internal from "./internal/systemd/notify.js"
import type { State } from "./internal/systemd/notify.js"
import * as Service from "./internal/systemd/service.js"
import { Server } from "./Server.js"
import type { InvalidPolicy } from "./Shutdown.js"

export { NotActivated, type Socket, socket, sockets } from "./internal/supervisor/socketActivation.js"

export type { State } from "./internal/systemd/notify.js"
export type { ServiceOptions } from "./internal/systemd/service.js"

/**
 * Notifies systemd, as `sd_notify(3)` does, and waits until that is done. It does nothing where `NOTIFY_SOCKET` is not
 * set, and never fails: what cannot be sent is logged, the first time as a warning. A line break or another
 * control character in a value becomes a space.
 *
 * **Example**
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Systemd } from "quiesce"
 *
 * const migrate = Effect.void
 *
 * // a start that takes longer than `TimeoutStartSec=` allows
 * const start = Systemd.notify({ STATUS: "Migrating the database", EXTEND_TIMEOUT_USEC: 60_000_000 }).pipe(
 *   Effect.zipRight(migrate)
 * )
 * ```
 *
 * @since 0.1.0
 * @category notifications
 */
export const notify = (state: State): Effect.Effect<void> => internal.notify(state)

/**
 * The same layer, which notifies systemd once it has been built: `READY=1`; when a shutdown begins, whatever began it,
 * `STOPPING=1`; and until it ends, `EXTEND_TIMEOUT_USEC` and a `STATUS=` that says what is waited for, which
 * `systemctl status` shows. Put it around the layer that serves. It does nothing where `NOTIFY_SOCKET` is not set.
 *
 * **Example**
 *
 * ```ts
 * import { HttpServer, HttpServerResponse } from "@effect/platform"
 * import { NodeRuntime } from "@effect/platform-node"
 * import { Effect, Layer } from "effect"
 * import { NodeHttpServer, Systemd } from "quiesce"
 * import { createServer } from "node:http"
 *
 * HttpServer.serve(Effect.succeed(HttpServerResponse.text("hello"))).pipe(
 *   Systemd.service({ extendTimeout: "1 minute" }),
 *   Layer.provide(NodeHttpServer.layer(() => createServer(), { port: 3000, timeout: "5 minutes" })),
 *   Layer.launch,
 *   NodeRuntime.runMain
 * )
 * ```
 *
 * @since 0.1.0
 * @category notifications
 */
export const service =
  (options: Service.ServiceOptions = {}) =>
  <A, E, R>(layer: Layer.Layer<A, E, R>): Layer.Layer<A, E | InvalidPolicy, R | Server> =>
    Layer.unwrapEffect(Effect.map(Server, (server) => Service.service(server, options, layer)))
