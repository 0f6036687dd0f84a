/**
 * What drains the servers of a program that knows nothing of it. Each has a server of ours of its own, since a program
 * may close one and open another; a signal shuts all of them down, and after that the program has its turn.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Runtime from "effect/Runtime"
import * as Scope from "effect/Scope"
import type * as Net from "node:net"
import { monotonicMillis } from "../effect/clock.js"
import * as RealTime from "../effect/realTime.js"
import { isWatched, whenUnwatched } from "../listener/nodeEvents.js"
import * as Line from "../log/line.js"
import { holdOutputs } from "../log/outputs.js"
import type { NodeServer } from "../model/listener.js"
import type { Policy } from "../model/policy.js"
import type { Report } from "../model/report.js"
import type { ServerService } from "../model/server.js"
import { setImmediate } from "../node/timers.js"
import { resolve } from "../policy/policy.js"
import { config } from "../policy/policyConfig.js"
import { logging } from "../promise/promiseLog.js"
import * as Server from "../server/make.js"
import { type Others, othersFor } from "../signals/otherListeners.js"
import { begins, flushed, isOver } from "../signals/processEnd.js"
import { listen, type Listening } from "../signals/signals.js"
import * as EarlySignals from "./earlySignals.js"
import * as HeldSignals from "./heldSignals.js"
import { watchPrimary } from "./primary.js"
import { watchExit } from "./programExit.js"

export interface Takeover {
  /** A server that listens. One that the program has given to this package itself is left alone. */
  readonly take: (server: Net.Server) => void
}

/** Throws what is wrong with the environment. */
export const makeTakeover = (): Takeover => {
  const policy = policyOf()
  const runtime = Effect.runSync(Effect.provide(RealTime.runtime, logging(undefined)))
  return new Program(policy, runtime)
}

const policyOf = (): Policy => {
  // what the values are together is looked at when a server is made, and that is too late
  const exit = Effect.runSyncExit(Effect.tap(config(), resolve))
  if (Exit.isSuccess(exit)) return exit.value
  throw Cause.squash(exit.cause)
}

class Program implements Takeover {
  readonly #policy: Policy
  readonly #runtime: Runtime.Runtime<never>
  readonly #open = new Set<ServerService>()
  #listening: Listening | undefined = undefined
  #releaseOutputs = () => {}
  #unwatch: ReadonlyArray<() => void> = []
  /** Since the signal came. */
  #hasCut = false
  #hasTold = false

  constructor(policy: Policy, runtime: Runtime.Runtime<never>) {
    this.#policy = policy
    this.#runtime = runtime
  }

  take(node: Net.Server): void {
    if (isWatched(node)) whenUnwatched(node, () => this.take(node))
    else if (node.listening) this.#adopt(node)
    this.#settle()
  }

  #adopt(node: NodeServer): void {
    const scope = Effect.runSync(Scope.make())
    const made = Effect.flatMap(
      Server.make(this.#policy, { quiet: false, unhurried: true, app: () => Effect.succeed(undefined) }),
      ({ service }) => Effect.as(service.adopt(node), service)
    )
    const service = Runtime.runSync(this.#runtime)(Scope.extend(made, scope))
    this.#open.add(service)
    this.#listen()
    if (this.#listening?.first() !== undefined) this.#run(service.shutdown)
    this.#run(
      Effect.matchEffect(service.closed, {
        onFailure: ({ report }) => this.#closed(service, scope, report),
        onSuccess: (report) => this.#closed(service, scope, report)
      })
    )
  }

  #closed(service: ServerService, scope: Scope.CloseableScope, report: Report): Effect.Effect<void> {
    const over = Effect.sync(() => {
      this.#open.delete(service)
      if (report.cut.length > 0) this.#hasCut = true
      this.#settle()
    })
    return Effect.zipRight(Effect.exit(Scope.close(scope, Exit.void)), over)
  }

  readonly #run = (effect: Effect.Effect<unknown, unknown>): void => void Runtime.runFork(this.#runtime)(effect)

  readonly #say = (line: Effect.Effect<void>): void => Runtime.runSync(this.#runtime)(line)

  #listen(): void {
    if (this.#listening !== undefined) return
    HeldSignals.hold()
    const isStopping = () => this.#listening?.first() !== undefined
    this.#unwatch = [
      watchExit({ isStopping, log: this.#say, servers: () => this.#open }),
      watchPrimary({ isStopping, log: this.#say })
    ]
    this.#listening = listen(HeldSignals.signalNames, {
      now: monotonicMillis(Runtime.runSync(this.#runtime)(Effect.clock)),
      run: this.#run,
      log: this.#run,
      servers: () => this.#open,
      begin: () => this.#begin(),
      givesUp: (signal) => this.#tell(signal, othersFor(signal)),
      othersWait: true
    })
    EarlySignals.stop()
  }

  #begin(): void {
    begins(this)
    this.#hasCut = false
    this.#hasTold = false
    this.#releaseOutputs = holdOutputs()
    for (const server of this.#open) this.#run(server.shutdown)
  }

  /** Where nothing of ours is open, the program is as it was without us; unless a signal has asked for its end. */
  #settle(): void {
    if (this.#open.size > 0) return
    HeldSignals.letThrough()
    EarlySignals.stop()
    const listening = this.#listening
    this.#listening = undefined
    listening?.stop()
    for (const unwatch of this.#unwatch) unwatch()
    const signal = listening?.first()
    if (signal !== undefined) this.#ended(signal)
  }

  #ended(signal: NodeJS.Signals): void {
    if (this.#hasCut) process.exitCode ||= 1
    const others = othersFor(signal)
    this.#tell(signal, others)
    this.#releaseOutputs()
    isOver(this, {
      signal,
      warn: (message) => this.#say(Line.warning(message)),
      others: () => others,
      exits: true,
      // oxlint-disable-next-line no-process-exit -- the signal would have done it
      exit: () => flushed(() => process.exit())
    })
  }

  /** Those who have waited for the end of the drain hear of the signal that it began with, once. */
  #tell(signal: NodeJS.Signals, { named, runMain }: Others): void {
    HeldSignals.letThrough()
    if (this.#hasTold || (named.length === 0 && !runMain)) return
    this.#hasTold = true
    const whose = runMain ? [...named, "runMain"] : named
    const listeners = whose.length === 1 ? "the program's own listener" : `the ${whose.length} listeners of the program`
    this.#say(
      Line.info(
        `${signal}: what the servers owed is done; now ${listeners} for it run${whose.length === 1 ? "s" : ""} (${
          whose.join(", ")
        })`,
        { event: "ProgramTold", signal, listeners: whose }
      )
    )
    // what one throws is the program's own matter, as it always was
    setImmediate(() => HeldSignals.tell(signal))
  }
}
