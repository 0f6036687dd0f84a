/**
 * The workers of a primary: started, replaced one by one, and stopped.
 */
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import { unsafeInterrupt } from "../effect/fibers.js"
import * as RealTime from "../effect/realTime.js"
import * as Line from "../log/line.js"
import { HandoffFailed } from "../model/handoffFailed.js"
import { fork, type Worker } from "./clusterPrimary.js"
import { killMillis } from "./predecessor.js"

interface PoolOptions {
  /** How many workers there are to be. */
  readonly size: number
  /** How long a worker may take to be ready. */
  readonly timeout: number
  /** How much longer than its drain a worker that is to end may take. */
  readonly killAfter: number
}

export class WorkerPool {
  readonly #options: PoolOptions
  readonly #scope: Scope.Scope
  readonly #run: (effect: Effect.Effect<void>) => Fiber.RuntimeFiber<void>
  /** Those that have not ended. */
  readonly #all = new Set<Worker>()
  readonly #ready = new Set<Worker>()
  readonly #leaving = new Set<Worker>()
  /** They have been told to stop more than once. */
  #hasForwarded = false
  /** Open once a worker has ended. */
  readonly #ended = Effect.unsafeMakeLatch(false)
  /** One is replaced at a time. */
  readonly #one = Effect.unsafeMakeSemaphore(1)

  /** Its workers are watched until `scope` closes; `run` runs what outlives the fiber that asks for it. */
  constructor(
    options: PoolOptions,
    scope: Scope.Scope,
    run: (effect: Effect.Effect<void>) => Fiber.RuntimeFiber<void>
  ) {
    this.#options = options
    this.#scope = scope
    this.#run = run
  }

  /** Starts the workers, one after the other. */
  readonly start: Effect.Effect<void, HandoffFailed> = Effect.suspend(() =>
    Effect.forEach(Array.from({ length: this.#options.size }), () => this.#add, { discard: true })
  )

  /** Starts another one for each that ends by itself, for ever. */
  readonly refillForever: Effect.Effect<never> = this.#ended.await.pipe(
    Effect.tap(() => Effect.sync(() => this.#ended.unsafeClose())),
    Effect.zipRight(Effect.suspend(() => this.#refill)),
    Effect.forever
  )

  readonly replaceAll: Effect.Effect<void> = Effect.suspend(() =>
    Effect.forEach(Array.from(this.#all), (worker) => this.#replace(worker), { discard: true })
  ).pipe(
    Effect.zipRight(Line.info("Every worker has been replaced")),
    Effect.catchAll(({ message }) => Line.error(`Not replaced, the other workers go on as before: ${message}`))
  )

  /** Stops all at once, waits until they have ended, and dies with those that have not ended well. */
  readonly stopAll: Effect.Effect<void> = Effect.suspend(() => {
    const all = Array.from(this.#all)
    if (all.length === 0) return Effect.void
    return Line.info(`Stopping ${inWords(all)}`).pipe(
      Effect.zipRight(Effect.forEach(all, (worker) => this.#stopped(worker), { concurrency: "unbounded" })),
      Effect.flatMap((failed) => {
        const endings = failed.filter((ending) => ending !== undefined)
        return endings.length === 0 ? Effect.void : this.#hasFailed(endings.join(", "))
      })
    )
  })

  /** Those that have not ended. */
  get pids(): ReadonlyArray<number> {
    return Array.from(this.#all, ({ pid }) => pid)
  }

  /** Passes a further signal on to those that have not ended, and says which these are. */
  forwardSignal(signal: NodeJS.Signals): ReadonlyArray<number> {
    this.#hasForwarded = true
    return Array.from(this.#all, (worker) => {
      if (this.#ready.has(worker)) worker.further(signal)
      else worker.signal(signal)
      return worker.pid
    })
  }

  /** What is wrong with how a worker ends that is told to stop: `undefined` where nothing is. */
  #stopped(worker: Worker): Effect.Effect<string | undefined> {
    // one that was not ready has not served, and does not handle signals yet
    const hasServed = this.#ready.has(worker)
    return Effect.map(
      this.#stop(worker),
      (how) => !hasServed || this.#isClean(how) ? undefined : `worker ${worker.pid} with ${how}`
    )
  }

  /** Without `Signals`, `runMain` of Effect 4 exits with the number of a signal after a clean stop. */
  #isClean(how: string): boolean {
    return how === "exit code 0" || (!this.#hasForwarded && (how === "exit code 130" || how === "exit code 143"))
  }

  /** The exit code of the primary is what a supervisor sees. */
  #hasFailed(endings: string): Effect.Effect<never> {
    const explanation = `Ended: ${endings}. What each has cut, or what has failed in it, is in its own lines of the log`
    return Effect.zipRight(Line.error(explanation), Effect.die(new HandoffFailed({ reason: "Ended", explanation })))
  }

  get #isShort(): boolean {
    return this.#all.size - this.#leaving.size < this.#options.size
  }

  /** Starts one, and waits until it is ready. */
  readonly #add: Effect.Effect<Worker, HandoffFailed> = Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(this.#fork, (worker) =>
      restore(untilReady(worker, this.#options.timeout)).pipe(
        Effect.onError(() => {
          worker.signal("SIGTERM")
          return this.#endsWithin(worker, killMillis)
        }),
        Effect.map(() => {
          if (this.#all.has(worker)) this.#ready.add(worker)
          return worker
        })
      ))
  )

  /** Starts one, and watches it until it ends. */
  readonly #fork: Effect.Effect<Worker> = Effect.suspend(() => {
    const worker = fork()
    this.#all.add(worker)
    return worker.ended.pipe(
      Effect.flatMap((how) => this.#hasEnded(worker, how)),
      Effect.interruptible,
      Effect.forkIn(this.#scope),
      Effect.as(worker)
    )
  })

  #hasEnded(worker: Worker, how: string): Effect.Effect<void> {
    this.#all.delete(worker)
    const isMissed = this.#ready.delete(worker) && !this.#leaving.delete(worker)
    this.#ended.unsafeOpen()
    if (!isMissed) return Effect.void
    const then = this.#isShort ? "; a new one is started in its place" : ""
    return Line.warning(`Worker ${worker.pid} ended, with ${how}${then}`)
  }

  #replace(old: Worker): Effect.Effect<void, HandoffFailed> {
    return this.#one.withPermits(1)(Effect.suspend(() =>
      // one that has ended by itself is replaced already, or will be
      this.#all.has(old)
        ? Effect.map(this.#add, () => {
          if (this.#all.has(old)) this.#leaving.add(old)
        })
        : Effect.void
    )).pipe(Effect.zipRight(Effect.suspend(() => this.#all.has(old) ? this.#stop(old) : Effect.void)))
  }

  readonly #refill: Effect.Effect<void> = Effect.suspend(() =>
    this.#isShort
      ? RealTime.sleep("1 second").pipe(
        Effect.zipRight(
          this.#one.withPermits(1)(
            Effect.suspend(() => this.#isShort ? Effect.flatMap(this.#add, serves) : Effect.void)
          )
        ),
        Effect.catchAll(({ message }) => Line.error(`A worker is missing, and tried again: ${message}`)),
        Effect.zipRight(this.#refill)
      )
      : Effect.void
  )

  /** Gives how it has ended. */
  #stop(worker: Worker): Effect.Effect<string> {
    return Effect.suspend(() => {
      if (this.#ready.has(worker)) worker.stop()
      else worker.signal("SIGTERM")
      return this.#endsWithin(worker, worker.drain() + this.#options.killAfter)
    }).pipe(Effect.tap(() => Effect.sync(() => this.#all.delete(worker))))
  }

  /** The killer is nobody's child: a further signal interrupts children, too. */
  #endsWithin(worker: Worker, millis: number): Effect.Effect<string> {
    return Effect.suspend(() => {
      const killer = this.#run(Effect.delay(
        Effect.suspend(() => {
          worker.signal("SIGKILL")
          return Line.warning(`Worker ${worker.pid} has not ended within ${millis} ms, and is killed`)
        }),
        millis
      ))
      return Effect.ensuring(worker.ended, Effect.sync(() => unsafeInterrupt(killer)))
    })
  }
}

const inWords = (workers: ReadonlyArray<Worker>): string =>
  `${workers.length === 1 ? "1 worker" : `${workers.length} workers`}: ${workers.map(({ pid }) => pid).join(", ")}`

const untilReady = (worker: Worker, timeout: number): Effect.Effect<void, HandoffFailed> =>
  Effect.raceFirst(
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
  )

const serves = ({ pid }: Worker) => Line.info(`Worker ${pid} serves, in place of one that ended`)
