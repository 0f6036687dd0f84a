/**
 * A worker of `node:cluster`, as its primary sees it.
 */
import * as Effect from "effect/Effect"
import Cluster from "node:cluster"
import { fieldOf, say, type Word, wordOf } from "./clusterMessage.js"

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
