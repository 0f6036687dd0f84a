/**
 * A restart on one machine that no client notices: the listening sockets are handed to a successor, which accepts while
 * this process drains.
 *
 * ```ts
 * import { HttpLayerRouter, HttpServerResponse } from "@effect/platform"
 * import { NodeRuntime } from "@effect/platform-node"
 * import { Layer } from "effect"
 * import { Handoff, NodeHttpServer } from "quiesce"
 * import { createServer } from "node:http"
 *
 * HttpLayerRouter.serve(HttpLayerRouter.add("GET", "/", HttpServerResponse.text("hello"))).pipe(
 *   Layer.provide(NodeHttpServer.layer(() => createServer(), { port: 3000 })),
 *   Handoff.launch(),
 *   NodeRuntime.runMain
 * )
 * ```
 *
 * `Handoff.launch()` stands where `Layer.launch` stood. On SIGUSR2 or SIGHUP, or when {@link upgrade} is run:
 *
 * ```text
 * this process                      its successor: the same command, the files as they are now
 * ├─ serves                         starts, and builds the layer; a listener gets the inherited socket, and waits
 * ├─ serves                         the layer is built: it says that it is ready
 * ├─ lets go, and still serves      accepts
 * ├─ closes its listeners, drains   serves
 * └─ ends, with exit code 0         serves
 * ```
 *
 * The same program text does for both. A listener is known by what the program asks for (`host` and `port`, `path` or
 * `fd`), and all that `NodeHttpServer`, `NodeSocketServer`, `Admin` and `ServerService.listen` open are handed over: TCP
 * and Unix sockets. One that only the successor has is bound by it; one that it has no more is closed. What has not been
 * accepted yet stays in the sockets' queue, which both share, and so nothing is refused and nothing reset.
 *
 * A successor that fails to start, ends, or does not say that it is ready within `timeout` has accepted nothing. It is
 * stopped (SIGTERM, and SIGKILL a second later), {@link HandoffFailed} says why, and this process serves on. A
 * shutdown that begins before the successor is ready stops it, too. If this process dies meanwhile, the successor takes
 * over when it is ready.
 *
 * **What becomes of the PID**
 *
 * It changes, and whoever started the first process sees it end.
 *
 * - systemd: `Type=notify`, `NotifyAccess=all` and `Systemd.service()`; `ExecReload=kill -USR2 $MAINPID`;
 *   `RuntimeDirectory=app`, `PIDFile=/run/app/pid` and the same path as `pidFile` here, which systemd reads anew when the
 *   main process ends: without it, that is the end of the service, and systemd stops the successor. Until then the main
 *   process is the one that drains, and the next `systemctl reload` has to wait; without `KillMode=mixed`, both hear of
 *   a stop. Where a restart may keep new clients waiting while the old process drains, socket activation is simpler
 *   (`Systemd.socket`).
 * - PM2, forever, npm, nodemon and their like start the program again when the first process ends, next to its
 *   successor, and find the port taken. Use their own reload.
 * - Containers: they end with their first process. Replace the container, or run {@link launchWorkers} in it.
 *
 * **Gotchas**
 *
 * - Whatever the program opens besides its listeners is there twice for a while: what can be had once only (a lock, a
 *   port that this library does not listen on) makes the successor fail to start.
 * - While a layer is built, a request to the program's own address is answered by its predecessor.
 * - A Node server that was adopted (`ServerService.adopt`) is not handed over: listen with it instead.
 * - The command is `node` with its flags, and the program with its arguments, as this process was started. Where releases
 *   are directories behind a symbolic link, start the program by an absolute path through the link.
 * - These signals end a process that still loads its modules, as they always did, and are harmless from the first step
 *   of `launch` to its end: before the layer is built, and while it drains, they are answered by a line in the log.
 *   One that comes while a successor starts is followed by another hand-over, as that one may be out of date.
 *   `pidFile` names a process that serves.
 * - Both processes write to the same standard output and error. What is logged inside of `launch`, by servers too, is
 *   annotated with `pid`, and the lines about the hand-over with a `role` (`predecessor`, `successor`); under
 *   {@link launchWorkers} the roles are `primary` and `worker`. Why a successor did not start is in its own lines.
 * - SIGHUP is left alone where standard input is a terminal: it says that the terminal is gone.
 * - A worker of `node:cluster` has no descriptor to hand over, nor has a process on Windows. Workers are replaced one by
 *   one instead: {@link launchWorkers}.
 *
 * @since 0.1.0
 * @module
 */

import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as internal from "./internal/handoff/handoff.js"
import * as Workers from "./internal/handoff/workers.js"
import {
  Handoff,
  type HandoffService,
  type Options,
  type Successor,
  type WorkersOptions
} from "./internal/model/handoff.js"
import type { HandoffFailed } from "./internal/model/handoffFailed.js"
import type { ListenError } from "./Listener.js"
import type { InvalidPolicy } from "./Shutdown.js"

export { Handoff }
export type { HandoffService, Options, Successor, WorkersOptions }

export { HandoffFailed } from "./internal/model/handoffFailed.js"

/**
 * Hands over as a signal does: see {@link HandoffService}. From inside a handler it may be awaited: the answer is sent
 * while this process drains.
 *
 * **Example**
 *
 * ```ts
 * import { HttpServerResponse } from "@effect/platform"
 * import { Effect } from "effect"
 * import { Handoff } from "quiesce"
 *
 * // an endpoint for the deployment script
 * const handler = Effect.map(Handoff.upgrade, ({ pid }) => HttpServerResponse.text(`process ${pid} accepts now\n`))
 * ```
 *
 * @since 0.1.0
 * @category combinators
 */
export const upgrade: Effect.Effect<Successor, HandoffFailed, Handoff> = Effect.flatMap(
  Handoff,
  (handoff) => handoff.upgrade
)

/**
 * Runs a layer, as `Layer.launch` does, until it is interrupted or a successor has taken over; then its scope closes,
 * which drains its servers, without a lame duck if there is a successor. See the head of this module.
 *
 * **Example**
 *
 * ```ts
 * import { HttpServer, HttpServerResponse } from "@effect/platform"
 * import { NodeRuntime } from "@effect/platform-node"
 * import { Effect, Layer } from "effect"
 * import { Handoff, NodeHttpServer, Signals } from "quiesce"
 * import { createServer } from "node:http"
 *
 * HttpServer.serve(Effect.succeed(HttpServerResponse.text("hello"))).pipe(
 *   Layer.provide(NodeHttpServer.layer(() => createServer(), { path: "/run/app/http.sock" })),
 *   Handoff.launch({ signals: ["SIGHUP"], timeout: "20 seconds", pidFile: "/run/app/pid" }),
 *   Signals.handle(),
 *   NodeRuntime.runMain({ teardown: Signals.teardown })
 * )
 * ```
 *
 * @since 0.1.0
 * @category execution
 */
export const launch = (options: Options = {}) =>
<A, E, R>(
  layer: Layer.Layer<A, E, R>
): Effect.Effect<void, E | HandoffFailed | InvalidPolicy | ListenError, Exclude<R, Handoff>> =>
  internal.launch(options, Handoff)(layer)

/**
 * In the primary of `node:cluster`: runs workers until it is interrupted, which stops them as SIGTERM does and waits for
 * their ends. A signal replaces them one by one: a new one starts, and when it is ready, an old one is stopped, and its
 * end is waited for. One that does not become ready is stopped, and the others stay. One that ends by itself is replaced
 * a second later, and where that fails, again and again. Fails if one of the first does not become ready. Until these
 * serve, and while all shut down, the signal that replaces does nothing but say so. One that comes while they are replaced
 * replaces all of them once more, as some may have started before the last deployment.
 *
 * While the workers drain, a further SIGTERM or SIGINT is passed on to them: it ends their lame duck, or else closes
 * their servers at once, as it does without workers (see `Signals`). One more ends the primary, and with it the workers.
 * A signal to the whole group (Ctrl-C, systemd's `KillMode=control-group`) reaches the workers, too: it is no second one.
 *
 * It dies with `HandoffFailed` (`Ended`), and the process exits with 1, where a worker that was told to stop has not ended
 * with 0: one that has cut requests, or was killed. That one's own lines of the log say what.
 *
 * Each worker runs {@link launch}: it tells when it is ready, and before it ends waits for the primary's word that no
 * connection is on its way to it. The PID of the primary does not change, which suits containers and `Type=exec`; to
 * change its own program, it must be restarted.
 *
 * **Example**
 *
 * ```ts
 * import { HttpServer, HttpServerResponse } from "@effect/platform"
 * import { NodeRuntime } from "@effect/platform-node"
 * import { Effect, Layer } from "effect"
 * import { Handoff, NodeHttpServer } from "quiesce"
 * import cluster from "node:cluster"
 * import { createServer } from "node:http"
 *
 * const worker = HttpServer.serve(Effect.succeed(HttpServerResponse.text("hello"))).pipe(
 *   Layer.provide(NodeHttpServer.layer(() => createServer(), { port: 3000 })),
 *   Handoff.launch()
 * )
 *
 * const program: Effect.Effect<void, unknown> = cluster.isPrimary ? Handoff.launchWorkers({ workers: 4 }) : worker
 *
 * NodeRuntime.runMain(program)
 * ```
 *
 * @since 0.1.0
 * @category execution
 */
export const launchWorkers: (options: WorkersOptions) => Effect.Effect<never, HandoffFailed | InvalidPolicy> =
  Workers.launchWorkers
