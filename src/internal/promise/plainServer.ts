/**
 * The server of a program without Effect, and how what it does is run.
 */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Runtime from "effect/Runtime"
import * as Scope from "effect/Scope"
import * as RealTime from "../effect/realTime.js"
import * as Health from "../health/health.js"
import * as Line from "../log/line.js"
import type { HealthService } from "../model/health.js"
import type { Hook, Server as PlainServer } from "../model/promise.js"
import type { Report } from "../model/report.js"
import type { PlainService } from "../model/server.js"
import * as internal from "../server/make.js"
import { Program, ProgramService } from "../signals/program.js"
import { viewOf, type WatchedServer } from "../telemetry/telemetry.js"
import { logging } from "./promiseLog.js"
import { type Settings, validateHook } from "./promiseOptions.js"
import { adoptLater } from "./promiseTargets.js"

const noApp = () => Effect.succeed(undefined)

export interface RunningServer {
  readonly server: PlainService
  readonly health: HealthService
  readonly view: WatchedServer
  readonly runtime: Runtime.Runtime<never>
  /** That of the server: its end is the drain. */
  readonly scope: Scope.CloseableScope
  /** What hands over; none where nothing does. */
  readonly program: ProgramService | undefined
  readonly begin: (effect: Effect.Effect<unknown, unknown>) => void
  readonly run: <A>(effect: Effect.Effect<A, unknown>) => Promise<A>
  readonly sync: <A>(effect: Effect.Effect<A, unknown>) => A
  readonly warn: (message: string) => void
  /** Nobody takes it back. Throws what it fails with. */
  readonly register: (registration: Effect.Effect<unknown, unknown, Scope.Scope>) => void
}

/** Throws what it fails with, and has taken over nothing then. */
export const make = ({ logger, policy, targets: { frameworks, nodeServers }, handoff }: Settings): RunningServer => {
  const scope = Effect.runSync(Scope.make())
  const program = handoff && new ProgramService((effect) => begin(effect))
  const made = Effect.runSyncExit(
    Effect.gen(function*() {
      const { service: server } = yield* Effect.provideService(
        internal.make(policy, { quiet: false, app: noApp }),
        Program,
        program
      )
      if (handoff === undefined) { for (const nodeServer of nodeServers) yield* server.adopt(nodeServer) }
      const health = yield* Health.make(server)
      return { health, server, runtime: yield* RealTime.runtime }
    }).pipe(Scope.extend(scope), Effect.provide(logging(logger)))
  )
  if (Exit.isFailure(made)) {
    Effect.runFork(Scope.close(scope, made))
    throw Cause.squash(made.cause)
  }
  const { health, runtime, server } = made.value
  const begin = (effect: Effect.Effect<unknown, unknown>) => void Runtime.runFork(runtime)(effect)
  const sync = Runtime.runSync(runtime)
  for (const framework of frameworks) adoptLater(framework, (node) => begin(Scope.extend(server.adopt(node), scope)))
  const view = viewOf(server)
  if (view === undefined) throw new Error("a server of `make` that cannot be watched")
  // probes are answered until `finally` is done, and a scope that has closed would wait for a hook that comes after that
  const open = Effect.runSync(Scope.make())
  return {
    server,
    health,
    view,
    runtime,
    scope,
    program,
    begin,
    run: Runtime.runPromise(runtime),
    sync,
    warn: (message) => sync(Line.warning(message)),
    register: (registration) => {
      const exit = Runtime.runSyncExit(runtime)(Scope.extend(registration, open))
      if (Exit.isFailure(exit)) throw Cause.squash(exit.cause)
    }
  }
}

export const hooksOf = ({ register, server }: RunningServer): PlainServer["onShutdown"] => (name, hook, options) => {
  validateHook(name, hook, options)
  register(server.onShutdown(name, effectOf(hook), options))
}

const effectOf = (hook: Hook): Effect.Effect<unknown, unknown> =>
  Effect.tryPromise({ try: async (signal) => hook(signal), catch: (error) => error })

/** What came of the drain, also where it has cut something. */
export const reportOf = (server: PlainService): Effect.Effect<Report> =>
  Effect.catchTag(server.closed, "DeadlineExceeded", ({ report }) => Effect.succeed(report))

/** A server of its own, of which no log tells, and which nobody drains. */
export const apart = ({ sync }: RunningServer): PlainService =>
  sync(Scope.extend(
    internal.make(
      { timeout: Duration.infinity, killTimeout: 0, newConnectionGrace: 0, idleGrace: 0 },
      { quiet: true, app: noApp }
    ).pipe(Effect.orDie, Effect.withTracerEnabled(false), Effect.map(({ service }) => service)),
    Effect.runSync(Scope.make())
  ))
