/**
 * The primary of `node:cluster`: keeps its workers running, and replaces them one by one.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Runtime from "effect/Runtime"
import type { WorkersOptions } from "../Handoff.js"
import type { InvalidPolicy } from "../Shutdown.js"
import * as Workers from "./cluster.js"
import { killMillis } from "./handingOver.js"
import { HandoffFailed } from "./handoffFailed.js"
import { chosen, listen } from "./handoffSignals.js"
import { duration } from "./policy.js"

export const launchWorkers = (options: WorkersOptions): Effect.Effect<never, HandoffFailed | InvalidPolicy> =>
  Effect.gen(function*() {
    const signals = yield* chosen(options.signals)
    const timeout = yield* duration("timeout", options.timeout ?? "1 minute")
    const runtime = yield* Effect.runtime<never>()
    const all = new Set<Workers.Worker>()
    const leaving = new Set<Workers.Worker>()
    yield* Effect.addFinalizer(() =>
      Effect.forEach(all, (worker) => {
        worker.signal("SIGTERM")
        return worker.ended
      }, { concurrency: "unbounded", discard: true })
    )
    const scope = yield* Effect.scope
    const add: Effect.Effect<void, HandoffFailed> = Effect.uninterruptibleMask((restore) =>
      Effect.gen(function*() {
        const worker = Workers.fork()
        all.add(worker)
        const ended = Effect.tap(worker.ended, () => Effect.sync(() => all.delete(worker)))
        yield* restore(Effect.raceFirst(
          Effect.interruptible(worker.ready),
          Effect.raceFirst(
            Effect.interruptible(Effect.flatMap(ended, (how) =>
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
            Effect.interruptible(Effect.asVoid(ended)),
            Effect.interruptible(Effect.zipRight(
              Effect.sleep(killMillis),
              Effect.sync(() => worker.signal("SIGKILL"))
            ))
          )
        }))
        yield* ended.pipe(
          Effect.flatMap((how) =>
            leaving.delete(worker) ? Effect.void : Effect.logWarning(`Worker ${worker.pid} ended, with ${how}`).pipe(
              Effect.zipRight(Effect.sleep("1 second")),
              Effect.zipRight(Effect.catchAll(add, (error) => Effect.logError(error.message))),
              Effect.asVoid
            )
          ),
          Effect.interruptible,
          Effect.forkIn(scope)
        )
      })
    )
    const roll = Effect.suspend(() =>
      Effect.forEach(Array.from(all), (old) =>
        Effect.zipRight(
          add,
          Effect.suspend(() => {
            leaving.add(old)
            old.signal("SIGTERM")
            return old.ended
          })
        ), { discard: true })
    ).pipe(
      Effect.zipRight(Effect.logInfo("Every worker has been replaced")),
      Effect.catchAll(({ message }) => Effect.logError(`Not replaced, the other workers go on as before: ${message}`))
    )
    yield* Effect.forEach(Array.from({ length: options.workers }), () => add, { discard: true })
    yield* Effect.logInfo(`${options.workers} workers serve`)
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
