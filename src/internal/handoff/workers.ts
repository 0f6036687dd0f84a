/**
 * The primary of `node:cluster`: what starts, replaces and ends its workers.
 */
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Runtime from "effect/Runtime"
import { monotonicMillis } from "../effect/clock.js"
import { yieldNow } from "../effect/fibers.js"
import { hasHeardSignal } from "../effect/heardSignal.js"
import * as RealTime from "../effect/realTime.js"
import * as Line from "../log/line.js"
import { InvalidPolicy } from "../model/errors.js"
import type { WorkersOptions } from "../model/handoff.js"
import type { HandoffFailed } from "../model/handoffFailed.js"
import { checkNames } from "../policy/optionNames.js"
import { duration } from "../policy/policy.js"
import { DuplicateWindow } from "../signals/duplicates.js"
import { Program, type ProgramWorkers } from "../signals/program.js"
import { listen as listenForStops, type Listening } from "../signals/signals.js"
import { chosen, listen } from "./handoffSignals.js"
import { WorkerPool } from "./workerPool.js"

export const optionNames = Object.keys(
  { killAfter: true, signals: true, timeout: true, workers: true } satisfies {
    readonly [K in keyof WorkersOptions]-?: true
  }
)

export const launchWorkers = (options: WorkersOptions): Effect.Effect<never, HandoffFailed | InvalidPolicy> =>
  Effect.gen(function*() {
    yield* checkNames("options", options, optionNames)
    const signals = yield* chosen(options.signals)
    const timeout = yield* duration("timeout", options.timeout ?? "1 minute")
    if (!(Number.isSafeInteger(options.workers) && options.workers > 0)) {
      return yield* new InvalidPolicy({ field: "workers", value: options.workers, expected: "a whole number from 1" })
    }
    const killAfter = yield* duration("killAfter", options.killAfter ?? "30 seconds", { infinite: true })
    const runtime = yield* RealTime.runtime
    const run = (effect: Effect.Effect<void>): Fiber.RuntimeFiber<void> =>
      Runtime.runFork(runtime)(Effect.interruptible(effect))
    const scope = yield* Effect.scope
    const pool = new WorkerPool({ size: options.workers, timeout, killAfter }, scope, run)
    let state: "Starting" | "Serving" | "Ending" = "Starting"
    let rolling: Fiber.RuntimeFiber<void> | undefined
    let again: NodeJS.Signals | undefined
    const duplicates = new DuplicateWindow()
    const replace = (signal: NodeJS.Signals): void => {
      rolling = run(
        yieldNow.pipe(
          Effect.zipRight(Line.info(`${signal}: replacing the workers one by one`)),
          Effect.zipRight(pool.replaceAll),
          Effect.ensuring(Effect.sync(() => {
            rolling = undefined
            const next = again
            again = undefined
            if (next !== undefined && state === "Serving") replace(next)
          }))
        )
      )
    }
    yield* listen(signals, (signal) => {
      if (state !== "Serving") {
        const why = state === "Starting" ? "have not started yet" : "shut down"
        return void run(Line.error(`${signal}: not replaced, the workers ${why}`))
      }
      if (rolling !== undefined && duplicates.isOpen) return
      duplicates.open()
      if (rolling === undefined) return replace(signal)
      // some may have been replaced by what is out of date by now
      if (again === undefined) run(Line.info(`${signal}: the workers are replaced once more after this`))
      again = signal
    })
    const begin = yield* listenForFurther(pool)
    const ending = (exit: Exit.Exit<unknown, unknown>) =>
      Effect.sync(() => {
        state = "Ending"
        begin(exit)
      })
    yield* Effect.addFinalizer((exit) => Effect.zipRight(ending(exit), pool.stopAll))
    yield* pool.start
    yield* Effect.forkIn(Effect.interruptible(pool.refillForever), scope)
    yield* Effect.addFinalizer((exit) =>
      Effect.zipRight(
        ending(exit),
        Effect.suspend(() => rolling === undefined ? Effect.void : Fiber.interrupt(rolling))
      )
    )
    state = "Serving"
    yield* Line.info(`${options.workers} workers serve`)
    return yield* Effect.never
  }).pipe(Effect.scoped, Effect.annotateLogs({ pid: process.pid, role: "primary" }))

/** Those that `runMain` knows. */
const stopSignals = ["SIGTERM", "SIGINT"] as const

/**
 * A further signal is passed on to the workers, and one more ends this process. Gives what is to be called when the
 * shutdown begins: until then the signals are somebody else's.
 */
const listenForFurther = (workers: ProgramWorkers) =>
  Effect.gen(function*() {
    const program = yield* Program
    const clock = yield* Effect.clock
    const runtime = yield* RealTime.runtime
    const run = (effect: Effect.Effect<void>) => void Runtime.runFork(runtime)(Effect.interruptible(effect))
    let listening: Listening | undefined
    yield* Effect.acquireRelease(
      Effect.sync(() => {
        if (program === undefined) return
        program.workers = workers
        program.run = run
      }),
      () =>
        Effect.sync(() => {
          if (program !== undefined) program.workers = undefined
          listening?.stop()
        })
    )
    return (exit: Exit.Exit<unknown, unknown>) => {
      if (program !== undefined) return
      listening ??= listenForStops(stopSignals, {
        now: monotonicMillis(clock),
        run,
        log: run,
        servers: () => [],
        begin: () => {},
        forwardSignal: (signal) => workers.forwardSignal(signal),
        begun: hasHeardSignal(exit, stopSignals)
      })
    }
  })
