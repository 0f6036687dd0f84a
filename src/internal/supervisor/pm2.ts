/**
 * PM2 waits for a message when a process starts, where `wait_ready` is set.
 */
import * as Effect from "effect/Effect"
import * as Line from "../log/line.js"

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
