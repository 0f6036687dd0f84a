/**
 * A signal shuts down all servers of the process, and after that the program has its turn.
 */
import type * as Runtime from "effect/Runtime"
import type * as Net from "node:net"
import * as Line from "../log/line.js"
import { holdOutputs } from "../log/outputs.js"
import type { Policy } from "../model/policy.js"
import { setImmediate } from "../node/timers.js"
import type { ResolvedPolicy } from "../policy/policy.js"
import { type Others, othersFor } from "../signals/otherListeners.js"
import { begins, flushed, isOver } from "../signals/processEnd.js"
import { exitCodeOf, listen, type Listening } from "../signals/signals.js"
import * as EarlySignals from "./earlySignals.js"
import * as HeldSignals from "./heldSignals.js"
import { obeyPm2 } from "./pm2.js"
import { watchPrimary } from "./primary.js"
import { watchExit } from "./programExit.js"
import { Servers } from "./servers.js"
import type { Thread } from "./threads.js"
import { ThreadServers } from "./threadServers.js"

export class Program {
  readonly #servers: Servers
  readonly #threads: ThreadServers
  #listening: Listening | undefined = undefined
  #releaseOutputs = () => {}
  #unwatch: ReadonlyArray<() => void> = []
  /** Since the signal came. */
  #hasCut = false
  #hasTold = false
  /** The further signal that has closed what was open. */
  #forcedBy: NodeJS.Signals | undefined

  constructor(policy: Policy, resolved: ResolvedPolicy, runtime: Runtime.Runtime<never>) {
    this.#servers = new Servers(policy, runtime, {
      opened: () => this.#listen(),
      isStopping: this.#isStopping,
      closed: (_, report) => this.#cuts(report.cut.length > 0),
      settled: () => this.settle()
    })
    this.#threads = new ThreadServers(resolved, this.#servers.say, {
      isStopping: this.#isStopping,
      closed: (hasCut) => {
        this.#cuts(hasCut)
        this.settle()
      }
    })
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
      servers: () => [...open, ...this.#threads.open()],
      begin: () => this.#begin(),
      forced: (signal) => {
        this.#forcedBy = signal
      },
      givesUp: (signal) => this.#tell(signal, othersFor(signal)),
      othersWait: true
    })
    EarlySignals.stop()
  }

  #begin(): void {
    begins(this)
    this.#hasCut = false
    this.#hasTold = false
    this.#forcedBy = undefined
    this.#releaseOutputs = holdOutputs()
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
    if (signal !== undefined) this.#ended(signal)
  }

  #ended(signal: NodeJS.Signals): void {
    if (this.#forcedBy !== undefined) process.exitCode ||= exitCodeOf(this.#forcedBy)
    if (this.#hasCut) process.exitCode ||= 1
    const others = othersFor(signal)
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
