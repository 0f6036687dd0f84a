/**
 * What the log and the spans make of what a drain tells.
 */
import type { ShutdownObserver } from "../drain/serverContext.js"
import { cuts } from "./log.js"
import { step } from "./shutdownSpans.js"
import type { WatchedServer } from "./telemetry.js"

export const observerOf = (server: () => WatchedServer): ShutdownObserver => ({
  step: (name, attributes = {}) =>
    step(name, {
      attributes,
      onStart: (span) => {
        if (name === "draining") server().telemetry.draining = span
      }
    }),
  deadlineExceeded: (handlers) => cuts(server(), handlers)
})
