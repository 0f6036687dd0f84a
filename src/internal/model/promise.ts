/**
 * What `quiesce/promise` takes and gives.
 */
import type * as Duration from "effect/Duration"
import type * as Http from "node:http"
import type * as Net from "node:net"
import type { Connection } from "./connection.js"
import type { Options as HandoffPolicy, Successor, WorkersOptions } from "./handoff.js"
import type { Answer, CheckOptions, Probe } from "./health.js"
import type { Address, NodeServer, Options as ListenOptions } from "./listener.js"
import type { Phase, Policy } from "./policy.js"
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
 * The admin listener of a program without Effect.
 *
 * @since 0.3.0
 * @category models
 */
export interface AdminOptions {
  /** `0`: one that is free, which {@link Server.admin} says. */
  readonly port: number
  /** Default: `127.0.0.1`. A kubelet and a Prometheus ask from elsewhere: `0.0.0.0`, and a port that is not published. */
  readonly host?: string | undefined
  /**
   * The names that it may be asked by, beside its address and `localhost`: a whole name, or one with a dot before it for
   * all below it (`".monitoring.svc"`). `"all"`: whatever the `Host` is. Default: none.
   */
  readonly allowedHosts?: "all" | ReadonlyArray<string> | undefined
  /**
   * The page has a button that starts draining: for whoever reaches the listener. It is guarded against pages of other
   * sites, and so it does not go with `allowedHosts: "all"`. Default: false.
   */
  readonly actions?: boolean | undefined
  /** Say why a check has failed. Default: true. */
  readonly reasons?: boolean | undefined
  /** Show the query of each path. It may hold secrets. Default: false. */
  readonly showQuery?: boolean | undefined
}

/**
 * The listener for HAProxy's agent check, of a program without Effect.
 *
 * @since 0.3.0
 * @category models
 */
export interface AgentCheckOptions {
  /** `0`: one that is free, which {@link Server.agentCheck} says. */
  readonly port: number
  /** Default: `127.0.0.1`. A HAProxy on another machine asks from elsewhere: `0.0.0.0`. */
  readonly host?: string | undefined
}

/**
 * Where the servers listen whose sockets are handed to a successor, and what starts a hand-over: see `Handoff`.
 *
 * @since 0.3.0
 * @category models
 */
export interface HandoffOptions extends HandoffPolicy {
  /**
   * Where each server listens, in the order in which they are passed; with one server, its place alone. The servers must
   * not have been made to listen before: a successor listens with the socket that it has inherited.
   */
  readonly listen: ListenOptions | ReadonlyArray<ListenOptions>
}

/**
 * How many workers, what replaces them, and where the log goes.
 *
 * @since 0.3.0
 * @category models
 */
export interface PlainWorkersOptions extends WorkersOptions {
  /** As that of {@link Options}. */
  readonly logger?: Options["logger"]
}

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
 * How to stop: the fields of `Shutdown.Policy` by their names, and what a program without Effect needs besides. A
 * duration is a number of milliseconds, or a text such as `"8 seconds"`.
 *
 * **Example**
 *
 * ```ts
 * import { createServer } from "node:http"
 * import { quiesce } from "quiesce/promise"
 *
 * declare const database: { readonly end: () => Promise<void> }
 * declare const log: { readonly [level in "info" | "warn" | "error"]: (message: string) => void }
 *
 * quiesce(createServer((_, response) => response.end("hello")).listen(3000), {
 *   lameDuck: "5 seconds",
 *   timeout: "20 seconds",
 *   signals: true,
 *   finally: () => database.end(),
 *   logger: (level, message) => log[level](message)
 * })
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export interface Options extends Policy {
  /**
   * The signals that shut the server down: `true` is SIGTERM and SIGINT. The first one begins the shutdown; the next one
   * ends a lame duck, or else closes at once what is still open; one more ends the process, as if nobody listened.
   * Another one within half a second does not count (within up to 5 seconds, where the event loop is busy and signals are
   * read late): npm sends two for each Ctrl-C, GNU `timeout` may, and
   * `concurrently -k` sends SIGINT, then SIGTERM. Nor does one that the process sends to itself meanwhile, as NestJS,
   * Apollo Server and many recipes do when they have tidied up.
   *
   * A signal that is listened for does not end the process any more, so this does: when `finally` is done, the process
   * ends by itself, and where something (a timer, a pool of connections) still keeps it alive a second later, the log
   * names it and `process.exit` is called, when stdout and stderr have been written. (The channel to a parent process,
   * as under PM2 and `node:cluster`, is no such thing.) What else is to be done before the end belongs in `finally`. The
   * exit code is 128 + n when a further signal has closed the server (130 for SIGINT, 143 for SIGTERM), 1 when requests
   * were cut, background work was lost, or `finally` failed, and else `process.exitCode`, or 0.
   *
   * Where the signal has other listeners, the log names them when it comes, and they decide when the process ends: it is
   * left to end by itself, and the log says again and again what keeps it alive. One that sends the signal again is done,
   * and when all of them have done so, the process is ended as without them, with the exit code above.
   *
   * In a worker thread no signal arrives: there, anything but none throws `InvalidPolicy`.
   *
   * Default: none; with `handoff`, SIGTERM and SIGINT.
   */
  readonly signals?: boolean | ReadonlyArray<NodeJS.Signals> | undefined
  /** Runs when draining starts, as `Server.onShutdown` does. */
  readonly onShutdown?: Hook | undefined
  /**
   * Runs once when everything has been served and closed: here is where a database is closed. It gets the report, and
   * (since 0.3.0) why the server has stopped. The promises of
   * {@link Server} wait for it; if it fails, they reject with what it failed with. When it takes longer than two
   * seconds, the log says so, again and again.
   */
  readonly finally?: ((report: Report, reason: Reason) => unknown) | undefined
  /**
   * How long `finally` may take, and before it the `close` of each framework. After that it is not waited for any more:
   * the promises of {@link Server} reject with `FinallyTimedOut`, and the exit code after a signal is 1. It comes
   * after `timeout` and `killTimeout`: what stops the process (Docker, Kubernetes, PM2) has to wait for all of them.
   *
   * Default: no limit.
   *
   * @since 0.2.0
   */
  readonly finallyTimeout?: Duration.DurationInput | undefined
  /**
   * `true`: an exception that nobody has caught, and a rejection that nobody handles, begin a shutdown. Requests in
   * flight are answered, `finally` runs, and the process ends with exit code 1. A request whose handler has thrown is
   * answered by nobody, and waited for until the deadline. Further ones are logged. Where others listen for
   * `uncaughtException`, too, they must not end the process.
   *
   * The state of a program after such an error is unknown: use it where handlers share nothing that an error may leave
   * half done, and with a short `timeout`.
   *
   * Default: false, as Node does it: the process ends at once, and what is in flight is lost.
   *
   * @since 0.3.0
   */
  readonly uncaught?: boolean | undefined
  /**
   * A port of its own that is asked by a kubelet, a load balancer, a Prometheus, or a person: `/`, a page that shows live
   * what the server does and waits for, `/livez`, `/readyz` and `/startupz`, `/metrics`, `/connections` and `/requests`. It answers through the whole shutdown, until `finally` is
   * done, and keeps no process alive. A number is the port, on `127.0.0.1`. It is HTTP/1.1 without TLS.
   *
   * Default: none. {@link Server.health} answers on a path of the app.
   *
   * @since 0.3.0
   */
  readonly admin?: number | AdminOptions | undefined
  /**
   * A port of its own for HAProxy's agent check (`agent-check agent-port 9100`): who connects to it is told `up ready`,
   * `drain` from the first moment of a lame duck, `stopped` once the app's listeners close, and `down` where a readiness
   * check fails. It answers through the whole shutdown, until `finally` is done, and keeps no process alive. A number is
   * the port, on `127.0.0.1`. What HAProxy makes of each line, and what to mind: see the module `AgentCheck`.
   *
   * Default: none.
   *
   * @since 0.3.0
   */
  readonly agentCheck?: number | AgentCheckOptions | undefined
  /**
   * Listens, and hands the listening sockets to a successor on SIGUSR2 or SIGHUP: the same command is started again, with
   * the files as they are now. When it listens, this process drains, without a lame duck, runs `finally`, and ends. No
   * client notices. One that fails to start has accepted nothing, and this process serves on. In a worker of
   * `node:cluster`, the worker is replaced instead ({@link launchWorkers}).
   *
   * A program is ready once it has called `quiesce`: connect to what requests need before. What the program opens besides
   * its listeners is there twice for a while; `admin` and `agentCheck` are handed over, too. See the module `Handoff`.
   *
   * ```ts
   * import { createServer } from "node:http"
   * import { quiesce } from "quiesce/promise"
   *
   * quiesce(createServer((_, response) => response.end("hello")), {
   *   handoff: { listen: { port: 3000 }, timeout: "20 seconds" }
   * })
   * ```
   *
   * Default: none.
   *
   * @since 0.3.0
   */
  readonly handoff?: HandoffOptions | undefined
  /**
   * Where the log goes; `false`: nowhere. Lines that it fails to take go to `console.error`. Default: lines on stdout,
   * as under `NodeRuntime.runMain`.
   */
  readonly logger?: false | ((level: "info" | "warn" | "error", message: string) => void) | undefined
}

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
