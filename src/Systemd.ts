/**
 * A server as a systemd service: it says when it is ready, when it stops and what it waits for (`sd_notify`), gets more
 * time while it drains, and listens on sockets that systemd holds for it (socket activation).
 *
 * ```ts
 * import { HttpRouter, HttpServer, HttpServerResponse } from "@effect/platform"
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
 * HttpRouter.empty.pipe(
 *   HttpRouter.get("/", HttpServerResponse.text("hello")),
 *   HttpServer.serve(),
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
 * | `OpenFile=/run/systemd/notify:notify` | written to that inherited descriptor, by this process | systemd 253 or later |
 * | nothing more | by the command `systemd-notify`, a child process for each | that it is installed; and `NotifyAccess=all`, unless the service runs as root |
 *
 * **Gotchas**
 *
 * - `Type=notify` implies `NotifyAccess=main`, which takes no notification from a child process: as another user than
 *   root, without `NotifyAccess=all`, the start of the service times out.
 * - In a container, as of Podman with `--sdnotify=container`, `systemd-notify` has to be in the image.
 * - `ExecStart=` is `node …` itself. What is passed is passed to one process: under `npm start` or a shell that does not
 *   `exec`, {@link socket} fails with {@link NotActivated}.
 * - An extended shutdown is bounded by the server's policy, and no longer by `TimeoutStopSec=`: not at all where
 *   `timeout` is infinite.
 *
 * @since 0.1.0
 */
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import { duration } from "./internal/policy.js"
import { connections, count, print, progressOf, request, timeLeft } from "./internal/progress.js"
import { notifyName, passed, sender } from "./internal/sdNotify.js"
import { insideOf } from "./internal/telemetry.js"
import { Server, type ServerService } from "./Server.js"
import type { InvalidPolicy } from "./Shutdown.js"

/**
 * What a notification may say (`sd_notify(3)`): the names and values are systemd's own.
 *
 * @since 0.1.0
 * @category models
 */
export type State = { readonly [name: string]: string | number }

/** A notification at a time, in the order in which they were made. */
const one = Effect.unsafeMakeSemaphore(1)

let hasFailed = false

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
export const notify = (state: State): Effect.Effect<void> =>
  Effect.suspend(() => {
    const send = sender(process.env, process.pid)
    if (send === undefined) return Effect.void
    const lines = Object.entries(state).map(([name, value]) => `${name}=${String(value).replaceAll(/\p{Cc}+/gu, " ")}`)
    return one.withPermits(1)(send(lines.join("\n"))).pipe(
      Effect.catchAll((error) =>
        Effect.suspend(() => {
          const log = hasFailed ? Effect.logDebug : Effect.logWarning
          hasFailed = true
          return log(`systemd could not be notified; the service goes on: ${error.message}`)
        })
      )
    )
  })

/**
 * What a service tells of itself.
 *
 * @since 0.1.0
 * @category models
 */
export interface ServiceOptions {
  /**
   * By how much to extend the time to stop (`EXTEND_TIMEOUT_USEC`), again and again while the server stops, three times
   * as often as needed; what it is extended by last is left to the release of everything else. 0: not at all, and then
   * `TimeoutStopSec=` must be longer than the policy (`Shutdown.systemd`). Default: 30 seconds.
   */
  readonly extendTimeout?: Duration.DurationInput | undefined
}

/** How often the status is brought up to date while the server stops. */
const statusMillis = 5000

/** How long the last notification may take. */
const lastMillis = 2000

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
 * import { Layer } from "effect"
 * import { NodeHttpServer, Systemd } from "quiesce"
 * import { createServer } from "node:http"
 *
 * HttpServer.serve(HttpServerResponse.text("hello")).pipe(
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
  (options: ServiceOptions = {}) =>
  <A, E, R>(layer: Layer.Layer<A, E, R>): Layer.Layer<A, E | InvalidPolicy, R | Server> =>
    Layer.unwrapScoped(Effect.gen(function*() {
      const server = yield* Server
      const extendMillis = yield* duration("extendTimeout", options.extendTimeout ?? "30 seconds")
      let fiber: Fiber.RuntimeFiber<void> | undefined
      // `runMain` ends the process in the middle of a notification
      yield* Effect.addFinalizer(() =>
        Effect.flatMap(server.phase.get, (phase) =>
          fiber === undefined || phase !== "Closed"
            ? Effect.void
            : Effect.raceFirst(Effect.interruptible(Fiber.join(fiber)), Effect.interruptible(Effect.sleep(lastMillis))))
      )
      // it goes on until the server has closed
      return Layer.tap(
        layer,
        () =>
          Effect.map(Effect.forkDaemon(Effect.interruptible(life(server, extendMillis))), (forked) => {
            fiber = forked
          })
      )
    }))

const life = (server: ServerService, extendMillis: number): Effect.Effect<void> =>
  Effect.gen(function*() {
    if (process.env["NOTIFY_SOCKET"] === undefined) return
    yield* notify({ READY: 1, STATUS: "Serving" })
    yield* server.shuttingDown
    const extend: State = extendMillis > 0 && Number.isFinite(extendMillis)
      ? { EXTEND_TIMEOUT_USEC: Math.round(extendMillis * 1000) }
      : {}
    const pause = Duration.millis(extendMillis > 0 ? Math.min(statusMillis, extendMillis / 3) : statusMillis)
    yield* notify({ STOPPING: 1, STATUS: status(server), ...extend })
    const closed = Effect.exit(server.closed)
    while ((yield* server.phase.get) !== "Closed") {
      yield* Effect.raceFirst(closed, Effect.sleep(pause))
      if ((yield* server.phase.get) !== "Closed") yield* notify({ STATUS: status(server), ...extend })
    }
    const report = yield* Effect.merge(Effect.mapError(server.closed, ({ report }) => report))
    yield* notify({ STATUS: `Shut down in ${print(report.duration)} (${report.outcome})`, ...extend })
  })

/** One line of it: `systemctl status` has no room for more. */
const status = (server: ServerService): string => {
  const inside = insideOf(server)
  if (inside === undefined) return "Shutting down"
  const progress = progressOf(inside, 1)
  const left = timeLeft(progress)
  const oldest = progress.oldest.map((each) => request(each))
  return [
    `${inside.telemetry.phase}${left === undefined ? "" : `, ${left}`}: ${connections(progress)}`,
    ...(progress.inFlight > 0 ? [`${count(progress.inFlight, "request")} in flight, the oldest ${oldest.join()}`] : [])
  ].join("; ")
}

/**
 * A socket that systemd has passed to this process.
 *
 * @since 0.1.0
 * @category models
 */
export interface Socket {
  readonly fd: number
  /** Its `FileDescriptorName=`, or the name of its unit, such as `app.socket`. */
  readonly name: string
}

/**
 * There is no such socket to listen on. The message says why, and what to do.
 *
 * - `Absent`: nothing was passed: no `LISTEN_FDS` and `LISTEN_PID`
 * - `OtherProcess`: what was passed is for another process: a wrapper's, such as npm or a shell
 * - `NotFound`: none has that name
 * - `Malformed`: a variable has a value that it cannot have
 *
 * @since 0.1.0
 * @category errors
 */
export class NotActivated extends Data.TaggedError("NotActivated")<{
  readonly reason: "Absent" | "OtherProcess" | "NotFound" | "Malformed"
  readonly problem: string
}> {
  override get message(): string {
    return `No socket was passed to this process: ${this.problem}`
  }
}

/**
 * All the sockets that were passed to this process, in the order of the socket units, as `sd_listen_fds_with_names(3)`
 * has them. Fails with {@link NotActivated} where there is none.
 *
 * **Example**
 *
 * ```ts
 * import { Effect, Layer } from "effect"
 * import { Server, Systemd } from "quiesce"
 * import { createServer } from "node:http"
 *
 * // a plain server that listens on each of them
 * const listen = Effect.gen(function*() {
 *   const server = yield* Server.Server
 *   for (const { fd } of yield* Systemd.sockets) {
 *     yield* server.listen(() => createServer((_, response) => response.end("hello")), { fd })
 *   }
 * })
 *
 * const Listening = Layer.scopedDiscard(listen)
 * ```
 *
 * @since 0.1.0
 * @category sockets
 */
export const sockets: Effect.Effect<ReadonlyArray<Socket>, NotActivated> = Effect.suspend(() => {
  const found = passed(process.env, process.pid)
  const fail = (reason: NotActivated["reason"], problem: string) => new NotActivated({ reason, problem })
  switch (found._tag) {
    case "Nothing":
      return fail(
        "Absent",
        "LISTEN_FDS and LISTEN_PID are not set. Start the socket unit, and let the service require it."
      )
    case "ToAnother":
      return fail(
        "OtherProcess",
        `LISTEN_PID is ${found.pid}, and this is ${process.pid}. Start node itself, not through npm or a shell.`
      )
    case "Malformed":
      return fail("Malformed", `${found.name} is ${JSON.stringify(found.value)}, and must be a number.`)
    case "Passed": {
      const listening = found.descriptors.filter(({ name }) => name !== notifyName)
      return listening.length > 0
        ? Effect.succeed(listening)
        : fail("Absent", "LISTEN_FDS counts none. Start the socket unit, and let the service require it.")
    }
  }
})

/**
 * Where to listen, for `Server.listen` and the layers: the socket of that name, or the first one. It stays open in
 * systemd when the server closes it here: clients that come during a restart wait in its queue for the successor, and
 * none is refused. Fails with {@link NotActivated}, for which another listener may stand in.
 *
 * **Example**
 *
 * ```ts
 * import { Effect, Layer } from "effect"
 * import { NodeHttpServer, Systemd } from "quiesce"
 * import { createServer } from "node:http"
 *
 * // under systemd its socket, elsewhere a port
 * const ServerLive = Systemd.socket("http").pipe(
 *   Effect.catchTag("NotActivated", () => Effect.succeed({ port: 3000 })),
 *   Effect.map((where) => NodeHttpServer.layer(() => createServer(), where)),
 *   Layer.unwrapEffect
 * )
 * ```
 *
 * @since 0.1.0
 * @category sockets
 */
export const socket = (name?: string): Effect.Effect<{ readonly fd: number }, NotActivated> =>
  Effect.flatMap(sockets, (sockets) => {
    const found = name === undefined ? sockets[0] : sockets.find((socket) => socket.name === name)
    if (found !== undefined) return Effect.succeed({ fd: found.fd })
    const names = sockets.map((socket) => JSON.stringify(socket.name)).join(", ")
    return new NotActivated({
      reason: "NotFound",
      problem: `none is named ${JSON.stringify(name)}, but ${names}. Names come from FileDescriptorName= of the unit.`
    })
  })
