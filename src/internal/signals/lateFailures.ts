/**
 * What a program fails with after its servers have closed, as a finalizer of something else does. `runMain` logs nothing of
 * a program that was interrupted, and a signal interrupts it. `Signals.handle` and `Signals.teardown` are told of its end,
 * and say it. Under stock `runMain` nobody is: there the log has at least that it was so.
 */
import * as Cause from "effect/Cause"
import type * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { defects } from "../effect/causes.js"
import * as Line from "../log/line.js"
import { DeadlineExceeded } from "../model/errors.js"
import { HandoffFailed } from "../model/handoffFailed.js"

type Log = (line: Effect.Effect<void>) => void

/** The server, and the primary of workers, have said in the log what has become of their shutdown. */
const isLogged = (defect: unknown): boolean => defect instanceof DeadlineExceeded || defect instanceof HandoffFailed

/** Logs what a program has died with, but for what the log has. */
export const logFailures = (cause: Cause.Cause<unknown>, log: Log): void => {
  for (const defect of defects(cause)) {
    if (!isLogged(defect)) log(Line.error("Failed after the shutdown", {}, Cause.die(defect)))
  }
}

/** Logs with the server that was closed last, as its program was interrupted, and that nothing else speaks for. */
let log: Log | undefined
/** What the process may end with 1 for is in the log. */
let isSaid = false

/** What `runMain` has for a program that has failed. */
const failed = 1

const onProcessExit = (code: number): void => {
  if (code !== failed || isSaid) return
  log?.(Line.warning(
    "The server has shut down, and the process exits with 1. If a finalizer has failed, `runMain` does not say so of a "
      + "program that was interrupted: give it `teardown: Signals.teardown`, which does"
  ))
}

/** A server of a program that `runMain` runs, and that handles no signals by itself, has closed for this, and like this. */
export const serverClosed = (why: Exit.Exit<unknown, unknown>, exit: Exit.Exit<void>, run: Log): void => {
  if (!Exit.isInterrupted(why)) return
  if (Exit.isFailure(exit)) isSaid = true
  if (log === undefined) process.once("exit", onProcessExit)
  log = run
}

/** The program has ended like this. */
export const programEnded = (exit: Exit.Exit<unknown, unknown>): void => {
  if (log === undefined || Exit.isSuccess(exit) || !Exit.isInterrupted(exit)) return
  isSaid = true
  logFailures(exit.cause, log)
}
