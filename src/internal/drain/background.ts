/**
 * Work that outlives its request: what `background`, `track` and `worker` have started, and what has become of it. A
 * drain waits for it as for requests.
 */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { BackgroundEnd, BackgroundTask } from "../model/background.js"
import type { BackgroundReport } from "../model/report.js"

export interface Task extends BackgroundTask {
  readonly name: string
  readonly since: number
  readonly interrupt: () => void
  isInterrupted: boolean
  /** It has ended, or was left behind. */
  onGone: () => void
}

/** All of one name that have ended in one way since the shutdown began. */
interface Sum {
  count: number
  longest: number
  cause: BackgroundReport["cause"]
}

type Outcome = BackgroundReport["outcome"]

export class Background {
  readonly #tasks = new Set<Task>()
  readonly #now: () => number
  /** Something that a drain may be waiting for has happened. */
  readonly #wake: () => void
  readonly #onFailed: (name: string, cause: Cause.Cause<unknown>) => void
  /** By name, then by outcome. */
  readonly #ended = new Map<string, Map<Outcome, Sum>>()
  #stoppingSince: number | undefined = undefined
  #refuses = false
  /** How many have failed, before a shutdown or in it. */
  failed = 0

  constructor(
    now: () => number,
    wake: () => void,
    onFailed: (name: string, cause: Cause.Cause<unknown>) => void
  ) {
    this.#now = now
    this.#wake = wake
    this.#onFailed = onFailed
  }

  /** `interrupt` is called when the time is up. `undefined`: no work is taken in any more. */
  add(name: string, interrupt: () => void): Task | undefined {
    if (this.#refuses) return undefined
    const task: Task = {
      name,
      since: this.#now(),
      interrupt,
      isInterrupted: false,
      onGone: () => {},
      end: (end) => this.#end(task, end)
    }
    this.#tasks.add(task)
    return task
  }

  #end(task: Task, end: BackgroundEnd): void {
    // left behind, or ended before
    if (!this.#tasks.delete(task)) return
    task.onGone()
    if (end._tag === "Failed") {
      this.fail(task.name, end.cause)
      // what fails as it drops what it has, drops it all the same
      this.#count(task, task.isInterrupted ? "Interrupted" : "Failed", end.cause)
    } else if (end._tag !== "Withdrawn") this.#count(task, end._tag)
    if (this.#tasks.size === 0) this.#wake()
  }

  /** Logs and counts it, also where it was not taken in. */
  fail(name: string, cause: Cause.Cause<unknown>): void {
    this.failed++
    this.#onFailed(name, cause)
  }

  #count({ name, since }: Task, outcome: Outcome, cause?: Cause.Cause<unknown>): void {
    if (this.#stoppingSince === undefined) return
    const millis = this.#now() - Math.max(since, this.#stoppingSince)
    let sums = this.#ended.get(name)
    if (sums === undefined) this.#ended.set(name, sums = new Map())
    const sum = sums.get(outcome)
    if (sum === undefined) sums.set(outcome, { count: 1, longest: millis, cause: Option.fromNullable(cause) })
    else {
      sum.count++
      sum.longest = Math.max(sum.longest, millis)
      if (Option.isNone(sum.cause)) sum.cause = Option.fromNullable(cause)
    }
  }

  /** Suspends until it has ended, or is left behind. */
  gone(task: Task): Effect.Effect<void> {
    return Effect.async<void>((resume) => {
      if (this.#tasks.has(task)) task.onGone = () => resume(Effect.void)
      else resume(Effect.void)
    })
  }

  /** A shutdown has begun: what ends from now on is in its report. */
  expect(): void {
    this.#stoppingSince ??= this.#now()
  }

  get isStopping(): boolean {
    return this.#stoppingSince !== undefined
  }

  /** Nothing is awaited any more that could start. */
  refuse(): void {
    this.#refuses = true
  }

  get size(): number {
    return this.#tasks.size
  }

  get idle(): boolean {
    return this.#tasks.size === 0
  }

  /** How many run, by name. */
  get running(): ReadonlyMap<string, number> {
    const byName = new Map<string, number>()
    for (const { name } of this.#tasks) byName.set(name, (byName.get(name) ?? 0) + 1)
    return byName
  }

  /** For each that runs, what asks it to end. */
  get interrupts(): ReadonlyArray<() => void> {
    return Array.from(this.#tasks, (task) => () => {
      if (task.isInterrupted || !this.#tasks.has(task)) return
      task.isInterrupted = true
      task.interrupt()
    })
  }

  /** Leaves behind those that run, and returns what has become of all. */
  finish(): ReadonlyArray<BackgroundReport> {
    this.#refuses = true
    for (const task of this.#tasks) {
      this.#count(task, "Abandoned")
      task.onGone()
    }
    this.#tasks.clear()
    return Array.from(
      this.#ended,
      ([name, sums]) =>
        Array.from(sums, ([outcome, { cause, count, longest }]): BackgroundReport => ({
          name,
          outcome,
          count,
          duration: Duration.millis(longest),
          cause
        }))
    ).flat()
  }
}
