/**
 * The primary of `node:cluster`: keeps its workers running, and replaces them one by one.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Runtime from "effect/Runtime"
import type { WorkersOptions } from "../Handoff.js"
import { InvalidPolicy } from "../Shutdown.js"
import * as Workers from "./cluster.js"
import { killMillis } from "./handingOver.js"
import { HandoffFailed } from "./handoffFailed.js"
import { chosen, listen } from "./handoffSignals.js"
import { duration } from "./policy.js"

export const launchWorkers = (options: WorkersOptions): Effect.Effect<never, HandoffFailed | InvalidPolicy> =>
  Effect.gen(function*() {
    const signals = yield* chosen(options.signals)
    const timeout = yield* duration("timeout", options.timeout ?? "1 minute")
    if (!(Number.isSafeInteger(options.workers) && options.workers > 0)) {
      return yield* new InvalidPolicy({ field: "workers", value: options.workers, expected: "a whole number from 1" })
    }
    const runtime = yield* Effect.runtime<never>()
    /** Those that have not ended. */
    const all = new Set<Workers.Worker>()
    const ready = new Set<Workers.Worker>()
    const leaving = new Set<Workers.Worker>()
    const isShort = () => all.size - leaving.size < options.workers
    const short = Effect.unsafeMakeLatch(false)
    const one = Effect.unsafeMakeSemaphore(1)
    const stop = (worker: Workers.Worker) => ready.has(worker) ? worker.stop() : worker.signal("SIGTERM")
    yield* Effect.addFinalizer(() =>
      Effect.forEach(all, (worker) => {
        stop(worker)
        return worker.ended
      }, { concurrency: "unbounded", discard: true })
    )
    const scope = yield* Effect.scope
    const add: Effect.Effect<void, HandoffFailed> = Effect.uninterruptibleMask((restore) =>
      Effect.gen(function*() {
        const worker = Workers.fork()
        all.add(worker)
        yield* worker.ended.pipe(
          Effect.flatMap((how) => {
            all.delete(worker)
            const isMissed = ready.delete(worker) && !leaving.delete(worker)
            short.unsafeOpen()
            return isMissed ? Effect.logWarning(`Worker ${worker.pid} ended, with ${how}`) : Effect.void
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
              Effect.sleep(timeout),
              new HandoffFailed({
                reason: "TimedOut",
                explanation: `Worker ${worker.pid} did not become ready within ${timeout} ms`
              })
            ))
          )
        )).pipe(Effect.onError(() => {
          worker.signal("SIGTERM")
          return Effect.raceFirst(
            Effect.interruptible(worker.ended),
            Effect.interruptible(Effect.zipRight(
              Effect.sleep(killMillis),
              Effect.suspend(() => {
                worker.signal("SIGKILL")
                return worker.ended
              })
            ))
          )
        }))
        if (all.has(worker)) ready.add(worker)
      })
    )
    const replace = (old: Workers.Worker) =>
      one.withPermits(1)(Effect.suspend(() =>
        // one that has ended by itself is replaced already, or will be
        all.has(old)
          ? Effect.map(add, () => {
            if (!all.has(old)) return
            leaving.add(old)
            stop(old)
          })
          : Effect.void
      )).pipe(Effect.zipRight(old.ended))
    const roll = Effect.suspend(() => Effect.forEach(Array.from(all), replace, { discard: true })).pipe(
      Effect.zipRight(Effect.logInfo("Every worker has been replaced")),
      Effect.catchAll(({ message }) => Effect.logError(`Not replaced, the other workers go on as before: ${message}`))
    )
    const refill: Effect.Effect<void> = Effect.suspend(() =>
      isShort()
        ? Effect.sleep("1 second").pipe(
          Effect.zipRight(one.withPermits(1)(Effect.suspend(() => isShort() ? add : Effect.void))),
          Effect.catchAll(({ message }) => Effect.logError(`A worker is missing, and tried again: ${message}`)),
          Effect.zipRight(refill)
        )
        : Effect.void
    )
    yield* Effect.forEach(Array.from({ length: options.workers }), () => add, { discard: true })
    yield* Effect.logInfo(`${options.workers} workers serve`)
    yield* short.await.pipe(
      Effect.tap(() => Effect.sync(() => short.unsafeClose())),
      Effect.zipRight(refill),
      Effect.forever,
      Effect.interruptible,
      Effect.forkIn(scope)
    )
    let rolling: Fiber.RuntimeFiber<void> | undefined
    yield* Effect.addFinalizer(() => rolling === undefined ? Effect.void : Fiber.interrupt(rolling))
    yield* listen(signals, (signal) => {
      if (rolling !== undefined) return
      rolling = Runtime.runFork(runtime)(
        Effect.yieldNow().pipe(
          Effect.zipRight(Effect.logInfo(`${signal}: replacing the workers one by one`)),
          Effect.zipRight(roll),
          Effect.ensuring(Effect.sync(() => {
            rolling = undefined
          })),
          Effect.interruptible
        )
      )
    })
    return yield* Effect.never
  }).pipe(Effect.scoped)
