/**
 * What drains the servers of a worker thread, when its main thread asks for that. The end of the thread, and of the
 * process, is not its matter.
 */
import * as Effect from "effect/Effect"
import type * as Runtime from "effect/Runtime"
import type * as Net from "node:net"
import { threadId } from "node:worker_threads"
import type { Phase, Policy } from "../model/policy.js"
import type { PlainService } from "../model/server.js"
import { flushed } from "../signals/processEnd.js"
import { stillOpen } from "../signals/signals.js"
import { viewOf } from "../telemetry/telemetry.js"
import { watchExit } from "./programExit.js"
import { Servers } from "./servers.js"
import * as ThisThread from "./thisThread.js"
import type { Demand } from "./threadChannel.js"

export class ThreadProgram {
  readonly #servers: Servers
  #isStopping = false
  #hasCut = false
  #unwatch: (() => void) | undefined

  constructor(policy: Policy, runtime: Runtime.Runtime<never>) {
    this.#servers = new Servers(policy, runtime, {
      opened: (service) => this.#opened(service),
      isStopping: () => this.#isStopping,
      closed: (_, report) => {
        if (report.cut.length > 0) this.#hasCut = true
      },
      settled: () => this.settle()
    }, Effect.annotateLogs({ pid: process.pid, role: `thread ${threadId} of` }))
    ThisThread.obeyWith((demand) => this.#obey(demand))
  }

  take(node: Net.Server): void {
    this.#servers.take(node)
  }

  /** A thread is only told of others by the main one. */
  join(): void {}

  #opened(service: PlainService): void {
    ThisThread.listens()
    this.#unwatch ??= watchExit({
      isStopping: () => this.#isStopping,
      log: this.#servers.say,
      servers: () => this.#servers.open,
      threads: () => [],
      what: "thread"
    })
    viewOf(service)?.telemetry.follow(() => this.#sayPhase())
  }

  #sayPhase(): void {
    const phases = Array.from(this.#servers.open, (server) => Effect.runSync(server.phase.get))
    const phase = (["LameDuck", "Draining", "Serving"] satisfies ReadonlyArray<Phase>).find((each) =>
      phases.includes(each)
    )
    if (phase !== undefined) ThisThread.sayPhase(phase)
  }

  #obey(demand: Demand["asks"]): void {
    const { run } = this.#servers
    const { open } = stillOpen(this.#servers.open)
    if (demand === "DrainNow") { for (const server of open) run(server.drainNow) }
    else if (demand === "Close") { for (const server of open) run(Effect.asVoid(server.close)) }
    else {
      this.#isStopping = true
      this.#hasCut = false
      for (const server of open) run(server.shutdown)
    }
  }

  settle(): void {
    if (this.#servers.open.size > 0) return
    this.#unwatch?.()
    this.#unwatch = undefined
    const hasCut = this.#hasCut
    this.#hasCut = false
    // what it has logged goes through the main thread, which may end the process at once
    flushed(() => {
      if (this.#servers.open.size > 0) return
      this.#isStopping = false
      ThisThread.closed(hasCut)
    })
  }
}
