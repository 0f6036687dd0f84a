/**
 * Workers of `node:cluster` that are replaced one by one. The primary accepts, and hands each connection to a worker in
 * a message. One that is on its way to a worker that ends is lost: nobody closes it, and its client waits for ever. So
 * a worker that has closed its listeners asks the primary for a last answer, and drains until it has come: messages
 * keep their order, and by then it has seen every connection that was sent to it, and given back what it did not take.
 */
import * as Effect from "effect/Effect"
import Cluster from "node:cluster"
import * as Line from "../log/line.js"
import type { ServerService } from "../model/server.js"
import { nextMacrotask } from "../node/turn.js"
import { deliver } from "../signals/processSignals.js"
import type { ProgramService } from "../signals/program.js"
import { invalid, stillOpen } from "../signals/signals.js"

/** What workers and their primary say to each other. */
type Word = "ready" | "stop" | "further" | "leaving" | "left"

const key = "quiesce/Handoff"

const say = (word: Word, more: object = {}) => ({ ...more, [key]: word })

const wordOf = (message: unknown): unknown => fieldOf(message, key)

const fieldOf = (message: unknown, field: string): unknown =>
  typeof message === "object" && message !== null ? Reflect.get(message, field) : undefined

/** In a worker: the end of each drain waits for the primary's answer. */
export const lastAnswer = (server: ServerService) =>
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

export interface Worker {
  readonly pid: number
  readonly ready: Effect.Effect<void>
  readonly ended: Effect.Effect<string>
  readonly signal: (signal: NodeJS.Signals) => void
  /** For one that is ready. */
  readonly stop: () => void
  /** For one that was told to stop: the primary has had another signal. */
  readonly further: (signal: NodeJS.Signals) => void
  /** How long its servers may take to drain: milliseconds, known when it is ready. */
  readonly drain: () => number
}

/** In the primary: starts a worker, and gives it its last answer. */
export const fork = (): Worker => {
  const worker = Cluster.fork()
  const ready = Effect.unsafeMakeLatch(false)
  const over = Effect.unsafeMakeLatch(false)
  let how = "an error"
  let drain = 0
  worker.on("message", (message: unknown) => {
    const word = wordOf(message)
    if (word === "ready") {
      drain = Number(fieldOf(message, "drain"))
      ready.unsafeOpen()
    }
    if (word === "leaving") worker.send(say("left"), () => {})
  })
  worker.on("error", () => over.unsafeOpen())
  worker.process.once("exit", (code, signal) => {
    how = signal === null ? `exit code ${String(code)}` : `signal ${signal}`
    over.unsafeOpen()
  })
  const signal = (signal: NodeJS.Signals) => void worker.process.kill(signal)
  const tell = (word: Word, otherwise: NodeJS.Signals, more?: object) =>
    void worker.send(say(word, more), (error) => {
      if (error !== null) signal(otherwise)
    })
  return {
    pid: worker.process.pid ?? 0,
    ready: ready.await,
    ended: Effect.map(over.await, () => how),
    signal,
    stop: () => tell("stop", "SIGTERM"),
    further: (signal) => tell("further", signal, { signal }),
    drain: () => drain
  }
}
