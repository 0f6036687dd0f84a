/**
 * What the user registered with `onShutdown`: started together when draining starts, each once, each bounded.
 */
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import { unsafeInterrupt, unsafeMakeDeferred } from "../effect/fibers.js"
import * as RealTime from "../effect/realTime.js"
import type { HookReport } from "../model/report.js"
import { nextMacrotask } from "../node/turn.js"

interface Hook {
  readonly name: string
  /** Its own limit in milliseconds; none is `Infinity`, where the drain's deadline bounds it. */
  readonly limit: number
  /** Starts it, with what it had around it when it was registered. */
  readonly fork: () => Fiber.RuntimeFiber<unknown, unknown>
  readonly done: Deferred.Deferred<void>
  running: { readonly fiber: Fiber.RuntimeFiber<unknown, unknown>; readonly since: number } | undefined
  interrupted: boolean
  report: HookReport | undefined
}

/** How far a hook is. */
export interface HookProgress {
  readonly name: string
  /** Not started yet, running, or how it has ended. */
  readonly state: "Waiting" | "Running" | HookReport["outcome"]
  /** How long it has run; of one that waits, 0. */
  readonly millis: number
}

export class Hooks {
  readonly #hooks = new Set<Hook>()
  readonly #now: () => number
  readonly #run: (effect: Effect.Effect<unknown>) => unknown
  readonly #onEnd: (report: HookReport) => void
  #expected = false
  #started = false
  #killed = false
  #finished = false
  /** What bounds a hook that is registered when the server has closed, and has no limit of its own. */
  readonly #lastLimit: number

  constructor(
    now: () => number,
    lastLimit: number,
    run: (effect: Effect.Effect<unknown>) => unknown,
    onEnd: (report: HookReport) => void
  ) {
    this.#now = now
    this.#lastLimit = lastLimit
    this.#run = run
    this.#onEnd = onEnd
  }

  /** Registered after the start, it runs at once: a hook runs exactly once, whenever it came. */
  add(name: string, limit: number, fork: () => Fiber.RuntimeFiber<unknown, unknown>): Hook {
    const hook: Hook = {
      name,
      limit,
      fork,
      done: unsafeMakeDeferred(),
      running: undefined,
      interrupted: false,
      report: undefined
    }
    this.#hooks.add(hook)
    if (this.#started) this.#start(hook)
    return hook
  }

  /**
   * The scope of the registration closes. Before a shutdown that takes the hook back; after its beginning, what the
   * hook uses must outlive it, also while it waits for draining to start. Scopes of one application close in
   * parallel: the turn gives its server's the time to begin.
   */
  remove(hook: Hook): Effect.Effect<void> {
    return Effect.flatMap(nextMacrotask, () => {
      if (this.#started || (this.#expected && !this.#finished)) return Deferred.await(hook.done)
      this.#hooks.delete(hook)
      return Effect.void
    })
  }

  /** A shutdown has begun: the hooks will start, unless it is a close. */
  expect(): void {
    this.#expected = true
  }

  start(): void {
    if (this.#started) return
    this.#started = true
    for (const hook of this.#hooks) this.#start(hook)
  }

  #start(hook: Hook): void {
    const fiber = hook.fork()
    hook.running = { fiber, since: this.#now() }
    fiber.addObserver((exit) => this.#end(hook, exit))
    if (hook.report !== undefined) return
    if (this.#killed) return this.#interrupt(hook)
    const limit = this.#finished ? Math.min(hook.limit, this.#lastLimit) : hook.limit
    if (!Number.isFinite(limit)) return
    const atLimit = Effect.sync(() => {
      this.#interrupt(hook)
      // no deadline comes after this one
      if (this.#finished && hook.report === undefined) this.#close(hook, "TimedOut", Option.none())
    })
    this.#run(Effect.raceFirst(Effect.zipRight(RealTime.sleep(limit), atLimit), Deferred.await(hook.done)))
  }

  #interrupt(hook: Hook): void {
    if (hook.report !== undefined || hook.interrupted) return
    hook.interrupted = true
    if (hook.running !== undefined) unsafeInterrupt(hook.running.fiber)
  }

  #end(hook: Hook, exit: Exit.Exit<unknown, unknown>): void {
    if (hook.report !== undefined) return
    const failed = exit._tag === "Failure"
    this.#close(
      hook,
      failed && hook.interrupted && Cause.isInterruptedOnly(exit.cause) ? "TimedOut" : failed ? "Failed" : "Succeeded",
      failed ? Option.some(exit.cause) : Option.none()
    )
  }

  #close(hook: Hook, outcome: HookReport["outcome"], cause: HookReport["cause"]): void {
    const duration = Duration.millis(hook.running === undefined ? 0 : this.#now() - hook.running.since)
    hook.report = { name: hook.name, outcome, duration, cause }
    this.#onEnd(hook.report)
    // who waits for it goes on at once on Effect 4
    Deferred.unsafeDone(hook.done, Effect.void)
  }

  get idle(): boolean {
    for (const hook of this.#hooks) {
      if (runs(hook)) return false
    }
    return true
  }

  /** The names of those that still run. */
  get running(): ReadonlyArray<string> {
    return Array.from(this.#hooks).filter(runs).map((hook) => hook.name)
  }

  /** Each that is registered, in the order of registration, and how far it is. */
  get progress(): ReadonlyArray<HookProgress> {
    return Array.from(this.#hooks, ({ name, report, running }) => {
      if (report !== undefined) return { name, state: report.outcome, millis: Duration.toMillis(report.duration) }
      if (running === undefined) return { name, state: "Waiting", millis: 0 }
      return { name, state: "Running", millis: this.#now() - running.since }
    })
  }

  /** Suspends until those that run now have ended. */
  get ended(): Effect.Effect<void> {
    return Effect.forEach(Array.from(this.#hooks).filter(runs), (hook) => Deferred.await(hook.done), { discard: true })
  }

  /** The deadline has passed: asks those that still run to end. */
  interrupt(): void {
    this.#killed = true
    for (const hook of this.#hooks) this.#interrupt(hook)
  }

  /** Leaves behind those that did not, and returns the outcome of each that was started. */
  finish(): ReadonlyArray<HookReport> {
    this.#killed = false
    this.#finished = true
    for (const hook of this.#hooks) {
      if (runs(hook)) this.#close(hook, "Abandoned", Option.none())
      // a close came before the start: its scope waits in vain
      else Deferred.unsafeDone(hook.done, Effect.void)
    }
    return Array.from(this.#hooks, (hook) => hook.report).filter((report) => report !== undefined)
  }
}

/** A server that is closed at once never starts its hooks (Go's rule E2), and waits for none of them. */
const runs = (hook: Hook): boolean => hook.running !== undefined && hook.report === undefined
