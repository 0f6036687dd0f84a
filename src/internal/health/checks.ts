/**
 * The health checks of a server: started by whoever asks, shared by all who ask meanwhile, and bounded.
 */
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import { isDefectOnly } from "../effect/causes.js"
import { unsafeInterrupt, unsafeMakeDeferred } from "../effect/fibers.js"
import * as RealTime from "../effect/realTime.js"
import * as Line from "../log/line.js"
import type { Probe } from "../model/health.js"
import { printMillis } from "../model/text.js"

/** A run of a check. */
interface Run {
  readonly fiber: Fiber.RuntimeFiber<unknown, unknown>
  readonly since: number
  /** How it ended, or that it has not ended in time. */
  readonly outcome: Deferred.Deferred<string | undefined>
  inTime: boolean
}

export interface Check {
  readonly name: string
  readonly timeout: number
  readonly cache: number
  readonly on: ReadonlySet<Probe>
  /** Starts it, with what it had around it when it was registered. */
  readonly fork: () => Fiber.RuntimeFiber<unknown, unknown>
  /** The one that has not ended yet, even if it is overdue: no other is started beside it. */
  run: Run | undefined
  /** The last outcome: why it failed, if it did. */
  last: { readonly reason: string | undefined; readonly at: number } | undefined
  /** It has passed once, which is all that startup asks for. */
  passedOnce: boolean
}

export class Checks {
  readonly #checks = new Map<string, Check>()
  readonly #now: () => number
  readonly #run: (effect: Effect.Effect<unknown>) => unknown

  constructor(now: () => number, run: (effect: Effect.Effect<unknown>) => unknown) {
    this.#now = now
    this.#run = run
  }

  has(name: string): boolean {
    return this.#checks.has(name)
  }

  add(check: Check): void {
    this.#checks.set(check.name, check)
  }

  /** Nobody asks for it any more. What it uses must outlive it, but not for longer than it may take. */
  remove(check: Check): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.#checks.delete(check.name)
      const { run } = check
      if (run === undefined) return Effect.void
      if (run.inTime) {
        run.inTime = false
        Deferred.unsafeDone(run.outcome, Effect.succeed("no longer registered"))
      }
      const ended = Deferred.make<void>().pipe(Effect.flatMap((ended) => {
        run.fiber.addObserver(() => Deferred.unsafeDone(ended, Effect.void))
        unsafeInterrupt(run.fiber)
        return Deferred.await(ended)
      }))
      // in a finalizer a race ends only where both racers can be interrupted
      return Effect.raceFirst(Effect.interruptible(ended), Effect.interruptible(RealTime.sleep(check.timeout)))
    })
  }

  of(probe: Probe): ReadonlyArray<Check> {
    return Array.from(this.#checks.values()).filter(({ on }) => on.has(probe))
  }

  /** Why it fails, if it does: known within its timeout, whatever it does. It runs from now on, if it has to. */
  ask(check: Check, probe: Probe): Effect.Effect<string | undefined> {
    if (probe === "startup" && check.passedOnce) return Effect.succeed(undefined)
    const now = this.#now()
    const { last, run } = check
    if (run === undefined) {
      const isFresh = last !== undefined && now - last.at < check.cache
      return isFresh ? Effect.succeed(last.reason) : Deferred.await(this.#start(check, now).outcome)
    }
    return run.inTime ? Deferred.await(run.outcome) : Effect.succeed(
      `timed out after ${printMillis(check.timeout)}, and still running after ${printMillis(now - run.since)}`
    )
  }

  #start(check: Check, now: number): Run {
    const fiber = check.fork()
    const run: Run = { fiber, since: now, outcome: unsafeMakeDeferred(), inTime: true }
    check.run = run
    fiber.addObserver((exit) => {
      check.run = undefined
      if (run.inTime) this.#settle(check, run, reasonOf(exit))
    })
    // it may have ended by now
    if (check.run === run) {
      const overdue = Effect.sync(() => {
        run.inTime = false
        this.#settle(check, run, `timed out after ${printMillis(check.timeout)}`)
        unsafeInterrupt(fiber)
      })
      this.#run(Effect.raceFirst(Effect.zipRight(RealTime.sleep(check.timeout), overdue), Deferred.await(run.outcome)))
    }
    return run
  }

  #settle(check: Check, run: Run, reason: string | undefined): void {
    const failedBefore = check.last?.reason !== undefined
    check.last = { reason, at: this.#now() }
    check.passedOnce ||= reason === undefined
    // once for each change: there is a probe every few seconds
    if (reason !== undefined && !failedBefore) {
      this.#run(Line.warning(`Health check "${check.name}" failed: ${reason}`))
    } else if (reason === undefined && failedBefore) {
      this.#run(Line.info(`Health check "${check.name}" passes again`))
    }
    Deferred.unsafeDone(run.outcome, Effect.succeed(reason))
  }
}

const maxLength = 200

const reasonOf = (exit: Exit.Exit<unknown, unknown>): string | undefined => {
  if (exit._tag === "Success") return exit.value === false ? "returned false" : undefined
  if (Cause.isInterruptedOnly(exit.cause)) return "interrupted itself"
  const message = messageOf(exit.cause)
  // a line of its own is all that it gets
  const line = message.replaceAll(/\p{Cc}+/gu, " ").trim()
  const died = isDefectOnly(exit.cause) ? "died" : ""
  const shown = line.length > maxLength ? `${line.slice(0, maxLength)}…` : line
  return [died, shown].filter((part) => part !== "").join(": ") || "failed"
}

/** What a check fails with may be anything: an object that cannot be printed, too. */
const messageOf = (cause: Cause.Cause<unknown>): string => {
  try {
    return Cause.prettyErrors(cause)[0]?.message ?? ""
  } catch {
    return "with what cannot be printed"
  }
}
