/**
 * Workers of `node:cluster` that are replaced one by one. The primary accepts, and hands each connection to a worker in
 * a message. One that is on its way to a worker that ends is lost: nobody closes it, and its client waits for ever. So
 * a worker that has closed its listeners asks the primary for a last answer, and drains until it has come: messages
 * keep their order, and by then it has seen every connection that was sent to it, and given back what it did not take.
 */
import * as Effect from "effect/Effect"
import Cluster from "node:cluster"
import type { ServerService } from "../Server.js"
import { turn } from "./turn.js"

/** What workers and their primary say to each other. */
type Word = "ready" | "stop" | "leaving" | "left"

const key = "quiesce/Handoff"

const say = (word: Word) => ({ [key]: word })

const wordOf = (message: unknown): unknown =>
  typeof message === "object" && message !== null ? Reflect.get(message, key) : undefined

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

/** In a worker: it is built. */
export const sayReady: Effect.Effect<void> = Effect.sync(() => {
  if (Cluster.isWorker && process.connected) process.send?.(say("ready"))
})

/**
 * In a worker, until the scope closes: what the primary's word to stop does. A signal to the whole group (Ctrl-C, systemd)
 * has reached both, and another one would be its second, which cuts what is open.
 */
export const obey = (isStopping: () => boolean) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const signals = ["SIGTERM", "SIGINT"] as const
      const told = Effect.zipRight(turn, turn).pipe(
        Effect.map(() => {
          if (isStopping()) return
          process.kill(process.pid, "SIGTERM")
          // the group's may come later than the word
          for (const signal of signals) process.on(signal, ignore)
        })
      )
      const hear = (message: unknown) => {
        if (wordOf(message) === "stop") Effect.runFork(told)
      }
      if (Cluster.isWorker) process.on("message", hear)
      return () => {
        process.off("message", hear)
        for (const signal of signals) process.off(signal, ignore)
      }
    }),
    (release) => Effect.sync(release)
  )

const ignore = () => {}

export interface Worker {
  readonly pid: number
  readonly ready: Effect.Effect<void>
  readonly ended: Effect.Effect<string>
  readonly signal: (signal: NodeJS.Signals) => void
  /** For one that is ready. */
  readonly stop: () => void
}

/** In the primary: starts a worker, and gives it its last answer. */
export const fork = (): Worker => {
  const worker = Cluster.fork()
  const ready = Effect.unsafeMakeLatch(false)
  const over = Effect.unsafeMakeLatch(false)
  let how = "an error"
  worker.on("message", (message: unknown) => {
    const word = wordOf(message)
    if (word === "ready") ready.unsafeOpen()
    if (word === "leaving") worker.send(say("left"), () => {})
  })
  worker.on("error", () => over.unsafeOpen())
  worker.process.once("exit", (code, signal) => {
    how = signal === null ? `exit code ${String(code)}` : `signal ${signal}`
    over.unsafeOpen()
  })
  const signal = (signal: NodeJS.Signals) => void worker.process.kill(signal)
  return {
    pid: worker.process.pid ?? 0,
    ready: ready.await,
    ended: Effect.map(over.await, () => how),
    signal,
    stop: () =>
      worker.send(say("stop"), (error) => {
        if (error !== null) signal("SIGTERM")
      })
  }
}
