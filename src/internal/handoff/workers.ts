/**
 * The primary of `node:cluster`: keeps its workers running, and replaces them one by one.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Runtime from "effect/Runtime"
import { monotonicMillis } from "../effect/clock.js"
import { unsafeInterrupt, yieldNow } from "../effect/fibers.js"
import * as RealTime from "../effect/realTime.js"
import * as Line from "../log/line.js"
import { InvalidPolicy } from "../model/errors.js"
import type { WorkersOptions } from "../model/handoff.js"
import { HandoffFailed } from "../model/handoffFailed.js"
import { checkNames } from "../policy/optionNames.js"
import { duration } from "../policy/policy.js"
import { Program } from "../signals/program.js"
import { listen as listenForStops, type Listening } from "../signals/signals.js"
import * as Workers from "./cluster.js"
import { chosen, listen } from "./handoffSignals.js"
import { killMillis } from "./predecessor.js"

const optionNames = Object.keys(
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
    let state: "Starting" | "Serving" | "Ending" = "Starting"
    let rolling: Fiber.RuntimeFiber<void> | undefined
    yield* listen(signals, (signal) => {
      if (rolling !== undefined) return
      if (state !== "Serving") {
        const why = state === "Starting" ? "have not started yet" : "shut down"
        return void run(Line.error(`${signal}: not replaced, the workers ${why}`))
      }
      rolling = run(
        yieldNow.pipe(
          Effect.zipRight(Line.info(`${signal}: replacing the workers one by one`)),
          Effect.zipRight(roll),
          Effect.ensuring(Effect.sync(() => {
            rolling = undefined
          }))
        )
      )
    })
    /** Those that have not ended. */
    const all = new Set<Workers.Worker>()
    const ready = new Set<Workers.Worker>()
    const leaving = new Set<Workers.Worker>()
    const isShort = () => all.size - leaving.size < options.workers
    const short = Effect.unsafeMakeLatch(false)
    const one = Effect.unsafeMakeSemaphore(1)
    const stop = (worker: Workers.Worker) => ready.has(worker) ? worker.stop() : worker.signal("SIGTERM")
    /** The killer is nobody's child: a further signal interrupts children, too. */
    const endsWithin = (worker: Workers.Worker, millis: number) =>
      Effect.suspend(() => {
        const killer = run(Effect.delay(
          Effect.suspend(() => {
            worker.signal("SIGKILL")
            return Line.warning(`Worker ${worker.pid} has not ended within ${millis} ms, and is killed`)
          }),
          millis
        ))
        return Effect.ensuring(worker.ended, Effect.sync(() => unsafeInterrupt(killer)))
      })
    const stopped = (worker: Workers.Worker) =>
      Effect.suspend(() => {
        stop(worker)
        return endsWithin(worker, worker.drain() + killAfter)
      }).pipe(Effect.map(() => all.delete(worker)))
    const forwardSignal = (signal: NodeJS.Signals) =>
      Array.from(all, (worker) => {
        if (ready.has(worker)) worker.further(signal)
        else worker.signal(signal)
        return worker.pid
      })
    const begin = yield* listenForFurther(forwardSignal)
    const ending = Effect.sync(() => {
      state = "Ending"
      begin()
    })
    yield* Effect.addFinalizer(() =>
      Effect.zipRight(ending, Effect.forEach(all, stopped, { concurrency: "unbounded", discard: true }))
    )
    const scope = yield* Effect.scope
    const add: Effect.Effect<Workers.Worker, HandoffFailed> = Effect.uninterruptibleMask((restore) =>
      Effect.gen(function*() {
        const worker = Workers.fork()
        all.add(worker)
        yield* worker.ended.pipe(
          Effect.flatMap((how) => {
            all.delete(worker)
            const isMissed = ready.delete(worker) && !leaving.delete(worker)
            short.unsafeOpen()
            return isMissed
              ? Line.warning(
                `Worker ${worker.pid} ended, with ${how}${isShort() ? "; a new one is started in its place" : ""}`
              )
              : Effect.void
          }),
          Effect.interruptible,
          Effect.forkIn(scope)
        )
        yield* restore(Effect.raceFirst(
          Effect.interruptible(worker.ready),
          Effect.raceFirst(
            Effect.interruptible(Effect.flatMap(worker.ended, (how) =>
              new HandoffFailed({
                reason: "Ended",
                explanation: `Worker ${worker.pid} ended before it was ready, with ${how}`
              }))),
            Effect.interruptible(Effect.zipRight(
              RealTime.sleep(timeout),
              new HandoffFailed({
                reason: "TimedOut",
                explanation: `Worker ${worker.pid} did not become ready within ${timeout} ms`
              })
            ))
          )
        )).pipe(Effect.onError(() => {
          worker.signal("SIGTERM")
          return endsWithin(worker, killMillis)
        }))
        if (all.has(worker)) ready.add(worker)
        return worker
      })
    )
    const replace = (old: Workers.Worker) =>
      one.withPermits(1)(Effect.suspend(() =>
        // one that has ended by itself is replaced already, or will be
        all.has(old)
          ? Effect.map(add, () => {
            if (all.has(old)) leaving.add(old)
          })
          : Effect.void
      )).pipe(Effect.zipRight(Effect.suspend(() => all.has(old) ? stopped(old) : Effect.void)))
    const roll = Effect.suspend(() => Effect.forEach(Array.from(all), replace, { discard: true })).pipe(
      Effect.zipRight(Line.info("Every worker has been replaced")),
      Effect.catchAll(({ message }) => Line.error(`Not replaced, the other workers go on as before: ${message}`))
    )
    const refill: Effect.Effect<void> = Effect.suspend(() =>
      isShort()
        ? RealTime.sleep("1 second").pipe(
          Effect.zipRight(
            one.withPermits(1)(Effect.suspend(() => isShort() ? Effect.flatMap(add, serves) : Effect.void))
          ),
          Effect.catchAll(({ message }) => Line.error(`A worker is missing, and tried again: ${message}`)),
          Effect.zipRight(refill)
        )
        : Effect.void
    )
    yield* Effect.forEach(Array.from({ length: options.workers }), () => add, { discard: true })
    yield* short.await.pipe(
      Effect.tap(() => Effect.sync(() => short.unsafeClose())),
      Effect.zipRight(refill),
      Effect.forever,
      Effect.interruptible,
      Effect.forkIn(scope)
    )
    yield* Effect.addFinalizer(() =>
      Effect.zipRight(ending, Effect.suspend(() => rolling === undefined ? Effect.void : Fiber.interrupt(rolling)))
    )
    state = "Serving"
    yield* Line.info(`${options.workers} workers serve`)
    return yield* Effect.never
  }).pipe(Effect.scoped, Effect.annotateLogs({ pid: process.pid, role: "primary" }))

const serves = ({ pid }: Workers.Worker) => Line.info(`Worker ${pid} serves, in place of one that ended`)

/** Those that `runMain` knows. */
const stopSignals = ["SIGTERM", "SIGINT"] as const

/**
 * A further signal is passed on to the workers, and one more ends this process. Gives what is to be called when the
 * shutdown begins: until then the signals are somebody else's.
 */
const listenForFurther = (forwardSignal: (signal: NodeJS.Signals) => ReadonlyArray<number>) =>
  Effect.gen(function*() {
    const program = yield* Program
    const clock = yield* Effect.clock
    const runtime = yield* RealTime.runtime
    const run = (effect: Effect.Effect<void>) => void Runtime.runFork(runtime)(Effect.interruptible(effect))
    let listening: Listening | undefined
    yield* Effect.acquireRelease(
      Effect.sync(() => {
        if (program === undefined) return
        program.forwardSignal = forwardSignal
        program.run = run
      }),
      () =>
        Effect.sync(() => {
          if (program !== undefined) program.forwardSignal = undefined
          listening?.stop()
        })
    )
    return () => {
      if (program !== undefined) return
      listening ??= listenForStops(stopSignals, {
        now: monotonicMillis(clock),
        run,
        log: run,
        servers: () => [],
        begin: () => {},
        forwardSignal,
        // `runMain` listens for the first one only
        begun: stopSignals.every((name) => process.listenerCount(name) === 0)
      })
    }
  })
