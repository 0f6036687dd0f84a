import * as Effect from "effect/Effect"
import { clearImmediate, setImmediate } from "./timers.js"

/** One turn of the event loop: what has arrived by now is read in it. */
export const nextMacrotask: Effect.Effect<void> = Effect.async<void>((resume) => {
  const immediate = setImmediate(() => resume(Effect.void))
  return Effect.sync(() => clearImmediate(immediate))
})
