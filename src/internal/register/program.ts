/**
 * A signal shuts down all servers of the process, and after that the program has its turn.
 */
import type * as Fiber from "effect/Fiber"
import * as Runtime from "effect/Runtime"
import type * as Net from "node:net"
import * as Line from "../log/line.js"
import { holdOutputs } from "../log/outputs.js"
import type { Policy } from "../model/policy.js"
import { setImmediate, setTimeout } from "../node/timers.js"
import type { ResolvedPolicy } from "../policy/policy.js"
import { type Others, othersFor } from "../signals/otherListeners.js"
import { begins, flushed, isOver } from "../signals/processEnd.js"
import { deliver } from "../signals/processSignals.js"
import { exitCodeOf, listen, type Listening, type Stoppable } from "../signals/signals.js"
import { AllServers } from "./allServers.js"
import * as EarlySignals from "./earlySignals.js"
import * as HeldSignals from "./heldSignals.js"
import type { Operators } from "./operators.js"
import { obeyPm2 } from "./pm2.js"
import { watchPrimary } from "./primary.js"
import { watchExit } from "./programExit.js"
import { Servers } from "./servers.js"
import { isAsked, type Settings } from "./settings.js"
import { tellSupervisors } from "./supervisors.js"
import type { Thread } from "./threads.js"
import { ThreadServers } from "./threadServers.js"

/** How long the last notification may take. */
const lastMillis = 2000

export class Program {
  readonly #servers: Servers
  readonly #threads: ThreadServers
  readonly #runtime: Runtime.Runtime<never>
  readonly #settings: Settings
  readonly #all: AllServers
  #operators: Operators | undefined
  #hasListened = false
  #telling: Fiber.RuntimeFiber<void> | undefined
  #listening: Listening | undefined = undefined
  #releaseOutputs = () => {}
  #unwatch: ReadonlyArray<() => void> = []
  /** Since the signal came. */
  #hasCut = false
  #hasTold = false
  /** The further signal that has closed what was open. */
  #forcedBy: NodeJS.Signals | undefined

  constructor(policy: Policy, resolved: ResolvedPolicy, settings: Settings, runtime: Runtime.Runtime<never>) {
    this.#runtime = runtime
    this.#settings = settings
    this.#servers = new Servers(policy, runtime, {
      opened: (service) => {
        this.#all.add(service)
        this.#listen()
      },
      isStopping: this.#isStopping,
      closed: (_, report) => {
        this.#cuts(report.cut.length > 0)
        this.#all.forgetClosed()
      },
      settled: () => this.settle()
    })
    this.#threads = new ThreadServers(resolved, this.#servers.say, {
      isStopping: this.#isStopping,
      closed: (hasCut) => {
        this.#cuts(hasCut)
        this.settle()
      }
    })
    this.#all = new AllServers({
      open: () => this.#open(),
      isStopping: this.#isStopping,
      drainNow: () => this.#drainNow()
    })
  }

  #open(): ReadonlyArray<Stoppable> {
    return [...this.#servers.open, ...this.#threads.open()]
  }

  take(node: Net.Server): void {
    this.#servers.take(node)
  }

  join(thread: Thread): void {
    this.#threads.add(thread)
    this.#listen()
  }

  readonly #isStopping = (): boolean => this.#listening?.first() !== undefined

  #cuts(hasCut: boolean): void {
    this.#hasCut ||= hasCut
  }

  #listen(): void {
    if (this.#listening !== undefined) return
    HeldSignals.hold()
    const { open, run, say } = this.#servers
    const isStopping = this.#isStopping
    this.#unwatch = [
      watchExit({ isStopping, log: say, servers: () => open, threads: () => this.#threads.ids(), what: "process" }),
      watchPrimary({ isStopping, log: say }),
      obeyPm2()
    ]
    this.#listening = listen(HeldSignals.signalNames, {
      run,
      log: run,
      servers: () => this.#open(),
      begin: () => this.#begin(),
      forced: (signal) => {
        this.#forcedBy = signal
      },
      givesUp: (signal) => this.#tell(signal, othersFor(signal)),
      othersWait: true
    })
    EarlySignals.stop()
    if (this.#hasListened) return
    this.#hasListened = true
    if (this.#settings.notify) this.#telling = Runtime.runFork(this.#runtime)(tellSupervisors(this.#all))
    if (isAsked(this.#settings)) void this.#operate()
  }

  /** Few programs have an admin listener, and all others do not load it. */
  async #operate(): Promise<void> {
    const { Operators } = await import("./operators.js")
    this.#operators = new Operators(this.#all, Runtime.runPromise(this.#runtime), this.#servers.say)
    this.#operators.listen(this.#settings)
  }

  /** As on SIGTERM, so that the program's own listeners for it have their turn, but without a lame duck. */
  #drainNow(): void {
    if (!this.#isStopping()) deliver("SIGTERM")
    for (const { drainNow } of this.#open()) this.#servers.run(drainNow)
  }

  #begin(): void {
    begins(this)
    this.#hasCut = false
    this.#hasTold = false
    this.#forcedBy = undefined
    this.#releaseOutputs = holdOutputs()
    this.#all.begins()
    for (const server of this.#servers.open) this.#servers.run(server.shutdown)
    this.#threads.shutdown()
  }

  /** Where nothing of ours is open, the program is as it was without us; unless a signal has asked for its end. */
  settle(): void {
    if (this.#servers.open.size > 0 || this.#threads.ids().length > 0) return
    HeldSignals.letThrough()
    EarlySignals.stop()
    const listening = this.#listening
    this.#listening = undefined
    listening?.stop()
    for (const unwatch of this.#unwatch) unwatch()
    const signal = listening?.first()
    if (signal === undefined) return
    this.#all.ends()
    this.#afterTold(() => this.#ended(signal))
  }

  /** The process may end at once after `then`, in the middle of what its supervisor is told. */
  #afterTold(then: () => void): void {
    const telling = this.#telling
    if (telling === undefined || telling.unsafePoll() !== null) return then()
    let isOver = false
    const once = () => {
      if (!isOver) then()
      isOver = true
    }
    telling.addObserver(once)
    setTimeout(once, lastMillis).unref()
  }

  #ended(signal: NodeJS.Signals): void {
    if (this.#forcedBy !== undefined) process.exitCode ||= exitCodeOf(this.#forcedBy)
    if (this.#hasCut) process.exitCode ||= 1
    const others = othersFor(signal)
    if (others.named.length === 0 && !others.runMain) this.#operators?.end()
    this.#tell(signal, others)
    this.#releaseOutputs()
    isOver(this, {
      signal,
      warn: (message) => this.#servers.say(Line.warning(message)),
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
    this.#servers.say(
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
