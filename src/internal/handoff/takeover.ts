/**
 * The successor's part of a hand-over, and of every start: from here on this process accepts.
 */
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import * as Line from "../log/line.js"
import { HandoffFailed } from "../model/handoffFailed.js"
import type * as Conversation from "./conversation.js"
import type { Handover } from "./handover.js"

/** Waits for the predecessor to let go, accepts, and says so. */
export const begin = Effect.fnUntraced(function*(
  restore: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>,
  handover: Handover,
  predecessor: Conversation.Predecessor | undefined,
  pidFile: string | undefined
) {
  if (predecessor !== undefined && !(yield* restore(predecessor.ready))) {
    return yield* new HandoffFailed({
      reason: "TooLate",
      explanation: `Process ${predecessor.pid} does not wait for its successor any more`
    })
  }
  yield* handover.open
  handover.hasOpened()
  if (pidFile !== undefined) yield* holdPidFile(pidFile, handover)
  if (predecessor === undefined) return
  yield* predecessor.listening
  yield* Effect.annotateLogs(Line.info(`Took over from process ${predecessor.pid}`), "role", "successor")
})

const holdPidFile = (path: string, handover: Handover) =>
  Effect.acquireRelease(
    Effect.try({
      try: () => {
        const whole = `${path}.${process.pid}`
        Fs.writeFileSync(whole, `${process.pid}\n`)
        Fs.renameSync(whole, path)
      },
      catch: (cause) =>
        new HandoffFailed({
          reason: "PidFile",
          explanation: `Cannot write the PID to ${
            JSON.stringify(path)
          }. Choose a directory that this user may write to.`,
          cause
        })
    }),
    () => Effect.sync(() => {
      if (!handover.handedOver) Fs.rmSync(path, { force: true })
    })
  )
