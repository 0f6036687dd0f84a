/**
 * What `quiesce/promise` takes and gives.
 */
import type * as Duration from "effect/Duration"
import type { Connection } from "./connection.js"
import type { NodeServer } from "./listener.js"
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
   * Another one within half a second does not count: npm sends two for each Ctrl-C, GNU `timeout` may, and
   * `concurrently -k` sends SIGINT, then SIGTERM. Nor does one that the process sends to itself meanwhile, as NestJS,
   * Apollo Server and many recipes do when they have tidied up.
   *
   * A signal that is listened for does not end the process any more, so this does: when `finally` is done, the process
   * ends by itself, and where something (a timer, a pool of connections) still keeps it alive a second later, the log
   * names it and `process.exit` is called, when stdout and stderr have been written. (The channel to a parent process,
   * as under PM2 and `node:cluster`, is no such thing.) What else is to be done before the end belongs in `finally`. The
   * exit code is 1 when requests were cut, or `finally` failed, and else `process.exitCode`, or 0.
   *
   * Where the signal has other listeners, the log names them when it comes, and they decide when the process ends: it is
   * left to end by itself, and the log says again and again what keeps it alive. One that sends the signal again is done,
   * and when all of them have done so, the process is ended as without them, with the exit code above.
   *
   * In a worker thread no signal arrives: there, anything but none throws `InvalidPolicy`.
   *
   * Default: none.
   */
  readonly signals?: boolean | ReadonlyArray<NodeJS.Signals> | undefined
  /** Runs when draining starts, as `Server.onShutdown` does. */
  readonly onShutdown?: Hook | undefined
  /**
   * Runs once when everything has been served and closed: here is where a database is closed. The promises of
   * {@link Server} wait for it; if it fails, they reject with what it failed with. When it takes longer than two
   * seconds, the log says so, again and again.
   */
  readonly finally?: ((report: Report) => unknown) | undefined
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
}
