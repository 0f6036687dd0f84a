/**
 * What worker threads have open, as the main thread stops it.
 */
import * as Effect from "effect/Effect"
import * as Line from "../log/line.js"
import { clearTimeout, setTimeout } from "../node/timers.js"
import type { ResolvedPolicy } from "../policy/policy.js"
import type { Stoppable } from "../signals/signals.js"
import * as Threads from "./threads.js"

/** How long a thread that is over its time may take to say that it is still there: the machine may be busy. */
const answerMillis = 2000

/** The longest that a timer takes. */
const longestMillis = 2 ** 31 - 1

interface Owner {
  readonly isStopping: () => boolean
  readonly closed: (hasCut: boolean) => void
}

export class ThreadServers {
  readonly #open = new Map<Threads.Thread, Stoppable>()
  readonly #limitMillis: number
  readonly #say: (line: Effect.Effect<void>) => void
  readonly #owner: Owner
  #limit: NodeJS.Timeout | undefined

  constructor(
    { killTimeout, lameDuck, timeout }: ResolvedPolicy,
    say: (line: Effect.Effect<void>) => void,
    owner: Owner
  ) {
    this.#limitMillis = lameDuck + timeout + killTimeout
    this.#say = say
    this.#owner = owner
  }

  open(): Iterable<Stoppable> {
    return this.#open.values()
  }

  ids(): ReadonlyArray<number> {
    return Array.from(this.#open.keys(), ({ id }) => id)
  }

  add(thread: Threads.Thread): void {
    const asks = (what: "DrainNow" | "Close") => Effect.sync(() => thread.ask(what))
    this.#open.set(thread, {
      phase: { get: Effect.sync(() => thread.phase) },
      drainNow: asks("DrainNow"),
      close: asks("Close")
    })
    if (this.#owner.isStopping()) this.#ask(thread)
    void thread.closed.then((end) => this.#closed(thread, end))
  }

  shutdown(): void {
    const unreached = Threads.unreached()
    if (unreached.length > 0) this.#say(unreachedLine(unreached))
    for (const thread of this.#open.keys()) this.#ask(thread)
  }

  #ask(thread: Threads.Thread): void {
    // the program may have unreferenced it, and everything else be over
    Threads.ref()
    thread.ask("Shutdown")
    if (this.#limit === undefined && this.#limitMillis < longestMillis) {
      this.#limit = setTimeout(() => this.#look(), this.#limitMillis)
    }
  }

  /** One whose event loop is blocked says nothing. */
  #look(): void {
    Threads.askWho()
    this.#limit = setTimeout(() => {
      for (const thread of this.#open.keys()) if (!thread.isHeard) thread.close({ hasCut: true, isLost: true })
      this.#look()
    }, answerMillis)
  }

  #closed(thread: Threads.Thread, { hasCut, isLost }: Threads.ThreadEnd): void {
    this.#open.delete(thread)
    if (this.#open.size === 0) {
      Threads.unref()
      clearTimeout(this.#limit)
      this.#limit = undefined
    }
    if (isLost && this.#owner.isStopping()) this.#say(lostLine(thread.id))
    this.#owner.closed(hasCut)
  }
}

const lostLine = (thread: number) =>
  Line.error(
    `Worker thread ${thread} has not drained its servers: it has ended, or its event loop is blocked. What they owed is `
      + "cut",
    { event: "ThreadLost", thread }
  )

const unreachedLine = (threads: ReadonlyArray<number>) =>
  Line.warning(
    `${threads.length === 1 ? "Worker thread" : "Worker threads"} ${
      threads.join(", ")
    }: quiesce/register is not loaded `
      + "there. Servers that listen there are not drained, and end with the process. A thread that the program starts "
      + "with an `execArgv` of its own needs `--import quiesce/register` in it",
    { event: "ThreadsNotReached", threads }
  )
