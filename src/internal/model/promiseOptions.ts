/**
 * The options of `quiesce/promise`.
 */
import type * as Duration from "effect/Duration"
import type { Options as HandoffPolicy, WorkersOptions } from "./handoff.js"
import type { Options as ListenOptions } from "./listener.js"
import type { Policy } from "./policy.js"
import type { Hook, Reason } from "./promise.js"
import type { Report } from "./report.js"

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
   * A port of its own that is asked by a kubelet, a load balancer, a Prometheus, or a person: `/`, a page that shows
   * live what the server does and waits for, `/livez`, `/readyz` and `/startupz`, `/metrics`, `/connections` and
   * `/requests`. It answers through the whole shutdown, until `finally` is done, and keeps no process alive. A number
   * is the port, on `127.0.0.1`. It is HTTP/1.1 without TLS.
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
