/**
 * What the signals of the operating system do to a program and its servers: the first one stops it gracefully, the
 * second one cuts what is open, and in both cases every finalizer runs.
 *
 * ```ts
 * import { HttpLayerRouter, HttpServerResponse } from "@effect/platform"
 * import { NodeRuntime } from "@effect/platform-node"
 * import { Layer } from "effect"
 * import { NodeHttpServer, Signals } from "quiesce"
 * import { createServer } from "node:http"
 *
 * HttpLayerRouter.serve(HttpLayerRouter.add("GET", "/", HttpServerResponse.text("hello"))).pipe(
 *   Layer.provide(NodeHttpServer.layer(() => createServer(), { port: 3000 })),
 *   Layer.launch,
 *   Signals.handle(),
 *   NodeRuntime.runMain({ teardown: Signals.teardown })
 * )
 * ```
 *
 * Put it around the whole program, the last thing before `runMain`: it listens from the program's first step to the
 * end of its last finalizer, and leaves nothing behind. Every server that is made in the program is its own to stop.
 * It does the same for `Server.launch`, and for a program that is run by `Effect.runFork` alone.
 *
 * | signal | what it does |
 * | --- | --- |
 * | the first | interrupts the program, as `runMain` does: servers drain, then the rest is released. Where the program is a `Server.launch`, it shuts that server down, and the program goes on with the report |
 * | the next | during a lame duck: ends that, and draining starts |
 * | the next | closes every server now, as `ServerService.close` does: handlers are interrupted and clients cut. Finalizers still run. When no server is open, it only interrupts what the program may still do, and is passed on to the workers of `Handoff.launchWorkers` |
 * | the next | ends the process, as a signal does that nobody listens for: for a finalizer that hangs |
 *
 * | how the program ended | exit code |
 * | --- | --- |
 * | clean drain, a lame duck that was ended early, stopped before it listened | 0, or with {@link teardown} what the program has set as `process.exitCode` |
 * | requests were cut at the deadline, or background work was lost | 1 |
 * | failed to start: the port is in use, the policy is invalid, … | 1 |
 * | a further signal closed a server | 128 + the number of that signal with {@link teardown} (SIGINT 130, SIGQUIT 131, SIGTERM 143), otherwise 1 |
 * | a signal after that | ended by the signal: 128 + its number to a shell |
 *
 * **Gotchas**
 *
 * - Another signal within half a second of one that counted does not count: npm sends its child two SIGINTs for each
 *   Ctrl-C, GNU `timeout` may send two SIGTERMs, and `concurrently -k` sends SIGINT, then SIGTERM. Where the event loop is
 *   busy, or the process was stopped, signals are read late: then it is up to 5 seconds.
 * - Nor does one that the process sends to itself after the first: NestJS, Apollo Server and many recipes do so when they
 *   have tidied up.
 * - Other listeners for the signal are named in the log when it comes. With {@link teardown} they decide when the process
 *   ends: the log says again and again what keeps it alive. One that sends the signal again is done, and when all have
 *   done so, the process is ended. Stock `runMain` ends it when the program is over, whatever they still do.
 * - In a worker thread no signal arrives: there, {@link handle} fails.
 * - `runMain` listens for SIGINT and SIGTERM too, once, and interrupts the program; that is the same stop as the first
 *   signal's. SIGQUIT and others it does not know: without this module they end the process at once.
 * - `Server.launch` is told of a signal only where it is the program's own step, not where it was forked, raced or put
 *   in an `Effect.all` with concurrency: there the first signal interrupts all, so that nothing goes on beside it.
 *   Under `runMain` the exit code is the same; to have the report there, take it from `closed` in a finalizer.
 * - Stock `runMain` logs nothing of a program that a signal has interrupted. What a finalizer fails with after the drain is
 *   in the log with {@link handle} or {@link teardown}; with neither, a line says that something may have failed.
 * - A shutdown that something else started is not a first signal: the first one that comes then joins it.
 * - A server that is made outside of the program, by a `ManagedRuntime` say, is not known to it: signals reach it only
 *   through its scope.
 * - Signals that come while modules are being loaded come before this, and do what they always did.
 *
 * @since 0.1.0
 * @module
 */

import type * as Runtime from "@effect/platform/Runtime"
import * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as EffectRuntime from "effect/Runtime"
import { defects, failuresAsDefects } from "./internal/effect/causes.js"
import { monotonicMillis } from "./internal/effect/clock.js"
import { inheritFiberRefs, unsafeInterrupt } from "./internal/effect/fibers.js"
import * as RealTime from "./internal/effect/realTime.js"
import { interruptedIsClean, withExitCode } from "./internal/effect/teardown.js"
import * as Line from "./internal/log/line.js"
import { checkNames } from "./internal/policy/optionNames.js"
import { sayWhatRuns } from "./internal/signals/finalizing.js"
import { logFailures, programEnded } from "./internal/signals/lateFailures.js"
import { isUnderRunMain } from "./internal/signals/otherListeners.js"
import { begins, endWith, goesOn, isOver, settle } from "./internal/signals/processEnd.js"
import { Program, ProgramService } from "./internal/signals/program.js"
import { exitCodeOf, invalid, isKnown, listen } from "./internal/signals/signals.js"
import type { InvalidPolicy } from "./Shutdown.js"

/**
 * Which signals are handled.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** Default: {@link defaultSignals}. */
  readonly signals?: ReadonlyArray<NodeJS.Signals> | undefined
}

/**
 * The signals that stop a server: SIGTERM (supervisors), SIGINT (Ctrl-C) and SIGQUIT (Ctrl-\\; nginx's and php-fpm's
 * graceful stop), those of them that the system has.
 *
 * **Example**
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Signals } from "quiesce"
 *
 * // a terminal that is closed stops the program, too
 * const program = Effect.never.pipe(Signals.handle({ signals: [...Signals.defaultSignals, "SIGHUP"] }))
 * ```
 *
 * @since 0.1.0
 * @category constants
 */
export const defaultSignals: ReadonlyArray<NodeJS.Signals> = (["SIGTERM", "SIGINT", "SIGQUIT"] as const).filter(isKnown)

/**
 * A further signal closed a server that was still open. The program dies with it once its finalizers have run; it is
 * a defect, since an interrupted fiber keeps no other errors.
 *
 * **Example**
 *
 * ```ts
 * import { Cause, Console, Effect, Option } from "effect"
 * import { Signals } from "quiesce"
 *
 * const program = Effect.never.pipe(
 *   Signals.handle(),
 *   Effect.tapErrorCause((cause) =>
 *     Cause.squash(cause) instanceof Signals.Forced ? Console.error("stopped in a hurry") : Effect.void
 *   )
 * )
 * ```
 *
 * @since 0.1.0
 * @category errors
 */
export class Forced extends Data.TaggedError("Forced")<{ readonly signal: NodeJS.Signals }> {
  override get message(): string {
    return `Another ${this.signal} came before the server had shut down, which closed it at once`
  }
  /** What a shell says of a process that this signal has ended: 128 and the signal's number. */
  get exitCode(): number {
    return exitCodeOf(this.signal)
  }
}

const optionNames = Object.keys({ signals: true } satisfies { readonly [K in keyof Options]-?: true })

/**
 * Handles signals for as long as a program runs; see the head of this module for what each of them does. Fails with
 * `InvalidPolicy`, before the program starts, where a signal is none that a process can listen for, and in a worker
 * thread.
 *
 * **Example**
 *
 * ```ts
 * import { HttpServer, HttpServerResponse } from "@effect/platform"
 * import { NodeRuntime } from "@effect/platform-node"
 * import { Effect, Layer } from "effect"
 * import { NodeHttpServer, Server, Signals } from "quiesce"
 * import { createServer } from "node:http"
 *
 * HttpServer.serve(Effect.succeed(HttpServerResponse.text("hello"))).pipe(
 *   Layer.provideMerge(NodeHttpServer.layer(() => createServer(), { port: 3000 })),
 *   Server.launch,
 *   Effect.tap((report) => Effect.log(`${report.outcome}, after a signal too`)),
 *   Signals.handle({ signals: ["SIGTERM"] }),
 *   NodeRuntime.runMain({ teardown: Signals.teardown })
 * )
 * ```
 *
 * @since 0.1.0
 * @category execution
 */
export const handle =
  (options: Options = {}) => <A, E, R>(program: Effect.Effect<A, E, R>): Effect.Effect<A, E | InvalidPolicy, R> =>
    Effect.uninterruptibleMask((restore) =>
      Effect.gen(function*() {
        yield* checkNames("options", options, optionNames)
        const signals = options.signals === undefined ? defaultSignals : options.signals
        const problem = invalid(signals, `a list of signals that a process can listen for, such as ["SIGTERM"]`)
        if (problem !== undefined) return yield* problem

        goesOn()
        const fiber = yield* Effect.withFiberRuntime<Fiber.RuntimeFiber<unknown, unknown>>(Effect.succeed)
        const clock = yield* Effect.clock
        const runtime = yield* RealTime.runtime
        const around = new ProgramService((effect) => void EffectRuntime.runFork(runtime)(Effect.interruptible(effect)))
        const warn = (message: string) => around.log(Line.warning(message))
        const main = yield* Effect.forkDaemon(Effect.provideService(restore(program), Program, around))
        around.main = main
        const interrupt = () => unsafeInterrupt(main)

        let isClean = false
        if (isUnderRunMain()) interruptedIsClean(() => isClean)
        let launchEnds = false
        let forcedBy: NodeJS.Signals | undefined
        let runner: typeof fiber | undefined
        let finalizing: { readonly stop: () => void } | undefined
        const listening = listen(signals, {
          now: monotonicMillis(clock),
          run: (effect) => around.run(effect),
          log: (line) => around.log(line),
          servers: () => around.servers.keys(),
          begin: () => {
            begins(main)
            if (isUnderRunMain()) runner = fiber
            finalizing = sayWhatRuns(() => around.servers.size > 0 || (around.workers?.pids ?? []).length > 0, warn)
            if (around.launched === undefined) return interrupt()
            launchEnds = true
            around.run(Effect.ignore(around.launched.shutdown))
          },
          forced: (signal) => {
            forcedBy = signal
          },
          nothingOpen: interrupt,
          raised: settle,
          forwardSignal: (signal) => around.workers?.forwardSignal(signal) ?? []
        })

        let interrupted = false
        const ended = yield* restore(Fiber.await(main)).pipe(
          Effect.catchAllCause(() => {
            interrupted = true
            // by `runMain`, for the signal that the program is ending for already; else by its caller
            if (!launchEnds) interrupt()
            return Fiber.await(main)
          }),
          Effect.ensuring(Effect.sync(() => {
            const signal = listening.first()
            finalizing?.stop()
            listening.stop()
            if (signal === undefined) return
            const others = () => ({ ...listening.others(), runMain: false })
            isOver(main, { signal, others, warn, exits: false, fiber: runner })
          }))
        )
        isClean = forcedBy === undefined && (Exit.isSuccess(ended) || Cause.isInterruptedOnly(ended.cause))
        if (Exit.isSuccess(ended)) yield* inheritFiberRefs(main)
        if (forcedBy !== undefined) {
          const forced = Cause.die(new Forced({ signal: forcedBy }))
          return yield* Effect.failCause(Exit.isSuccess(ended) ? forced : Cause.sequential(forced, ended.cause))
        }
        if (!interrupted) return yield* ended
        // what an interrupted fiber has failed with is dropped, and the exit code with it
        const raised = failuresAsDefects(ended)
        // `runMain` logs nothing of a program that was interrupted
        if (Exit.isFailure(raised)) logFailures(raised.cause, (line) => around.log(line))
        return yield* raised
      })
    )

/**
 * Tells what a program has ended of by its exit code: see the table at the head of this module. After a signal, it lets
 * the process end when nobody else uses it: others who handle that signal, and servers of `quiesce/promise` that still
 * drain, are waited for; what has been written to stdout and stderr goes out first; and a second later, what still keeps
 * the process alive is named in the log, and ended with it. Everything else is as `runMain` does it without.
 *
 * **Example**
 *
 * ```ts
 * import { NodeRuntime } from "@effect/platform-node"
 * import { Effect } from "effect"
 * import { Signals } from "quiesce"
 *
 * Effect.never.pipe(Signals.handle(), NodeRuntime.runMain({ teardown: Signals.teardown }))
 * ```
 *
 * @since 0.1.0
 * @category execution
 */
export const teardown: Runtime.Teardown = (exit, onExit) => {
  const forced = Exit.isFailure(exit)
    ? defects(exit.cause).find((defect) => defect instanceof Forced)
    : undefined
  const ends = (code: number) => endWith(exit, code, onExit)
  programEnded(exit)
  if (forced === undefined) withExitCode(exit, ends)
  else ends(forced.exitCode)
}
