/**
 * Looking at a server again and again: for its metrics, for a status on a terminal.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { unsafeInterrupt } from "../effect/fibers.js"
import * as RealTime from "../effect/realTime.js"
import * as Line from "../log/line.js"
import type { Report } from "../model/report.js"
import type { PlainService } from "../model/server.js"
import { viewOf, type WatchedServer } from "./telemetry.js"

export interface Watch {
  readonly look: () => void
  /** How long until the next look, in milliseconds; `Infinity`: when a shutdown begins. */
  readonly pause: (stopping: boolean) => number
  /** The scope has closed, and the server serves on: there is nothing to look at until a shutdown begins. */
  readonly onRelease: () => void
  /** The server has shut down, and nobody has been told yet. */
  readonly onReport: (report: Report) => void
}

/**
 * Looks until the scope closes, and from the beginning of a shutdown to its end in any case: what is built on a server
 * is released before it, and often before its shutdown begins. A stand-in for a server has nothing to look at.
 */
export const watch = (
  server: PlainService,
  make: (view: WatchedServer) => Watch
): Effect.Effect<void, never, Scope.Scope> =>
  Effect.suspend(() => {
    const view = viewOf(server)
    if (view === undefined || view.telemetry.phase === "Closed") return Effect.void
    const { telemetry } = view
    const { look, onRelease, onReport, pause } = make(view)
    const over = Effect.unsafeMakeLatch(false)
    let released = false
    const sleep = (millis: number) => Number.isFinite(millis) ? RealTime.sleep(millis) : Effect.never
    const once = Effect.suspend(() => {
      if (telemetry.startedAt !== undefined) {
        look()
        return sleep(pause(true))
      }
      if (released) {
        onRelease()
        return server.shuttingDown
      }
      const millis = pause(false)
      if (Number.isFinite(millis)) look()
      return Effect.raceFirst(sleep(millis), Effect.raceFirst(server.shuttingDown, over.await))
    }).pipe(
      // what cannot be shown must not stop anything
      Effect.catchAllCause((cause) =>
        Effect.zipRight(Line.debug("A look at the server failed", {}, cause), sleep(1000))
      )
    )
    return Effect.flatMap(Effect.forkDaemon(Effect.interruptible(Effect.forever(once))), (fiber) => {
      telemetry.reporting.add((report) => {
        unsafeInterrupt(fiber)
        onReport(report)
      })
      return Effect.addFinalizer(() =>
        Effect.suspend(() => {
          released = true
          return over.open
        })
      )
    })
  })
