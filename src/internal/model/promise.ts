/**
 * What `quiesce/promise` takes and gives.
 */
import type * as Duration from "effect/Duration"
import type * as Http from "node:http"
import type * as Net from "node:net"
import type { Connection } from "./connection.js"
import type { Successor } from "./handoff.js"
import type { Answer, CheckOptions, Probe } from "./health.js"
import type { Address, NodeServer } from "./listener.js"
import type { Phase } from "./policy.js"
import type { Report } from "./report.js"

/**
 * Something that has a Node server and a way to close itself, as a fastify instance has. The Node server is drained
 * first; then `close` is called, and awaited, so that what hangs on it (fastify's `onClose` hooks, say) runs when
 * nothing is served any more.
 *
 * @since 0.1.0
 * @category models
 */
export interface Framework {
  /** The Node server that is drained. */
  readonly server: NodeServer
  /** Called, and awaited, after the drain. */
  readonly close: () => PromiseLike<unknown>
}

/**
 * What can be drained.
 *
 * | framework | what to pass |
 * | --- | --- |
 * | plain Node | what `createServer` returns |
 * | express, koa | what `app.listen(…)` returns |
 * | hono | what `serve(…)` of `@hono/node-server` returns |
 * | fastify | the instance, and not its `server`: its `onClose` hooks would not run |
 * | socket.io, ws | the Node server that they are attached to |
 *
 * @since 0.1.0
 * @category models
 */
export type Target = NodeServer | Framework

/**
 * Something to do during a shutdown. The signal is aborted when its time is up.
 *
 * @since 0.1.0
 * @category models
 */
export type Hook = (signal: AbortSignal) => unknown

/**
 * Why a server has stopped.
 *
 * @since 0.3.0
 * @category models
 */
export interface Reason {
  /** The signal that has begun the shutdown; `undefined`: none has. */
  readonly signal: NodeJS.Signals | undefined
  /** What nobody has caught (`uncaught`); not there where nothing was. */
  readonly error?: unknown
  /** A successor has taken over (`handoff`); not there where none has. */
  readonly handedOver?: true
}

/**
 * Work that goes on in the background of a server: a consumer of a queue, a job that runs again and again, a server of
 * another protocol. `signal` is aborted when a shutdown begins: take in nothing more, finish what you have, and return.
 * `deadline` is aborted when its time is up: drop what you have.
 *
 * @since 0.3.0
 * @category models
 */
export type Worker = (signal: AbortSignal, deadline: AbortSignal) => unknown

/**
 * What answers requests of a Node server, and is a middleware of express and connect.
 *
 * @since 0.3.0
 * @category models
 */
export type PlainHandler = (
  request: Http.IncomingMessage,
  response: Http.ServerResponse,
  next?: (error?: unknown) => void
) => void

/**
 * A server that can be shut down.
 *
 * @since 0.1.0
 * @category models
 */
export interface Server {
  /**
   * Shuts down gracefully, or joins the shutdown that has begun. Resolves when all is over, `finally` included, also
   * if requests were cut: `outcome` and `cut` of the report say so.
   *
   * From inside a request handler, do not await it: it waits for the handler.
   */
  readonly shutdown: () => Promise<Report>
  /** Cuts everything now, also during a shutdown. Hooks that have not been started are not. */
  readonly close: () => Promise<Report>
  /** Settles like `shutdown`, whoever starts it, and starts nothing. */
  readonly closed: Promise<Report>
  /**
   * Aborted when a shutdown begins: what never ends by itself (server-sent events, long polls) ends on it in time. A
   * request that comes after that finds it aborted already.
   *
   * ```ts
   * import { createServer } from "node:http"
   * import { setInterval } from "node:timers/promises"
   * import { quiesce } from "quiesce/promise"
   *
   * const nodeServer = createServer((_, response) => {
   *   const ticks = async () => {
   *     for await (const _ of setInterval(1000, undefined, { signal })) response.write("tick\n")
   *   }
   *   void ticks().catch(() => response.end("come back later\n"))
   * })
   * const { signal } = quiesce(nodeServer.listen(3000), { signals: true })
   * ```
   */
  readonly signal: AbortSignal
  /** The phase that the server is in. */
  readonly phase: () => Phase
  /** Who is connected, doing what, since when. */
  readonly connections: () => ReadonlyArray<Connection>
  /**
   * Runs `hook` once when draining starts, together with all others; after that, at once. It may take until the
   * deadline, or until its own `timeout`; then its signal is aborted. How it ended is in the report; it never stops
   * the shutdown. Throws `InvalidPolicy`.
   */
  readonly onShutdown: (
    name: string,
    hook: Hook,
    options?: { readonly timeout?: Duration.DurationInput | undefined }
  ) => void
  /**
   * A shutdown waits for this promise as for a request: for work that goes on after its request was answered, with 202
   * say. It cannot be interrupted: at the deadline it has `killTimeout` to settle, and is then left behind. What it
   * uses is to be closed in `finally`, which runs after it.
   *
   * How it ended is in the report (`background`). One that was left behind was accepted and is lost: the outcome of the
   * shutdown is `"DeadlineExceeded"`, and with `signals` the exit code is 1. So is one that rejects after the deadline
   * (`"Interrupted"`); one that resolves then is not. One that rejects is logged and counted, at any time, and is no
   * unhandled rejection; before the deadline it fails no shutdown.
   *
   * `name` says what kind of work it is, and not which: reports and metrics add up what has one name.
   *
   * Throws `ServerClosed` once nothing is awaited any more: after the deadline, after `close`, and when the drain is over.
   * While the server drains it does not, since requests in flight may start some. The promise is logged where it rejects
   * then, too. Throws `InvalidPolicy` where it is given no promise.
   *
   * ```ts
   * import { createServer } from "node:http"
   * import { quiesce } from "quiesce/promise"
   *
   * declare const fulfil: (order: string) => Promise<void>
   *
   * const nodeServer = createServer((request, response) => {
   *   server.track("orders", fulfil(request.url ?? ""))
   *   response.writeHead(202).end("accepted")
   * })
   * const server = quiesce(nodeServer.listen(3000), { signals: true })
   * ```
   *
   * @since 0.3.0
   */
  readonly track: (name: string, promise: PromiseLike<unknown>) => void
  /**
   * Runs `worker` at once, in the background, and a shutdown waits for it as for a request. Its first signal is aborted
   * when a shutdown begins: it is to take in nothing more, to finish what it has, and to return. Where it rejects then
   * with an `AbortError`, as what it waited for with that signal does, it has ended well. Its second signal is aborted
   * at the deadline, or by `close`: it has `killTimeout` to drop what it has; after that it is left behind.
   *
   * How it ended is in the report, as with {@link Server.track}; one that ends only after the deadline is
   * `"Interrupted"`, whether it resolves or rejects. One that rejects is not started again. Throws as `track` does.
   *
   * ```ts
   * import { once } from "node:events"
   * import { createServer } from "node:http"
   * import { quiesce } from "quiesce/promise"
   *
   * // as those of BullMQ
   * declare const makeConsumer: () => { readonly close: (force?: boolean) => Promise<void> }
   *
   * const server = quiesce(createServer().listen(3000), { signals: true })
   *
   * server.worker("orders", async (signal, deadline) => {
   *   const consumer = makeConsumer()
   *   await once(signal, "abort")
   *   deadline.addEventListener("abort", () => void consumer.close(true))
   *   await consumer.close() // takes no more, and waits for the jobs that it has
   * })
   * ```
   *
   * @since 0.3.0
   */
  readonly worker: (name: string, worker: Worker) => void
  /**
   * The program has started: systemd (`Type=notify`) and PM2 (`wait_ready`) are told so. From now on systemd is told what
   * a shutdown waits for, too, and its time to stop is extended for as long as the shutdown takes; and PM2's message
   * `"shutdown"` (`shutdown_with_message`, and on Windows) begins one, as SIGTERM does. Without a supervisor it does
   * nothing.
   *
   * ```ts
   * import { createServer } from "node:http"
   * import { quiesce } from "quiesce/promise"
   *
   * const node = createServer()
   * const server = quiesce(node, { signals: true })
   * node.listen(3000, () => server.ready())
   * ```
   *
   * @since 0.3.0
   */
  readonly ready: () => Promise<void>
  /**
   * Adds a health check, which probes ask from now on: it fails where it rejects, throws, or returns false. Its signal is
   * aborted when its time is up. Throws `InvalidPolicy` for a name that another one has, and for bad options.
   *
   * ```ts
   * import { createServer } from "node:http"
   * import { quiesce } from "quiesce/promise"
   *
   * declare const database: { readonly query: (sql: string) => Promise<unknown> }
   *
   * const server = quiesce(createServer().listen(3000), { admin: 9000, signals: true })
   * server.check("database", () => database.query("select 1"), { timeout: "500 millis" })
   * ```
   *
   * @since 0.3.0
   */
  readonly check: (name: string, check: Hook, options?: CheckOptions) => void
  /**
   * Asks the checks of a probe, all at the same time. `ready` fails from the first moment of a shutdown; `live` does not,
   * since a process that drains must not be killed for it.
   *
   * @since 0.3.0
   */
  readonly probe: (probe: Probe) => Promise<Answer>
  /**
   * Answers `/livez`, `/readyz` and `/startupz` as the API server of Kubernetes does: 200 or 500, `?verbose` names each
   * check, and `?exclude=NAME` leaves one out. Everything else goes to `next`, or is answered with 404. Why a check has
   * failed is not said here, where everybody may ask.
   *
   * During a lame duck it answers that the server is not ready; after it, nothing new is accepted, and nobody can ask.
   *
   * ```ts
   * import express from "express"
   * import { quiesce } from "quiesce/promise"
   *
   * const app = express()
   * app.use((request, response, next) => server.health(request, response, next))
   * const server = quiesce(app.listen(3000), { lameDuck: "5 seconds", signals: true })
   * ```
   *
   * @since 0.3.0
   */
  readonly health: PlainHandler
  /**
   * The metrics of this server, and all others that the process has in Effect, as Prometheus reads them
   * (`text/plain; version=0.0.4`).
   *
   * @since 0.3.0
   */
  readonly metrics: () => Promise<string>
  /**
   * Where the admin listener listens; `undefined` without `admin`. Rejects where it cannot: if nobody handles that, the
   * process ends, as with a Node server that cannot listen.
   *
   * @since 0.3.0
   */
  readonly admin: Promise<Net.AddressInfo> | undefined
  /**
   * Where HAProxy's agent check is answered; `undefined` without the option `agentCheck`. Rejects where it cannot listen:
   * if nobody handles that, the process ends, as with a Node server that cannot listen.
   *
   * @since 0.3.0
   */
  readonly agentCheck: Promise<Net.AddressInfo> | undefined
  /**
   * Where each server listens, in their order, as soon as this process accepts; `undefined` without `handoff`. Rejects with
   * `ListenError` where one cannot listen, and with `HandoffFailed` where this process cannot take over; then the server
   * is closed. If nobody handles that, the process ends, as with a Node server that cannot listen. Rejects with
   * `ServerClosed` where a shutdown came before; nobody has to handle that.
   *
   * @since 0.3.0
   */
  readonly listening: Promise<ReadonlyArray<Address>> | undefined
  /**
   * Hands over as a signal does (`handoff`), and resolves when the successor accepts. Rejects with `HandoffFailed`; then
   * this process serves on. From inside a request handler it may be awaited.
   *
   * @since 0.3.0
   */
  readonly upgrade: () => Promise<Successor>
}
