/**
 * PM2 waits for a message when a process starts, where `wait_ready` is set, and sends one that ends it.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Runtime from "effect/Runtime"
import * as Line from "../log/line.js"
import type { PlainService } from "../model/server.js"
import { deliver } from "../signals/processSignals.js"

export const pm2 = <A, E, R>(server: PlainService, layer: Layer.Layer<A, E, R>): Layer.Layer<A, E, R> =>
  Layer.unwrapScoped(Effect.gen(function*() {
    if (process.send === undefined) return layer
    const run = Runtime.runFork(yield* Effect.runtime<never>())
    const heard = (message: unknown) => {
      if (message !== "shutdown") return
      if (!deliver("SIGTERM")) run(Effect.interruptible(Effect.ignore(server.shutdown)))
    }
    yield* Effect.acquireRelease(
      // while somebody listens, the channel keeps the process alive
      Effect.sync(() => process.on("message", heard)),
      () => Effect.sync(() => process.off("message", heard))
    )
    return Layer.tap(layer, () => isReady)
  }))

export const isReady: Effect.Effect<void> = Effect.async<void>((resume) => {
  const told = (error: Error | null) =>
    resume(
      error === null
        ? Effect.void
        : Line.warning("The parent process could not be told that this one is ready; it goes on", {}, error)
    )
  if (process.send === undefined || !process.connected) return resume(Effect.void)
  process.send("ready", undefined, undefined, told)
})
