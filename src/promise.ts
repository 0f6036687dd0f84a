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
 * - {@link kubernetes}, {@link docker} and {@link systemd} are policies that fit the kill timeouts of these:
 *   `quiesce(server, { ...kubernetes(), signals: true })`.
 *
 * @since 0.1.0
 * @module
 */

import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import type { AdminStatus } from "./internal/model/adminStatus.js"
import { FinallyTimedOut } from "./internal/model/finallyTimedOut.js"
import type { Successor } from "./internal/model/handoff.js"
import { HandoffFailed } from "./internal/model/handoffFailed.js"
import type { Answer, CheckOptions, CheckResult, Probe } from "./internal/model/health.js"
import { ListenError } from "./internal/model/listener.js"
import type { PlainReport } from "./internal/model/plainReport.js"
import type { Framework, Hook, PlainHandler, Reason, Server, Target, Worker } from "./internal/model/promise.js"
import type {
  AdminOptions,
  AgentCheckOptions,
  HandoffOptions,
  Options,
  PlainWorkersOptions
} from "./internal/model/promiseOptions.js"
import type { PlainService } from "./internal/model/server.js"
import * as Background from "./internal/promise/background.js"
import { ending } from "./internal/promise/ending.js"
import * as HandingOver from "./internal/promise/handingOver.js"
import * as HealthAndMetrics from "./internal/promise/healthAndMetrics.js"
import * as PlainServer from "./internal/promise/plainServer.js"
import * as Workers from "./internal/promise/plainWorkers.js"
import { settingsOf } from "./internal/promise/promiseOptions.js"
import { Reasons } from "./internal/promise/reasons.js"
import { stopping } from "./internal/promise/stopping.js"
import * as Supervisor from "./internal/supervisor/pm2.js"
import * as Systemd from "./internal/systemd/service.js"
import { plainReport } from "./internal/telemetry/plainReport.js"
import { InvalidPolicy, type Phase, type Report, ServerClosed } from "./Shutdown.js"

export type {
  AdminOptions,
  AdminStatus,
  AgentCheckOptions,
  Answer,
  CheckOptions,
  CheckResult,
  Framework,
  HandoffOptions,
  Hook,
  Options,
  PlainHandler,
  PlainReport,
  PlainWorkersOptions,
  Probe,
  Reason,
  Server,
  Successor,
  Target,
  Worker
}

export { development, docker, kubernetes, systemd } from "./internal/policy/presets.js"

export {
  FinallyTimedOut,
  /**
   * The listening sockets were not handed over, and this process serves on.
   *
   * @since 0.3.0
   * @category errors
   */
  HandoffFailed,
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
  ListenError,
  /**
   * The server awaits nothing any more: background work comes too late.
   *
   * @since 0.3.0
   * @category errors
   */
  ServerClosed
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
   * What happened when a server stopped. Its durations and causes are those of Effect; {@link plain} makes numbers
   * and errors of them.
   *
   * @since 0.1.0
   * @category models
   */
  Report
}

/**
 * A report without types of Effect: durations are milliseconds, and what failed has its `error`.
 *
 * **Example**
 *
 * ```ts
 * import { createServer } from "node:http"
 * import { plain, quiesce } from "quiesce/promise"
 *
 * quiesce(createServer().listen(3000), {
 *   finally: (report, { signal }) => {
 *     const { durationMillis, hooks } = plain(report)
 *     console.log(`stopped by ${signal ?? "itself"} in ${durationMillis} ms`)
 *     for (const { error, name } of hooks) if (error !== undefined) console.error(`${name} failed`, error)
 *   }
 * })
 * ```
 *
 * @since 0.3.0
 * @category conversions
 */
export const plain = (report: Report): PlainReport => plainReport(report)

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
  const settings = settingsOf(targets, options)
  const running = PlainServer.make(settings)
  const { begin, health, register, run, server, sync, view } = running
  const onShutdown = PlainServer.hooksOf(running)

  // they answer until `finally` is done, and are drained by nobody
  const asides = settings.handoff && HandingOver.asidesOf(PlainServer.apart(running))
  const { admin, agentCheck } = settings
  const asked = HealthAndMetrics.make({
    listen: asides?.listen,
    admin,
    agentCheck,
    health,
    view,
    register,
    run,
    server
  })
  const background = Background.make(view.background)
  const reasons = new Reasons(running, settings)
  const { over, signal } = stopping(running, () => reasons.begins(), background.stop)
  const handing = HandingOver.start(running, settings, asides, () => reasons.handedOver())
  const closed = ending(running, settings, reasons)
  const isOver = () => {
    over()
    asked.stop()
    if (asides !== undefined) begin(asides.close)
    reasons.isOver()
  }
  // whoever waits for it hears of a failure; the log says it to those who do not
  void closed.then(isOver, isOver)
  if (settings.onShutdown !== undefined) onShutdown("onShutdown", settings.onShutdown)

  let told: Promise<void> | undefined
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
    signal,
    phase: () => sync(server.phase.get),
    connections: () => sync(server.connections),
    onShutdown,
    track: background.track,
    worker: background.worker,
    ready: () => told ??= run(Effect.asVoid(Scope.extend(supervised(server), running.scope))),
    check: asked.check,
    probe: asked.probe,
    health: asked.health,
    metrics: asked.metrics,
    admin: asked.admin,
    agentCheck: asked.agentCheck,
    listening: handing.listening,
    upgrade: handing.upgrade
  }
}

/**
 * Runs workers of `node:cluster` in its primary, until SIGTERM or SIGINT, which stops them and waits for their ends. SIGUSR2
 * or SIGHUP replaces them one by one: a new one starts, and when it listens, an old one drains and ends. Each worker calls
 * {@link quiesce} with `handoff`. One that ends by itself is replaced. Resolves when all have ended after a signal; rejects
 * with `HandoffFailed` where one of the first does not become ready, or one has cut requests or was killed, and with
 * `InvalidPolicy` for bad options. See `Handoff.launchWorkers`.
 *
 * **Example**
 *
 * ```ts
 * import cluster from "node:cluster"
 * import { createServer } from "node:http"
 * import { launchWorkers, quiesce } from "quiesce/promise"
 *
 * if (cluster.isPrimary) void launchWorkers({ workers: 4 })
 * else {
 *   quiesce(createServer((_, response) => response.end(`hello from ${process.pid}`)), {
 *     handoff: { listen: { port: 3000 } }
 *   })
 * }
 * ```
 *
 * @since 0.3.0
 * @category execution
 */
export const launchWorkers = (options: PlainWorkersOptions): Promise<void> => Workers.launch(options)

/** Tells the supervisors that there are, from now on and until the end. */
const supervised = (server: PlainService): Effect.Effect<unknown, never, Scope.Scope> =>
  Effect.orDie(Layer.build(Supervisor.pm2(server, Systemd.service(server, {}, Layer.empty))))
