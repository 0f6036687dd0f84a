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

import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Runtime from "effect/Runtime"
import * as Scope from "effect/Scope"
import { setMaxListeners } from "node:events"
import * as RealTime from "./internal/effect/realTime.js"
import * as Health from "./internal/health/health.js"
import * as Line from "./internal/log/line.js"
import { holdOutputs } from "./internal/log/outputs.js"
import type { AdminStatus } from "./internal/model/adminStatus.js"
import { FinallyTimedOut } from "./internal/model/finallyTimedOut.js"
import type { Successor } from "./internal/model/handoff.js"
import { HandoffFailed } from "./internal/model/handoffFailed.js"
import type { Answer, CheckOptions, CheckResult, Probe } from "./internal/model/health.js"
import type { PlainReport } from "./internal/model/plainReport.js"
import type {
  AdminOptions,
  AgentCheckOptions,
  Framework,
  HandoffOptions,
  Hook,
  Options,
  PlainHandler,
  PlainWorkersOptions,
  Reason,
  Server,
  Target,
  Worker
} from "./internal/model/promise.js"
import { isLost } from "./internal/model/report.js"
import { Server as ServerTag } from "./internal/model/server.js"
import { inOwnContext } from "./internal/node/asyncContext.js"
import { adminOptions } from "./internal/promise/adminListener.js"
import { agentCheckOptions } from "./internal/promise/agentCheckListener.js"
import * as Background from "./internal/promise/background.js"
import * as HandingOver from "./internal/promise/handingOver.js"
import { asidesOf, handoffOptions } from "./internal/promise/handingOver.js"
import * as HealthAndMetrics from "./internal/promise/healthAndMetrics.js"
import { failuresOf, type LastTask } from "./internal/promise/lastTasks.js"
import * as Workers from "./internal/promise/plainWorkers.js"
import { logging } from "./internal/promise/promiseLog.js"
import { finallyLimit, look, signalNames, validateHook } from "./internal/promise/promiseOptions.js"
import { adoptLater, sorted } from "./internal/promise/promiseTargets.js"
import * as Uncaught from "./internal/promise/uncaught.js"
import * as internal from "./internal/server/make.js"
import { begins, isOver, settle } from "./internal/signals/processEnd.js"
import { Program, ProgramService } from "./internal/signals/program.js"
import { exitCodeOf, listen } from "./internal/signals/signals.js"
import { plainReport } from "./internal/telemetry/plainReport.js"
import { viewOf } from "./internal/telemetry/telemetry.js"
import { ListenError } from "./Listener.js"
import { make, type ServerService } from "./Server.js"
import { InvalidPolicy, type Phase, type Report, ServerClosed } from "./Shutdown.js"
import * as Supervisor from "./Supervisor.js"
import * as Systemd from "./Systemd.js"

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
  look(options)
  const {
    admin,
    agentCheck,
    finally: afterwards,
    finallyTimeout,
    handoff,
    logger,
    onShutdown,
    signals,
    uncaught: takesUncaught,
    ...policy
  } = options
  const { frameworks, nodeServers } = sorted(targets)
  const wanted = handoffOptions(handoff, nodeServers.length)
  const names = signalNames(signals === undefined ? wanted !== undefined : signals)
  const limit = finallyLimit(finallyTimeout)
  const adminOf = adminOptions(admin)
  const agentCheckOf = agentCheckOptions(agentCheck)

  const scope = Effect.runSync(Scope.make())
  const program = wanted && new ProgramService((effect) => begin(effect))
  const made = Effect.runSyncExit(
    Effect.gen(function*() {
      const server = yield* Effect.provideService(make(policy), Program, program)
      if (wanted === undefined) { for (const nodeServer of nodeServers) yield* server.adopt(nodeServer) }
      const health = yield* Effect.provideService(Health.make, ServerTag, server)
      return { health, server, runtime: yield* RealTime.runtime }
    }).pipe(Scope.extend(scope), Effect.provide(logging(logger)))
  )
  if (Exit.isFailure(made)) {
    Effect.runFork(Scope.close(scope, made))
    throw Cause.squash(made.cause)
  }
  const { health, runtime, server } = made.value
  const begin = (effect: Effect.Effect<unknown, unknown>) => void Runtime.runFork(runtime)(effect)
  const run = Runtime.runPromise(runtime)
  const sync = Runtime.runSync(runtime)

  for (const framework of frameworks) adoptLater(framework, (node) => begin(Scope.extend(server.adopt(node), scope)))

  const view = viewOf(server)
  if (view === undefined) throw new Error("a server of `make` that cannot be watched")
  // nobody takes a hook or a health check back: probes are answered until `finally` is done, and a scope that has closed
  // would wait for a hook that is registered after that
  const open = Effect.runSync(Scope.make())
  // they answer until `finally` is done, and are drained by nobody
  const asides = wanted && asidesOf(sync(Scope.extend(apart, Effect.runSync(Scope.make()))))
  const asked = HealthAndMetrics.make({
    listen: asides?.listen,
    admin: adminOf,
    agentCheck: agentCheckOf,
    health,
    view,
    register: (check) => throwing(Runtime.runSyncExit(runtime)(Scope.extend(check, open))),
    run,
    server
  })
  const stopping = new AbortController()
  setMaxListeners(0, stopping.signal)
  const background = Background.make(view.background)
  let releaseOutputs = () => {}
  const beginsToStop = inOwnContext(() => {
    releaseOutputs = holdOutputs()
    begins(stopping)
    stopping.abort()
    background.stop()
  })
  begin(Effect.zipRight(server.shuttingDown, Effect.sync(beginsToStop)))

  let forcedBy: NodeJS.Signals | undefined
  const listening = listen(names, {
    run: begin,
    log: begin,
    servers: () => [server],
    begin: () => begin(server.shutdown),
    forced: (signal) => {
      forcedBy = signal
    },
    raised: settle
  })
  const uncaught = takesUncaught === true
    ? Uncaught.listen((error, origin, isFirst) => {
      const what = origin === "unhandledRejection"
        ? "A rejection that nobody handles"
        : "An exception that nobody has caught"
      const then = isFirst ? "shutting down" : "the shutdown goes on"
      sync(Line.error(`${what}: ${then}`, { event: "Uncaught", origin }, Cause.die(error)))
      begin(server.shutdown)
    })
    : Uncaught.ignore
  const handing = wanted && program && asides
    && HandingOver.start({ ...wanted, asides, nodeServers, program, runtime, scope, server })
  const hasHandedOver = () => handing?.hasHandedOver() === true
  const reason = (): Reason => ({
    signal: listening.first(),
    ...uncaught.first(),
    ...(hasHandedOver() ? { handedOver: true } : undefined)
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
      failures.push(
        ...await failuresOf([{ name: "`finally`", run: () => afterwards?.(report, reason()) }], limit, warn)
      )
      process.off("beforeExit", unfinished)
      if (forcedBy !== undefined) process.exitCode ||= exitCodeOf(forcedBy)
      if (
        (listening.first() !== undefined || hasHandedOver()) &&
        (failures.length > 0 || report.cut.length > 0 || report.background.some(isLost))
      ) process.exitCode ||= 1
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
    uncaught.stop()
    asked.stop()
    if (asides !== undefined) begin(asides.close)
    const signal = listening.first()
    const isAsked = signal !== undefined || uncaught.first() !== undefined || hasHandedOver()
    isOver(stopping, isAsked ? { signal, warn, others: () => listening.others(), exits: true } : undefined)
  }
  // whoever waits for it hears of a failure; the log says it to those who do not
  void closed.then(over, over)

  const register: Server["onShutdown"] = (name, hook, options) => {
    validateHook(name, hook, options)
    throwing(Runtime.runSyncExit(runtime)(Scope.extend(server.onShutdown(name, effectOf(hook), options), open)))
  }
  if (onShutdown !== undefined) register("onShutdown", onShutdown)

  let told: Promise<void> | undefined
  const ready = () => told ??= run(Effect.asVoid(Scope.extend(supervised(server), scope)))

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
    onShutdown: register,
    track: background.track,
    worker: background.worker,
    ready,
    check: asked.check,
    probe: asked.probe,
    health: asked.health,
    metrics: asked.metrics,
    admin: asked.admin,
    agentCheck: asked.agentCheck,
    listening: handing?.listening,
    upgrade: handing?.upgrade ?? (() => Promise.reject(withoutHandoff))
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

/** A server of its own, of which no log tells. */
const apart: Effect.Effect<ServerService, never, Scope.Scope> = internal.make(
  { timeout: Duration.infinity, killTimeout: 0, newConnectionGrace: 0, idleGrace: 0 },
  { quiet: true, app: () => Effect.succeed(undefined) }
).pipe(Effect.orDie, Effect.withTracerEnabled(false), Effect.map(({ service }) => service))

const withoutHandoff = new HandoffFailed({
  reason: "NotServing",
  explanation: "The server has no `handoff`: pass quiesce where it listens, { handoff: { listen: { port: 3000 } } }"
})

const effectOf = (hook: Hook): Effect.Effect<unknown, unknown> =>
  Effect.tryPromise({ try: async (signal) => hook(signal), catch: (error) => error })

/** Tells the supervisors that there are, from now on and until the end. */
const supervised = (server: ServerService): Effect.Effect<unknown, never, Scope.Scope> =>
  Supervisor.pm2(Systemd.service()(Layer.empty)).pipe(
    Layer.provide(Layer.succeed(ServerTag, server)),
    Layer.build,
    Effect.orDie
  )

const throwing = (exit: Exit.Exit<unknown, unknown>): void => {
  if (Exit.isFailure(exit)) throw Cause.squash(exit.cause)
}

const reportOf = (server: ServerService): Effect.Effect<Report> =>
  Effect.catchTag(server.closed, "DeadlineExceeded", ({ report }) => Effect.succeed(report))

const closing = (framework: Framework): LastTask => ({
  name: "`close` of the framework",
  run: () => framework.close()
})
