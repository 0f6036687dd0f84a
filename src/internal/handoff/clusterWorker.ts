/**
 * A worker of `node:cluster` that is replaced. The primary accepts, and hands each connection to a worker in a message.
 * One that is on its way to a worker that ends is lost: nobody closes it, and its client waits for ever. So a worker that
 * has closed its listeners asks the primary for a last answer, and drains until it has come: messages keep their order,
 * and by then it has seen every connection that was sent to it, and given back what it did not take.
 */
import * as Effect from "effect/Effect"
import Cluster from "node:cluster"
import * as Line from "../log/line.js"
import type { PlainService } from "../model/server.js"
import { nextMacrotask } from "../node/turn.js"
import { deliver } from "../signals/processSignals.js"
import type { ProgramService } from "../signals/program.js"
import { invalid, stillOpen } from "../signals/signals.js"
import { fieldOf, say, wordOf } from "./clusterMessage.js"

/** In a worker: the end of each drain waits for the primary's answer. */
export const lastAnswer = (server: PlainService) =>
  Cluster.isWorker
    ? Effect.ignore(server.onShutdown("leave the cluster", Effect.suspend(() => ask), { timeout: "5 seconds" }))
    : Effect.void

const ask = Effect.async<void>((resume) => {
  const hear = (message: unknown) => {
    if (wordOf(message) === "left") done()
  }
  const done = () => {
    process.off("message", hear)
    process.off("disconnect", done)
    resume(Effect.void)
  }
  process.on("message", hear)
  process.on("disconnect", done)
  if (process.connected) process.send?.(say("leaving"))
  else done()
  return Effect.sync(() => {
    process.off("message", hear)
    process.off("disconnect", done)
  })
})

/** In a worker: it is built, and its servers may take so long to drain. One that has no deadline says so by a string. */
export const sayReady = ({ servers }: ProgramService): Effect.Effect<void> =>
  Effect.sync(() => {
    if (!Cluster.isWorker || !process.connected) return
    const drain = Array.from(servers.values()).reduce((sum, { drainMillis }) => sum + drainMillis, 0)
    process.send?.(say("ready", { drain: String(drain) }))
  })

/** What the primary asks of a worker. */
export interface Obeying {
  readonly isStopping: () => boolean
  /** The program handles signals by itself. */
  readonly handlesSignals: boolean
  readonly program: ProgramService
}

/**
 * In a worker, until the scope closes: what the primary's words do. A signal to the whole group (Ctrl-C, systemd) has
 * reached both, and another one would be its second, which cuts what is open.
 */
export const obey = ({ handlesSignals, isStopping, program }: Obeying) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const signals = ["SIGTERM", "SIGINT"] as const
      const told = Effect.zipRight(nextMacrotask, nextMacrotask).pipe(
        Effect.map(() => {
          if (isStopping()) return
          process.kill(process.pid, "SIGTERM")
          // the group's may come later than the word
          if (!handlesSignals) { for (const signal of signals) process.on(signal, ignore) }
        })
      )
      const further = (signal: NodeJS.Signals) => {
        if (handlesSignals) return void deliver(signal)
        const { lameDucks, open } = stillOpen(program.servers.keys())
        program.log(Line.warning(`Another ${signal}: ${lameDucks.length > 0 ? "draining" : "closing"} at once`))
        for (const server of lameDucks) program.run(server.drainNow)
        if (lameDucks.length === 0) { for (const server of open) program.run(Effect.asVoid(server.close)) }
      }
      const hear = (message: unknown) => {
        const word = wordOf(message)
        if (word === "stop") Effect.runFork(told)
        if (word === "further") further(signalOf(message))
      }
      if (Cluster.isWorker) process.on("message", hear)
      return () => {
        process.off("message", hear)
        for (const signal of signals) process.off(signal, ignore)
      }
    }),
    (release) => Effect.sync(release)
  )

const signalOf = (message: unknown): NodeJS.Signals => {
  const signal = fieldOf(message, "signal") as NodeJS.Signals
  return invalid([signal], "a signal") === undefined ? signal : "SIGTERM"
}

const ignore = () => {}
