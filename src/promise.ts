/**
 * The same server for programs without Effect: one call over any Node server, and Promises.
 *
 * ```ts
 * import express from "express"
 * import { quiesce } from "quiesce/promise"
 *
 * const app = express().get("/", (_, response) => void response.send("hello"))
 *
 * quiesce(app.listen(3000), { timeout: "8 seconds", signals: true })
 * ```
 *
 * On SIGTERM this process stops accepting, lets idle connections go, gives every request in flight its whole response,
 * says what it did, and ends: with exit code 0, or with 1 if requests had to be cut after 8 seconds.
 *
 * What is taken over is whatever Node's `createServer`s return: `http`, `https`, `http2`, `net`, `tls`, with the
 * framework of your choice on it (see {@link Target}). Everything that the policy says is as in `Shutdown.Policy`.
 *
 * **Gotchas**
 *
 * - Call it before the first connection comes: right after `listen`, or before.
 * - Pass express, koa and hono by the Node server that their `listen` or `serve` returns; fastify as it is, and not its
 *   `app.server`, or its `onClose` hooks will not run.
 * - Event streams end with the drain (`endEventStreams`). Any other response that never ends by itself is cut when the
 *   time is up: let it end on {@link Server.signal}.
 * - Nothing is installed on `process` unless `signals` says so, and nothing calls `process.exit` unless a signal has
 *   asked for the end, all is over, and something still keeps the process alive a second later; and never where others
 *   in the process handle that signal, too (see {@link Options.signals}).
 *
 * @since 0.1.0
 * @module
 */

import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Runtime from "effect/Runtime"
import * as Scope from "effect/Scope"
import { setMaxListeners } from "node:events"
import { monotonicMillis } from "./internal/effect/clock.js"
import * as RealTime from "./internal/effect/realTime.js"
import * as Line from "./internal/log/line.js"
import { holdOutputs } from "./internal/log/outputs.js"
import { FinallyTimedOut } from "./internal/model/finallyTimedOut.js"
import type { Framework, Hook, Options, Server, Target } from "./internal/model/promise.js"
import { inOwnContext } from "./internal/node/asyncContext.js"
import { failuresOf, type LastTask } from "./internal/promise/lastTasks.js"
import { logging } from "./internal/promise/promiseLog.js"
import { finallyLimit, look, signalNames, validateHook } from "./internal/promise/promiseOptions.js"
import { adoptLater, sorted } from "./internal/promise/promiseTargets.js"
import { begins, isOver, settle } from "./internal/signals/processEnd.js"
import { listen } from "./internal/signals/signals.js"
import { ListenError } from "./Listener.js"
import { make, type ServerService } from "./Server.js"
import { InvalidPolicy, type Phase, type Report } from "./Shutdown.js"

export type { Framework, Hook, Options, Server, Target }

export {
  FinallyTimedOut,
  /**
   * A field has a value that it cannot have.
   *
   * @since 0.1.0
   * @category errors
   */
  InvalidPolicy,
  /**
   * What should be taken over is no Node server, or has been taken over before.
   *
   * @since 0.1.0
   * @category errors
   */
  ListenError
}
export type {
  /**
   * Where a server is in its life.
   *
   * @since 0.1.0
   * @category models
   */
  Phase,
  /**
   * What happened when a server stopped. Its durations are `Duration`s of Effect, which `Duration.toMillis` of
   * `"effect/Duration"` reads; the `cause` of a hook is an `Option` of Effect, whose `_tag` is `"Some"` where the hook
   * has failed:
   *
   * ```ts
   * import * as Duration from "effect/Duration"
   * import type { Report } from "quiesce/promise"
   *
   * const say = ({ duration, hooks }: Report) => {
   *   console.log(`stopped after ${Duration.toMillis(duration)} ms`)
   *   for (const { cause, name } of hooks) {
   *     if (cause._tag === "Some") console.error(`${name} failed: ${String(cause.value)}`)
   *   }
   * }
   * ```
   *
   * @since 0.1.0
   * @category models
   */
  Report
}

/**
 * Takes over Node servers that something else has made and listens with, or will; from now on they are drained, and
 * shut down together. Their own `close` begins the shutdown, too.
 *
 * Throws `InvalidPolicy`, which names the field, also one that there is not, and `ListenError` where a target is not a
 * Node server, or is one that has been taken over before. Then it has taken over none of them.
 *
 * **Example**
 *
 * ```ts
 * import { createServer } from "node:http"
 * import { quiesce } from "quiesce/promise"
 *
 * const nodeServer = createServer((_, response) => response.end("hello")).listen(3000)
 * const server = quiesce(nodeServer, { timeout: "20 seconds" })
 *
 * const stop = async () => {
 *   const { cut, outcome } = await server.shutdown()
 *   if (outcome === "DeadlineExceeded") console.error(`${cut.length} requests were cut`)
 * }
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const quiesce = (targets: Target | ReadonlyArray<Target>, options: Options = {}): Server => {
  look(options)
  const { finally: afterwards, finallyTimeout, logger, onShutdown, signals, ...policy } = options
  const { frameworks, nodeServers } = sorted(targets)
  const names = signalNames(signals)
  const limit = finallyLimit(finallyTimeout)

  const scope = Effect.runSync(Scope.make())
  const made = Effect.runSyncExit(
    Effect.gen(function*() {
      const server = yield* make(policy)
      for (const nodeServer of nodeServers) yield* server.adopt(nodeServer)
      return { server, runtime: yield* RealTime.runtime }
    }).pipe(Scope.extend(scope), Effect.provide(logging(logger)))
  )
  if (Exit.isFailure(made)) {
    Effect.runFork(Scope.close(scope, made))
    throw Cause.squash(made.cause)
  }
  const { runtime, server } = made.value
  const begin = (effect: Effect.Effect<unknown, unknown>) => void Runtime.runFork(runtime)(effect)
  const run = Runtime.runPromise(runtime)
  const sync = Runtime.runSync(runtime)

  for (const framework of frameworks) adoptLater(framework, (node) => begin(Scope.extend(server.adopt(node), scope)))

  const stopping = new AbortController()
  setMaxListeners(0, stopping.signal)
  let releaseOutputs = () => {}
  const beginsToStop = inOwnContext(() => {
    releaseOutputs = holdOutputs()
    begins(stopping)
    stopping.abort()
  })
  begin(Effect.zipRight(server.shuttingDown, Effect.sync(beginsToStop)))

  const clock = sync(Effect.clock)
  const listening = listen(names, {
    now: monotonicMillis(clock),
    run: begin,
    log: begin,
    servers: () => [server],
    begin: () => begin(server.shutdown),
    raised: settle
  })
  const warn = (message: string) => sync(Line.warning(message))
  // Node ends a process that has nothing left to do, and says nothing of promises that wait for nothing
  const unfinished = () => {
    process.exitCode ||= 1
    const message =
      "`finally` has not finished, and nothing is left that it could wait for: the process ends without it"
    sync(Line.error(message))
  }
  const closed = run(reportOf(server))
    .then(async (report) => {
      // it fails with what was cut, which the report says
      await run(Effect.exit(Scope.close(scope, Exit.void)))
      const failures = await failuresOf(frameworks.map(closing), limit, warn)
      process.once("beforeExit", unfinished)
      failures.push(...await failuresOf([{ name: "`finally`", run: () => afterwards?.(report) }], limit, warn))
      process.off("beforeExit", unfinished)
      if (listening.first() !== undefined && (failures.length > 0 || report.cut.length > 0)) process.exitCode ||= 1
      for (const failure of failures) {
        // a failure that cannot be printed must not hide the others
        await run(Line.error("Failed after the shutdown", {}, Cause.fail(failure)))
      }
      if (failures.length > 0) throw failures[0]
      return report
    })
    .finally(() => listening.stop())
  const over = () => {
    releaseOutputs()
    const signal = listening.first()
    isOver(stopping, signal === undefined ? undefined : { signal, warn, others: () => listening.others(), exits: true })
  }
  // whoever waits for it hears of a failure; the log says it to those who do not
  void closed.then(over, over)

  // nobody takes a hook back; a scope that has closed would wait for one that is registered after that
  const open = Effect.runSync(Scope.make())
  const register: Server["onShutdown"] = (name, hook, options) => {
    validateHook(name, hook, options)
    const exit = Runtime.runSyncExit(runtime)(Scope.extend(server.onShutdown(name, effectOf(hook), options), open))
    if (Exit.isFailure(exit)) throw Cause.squash(exit.cause)
  }
  if (onShutdown !== undefined) register("onShutdown", onShutdown)

  return {
    shutdown: () => {
      begin(server.shutdown)
      return closed
    },
    close: () => {
      begin(server.close)
      return closed
    },
    closed,
    signal: stopping.signal,
    phase: () => sync(server.phase.get),
    connections: () => sync(server.connections),
    onShutdown: register
  }
}

const effectOf = (hook: Hook): Effect.Effect<unknown, unknown> =>
  Effect.tryPromise({ try: async (signal) => hook(signal), catch: (error) => error })

const reportOf = (server: ServerService): Effect.Effect<Report> =>
  Effect.catchTag(server.closed, "DeadlineExceeded", ({ report }) => Effect.succeed(report))

const closing = (framework: Framework): LastTask => ({
  name: "`close` of the framework",
  run: () => framework.close()
})
