/**
 * The signals that start a hand-over, or replace the workers.
 */
import * as Effect from "effect/Effect"
import { isMainThread } from "node:worker_threads"
import type { InvalidPolicy } from "../model/errors.js"
import { invalid, isKnown } from "../signals/signals.js"

/** Those that were asked for, if a process can listen for them. */
export const chosen = (
  asked: ReadonlyArray<NodeJS.Signals> | undefined
): Effect.Effect<ReadonlyArray<NodeJS.Signals>, InvalidPolicy> =>
  Effect.suspend(() => {
    const signals = asked ?? defaultSignals()
    return invalid(signals, `a list of signals that a process can listen for, such as ["SIGHUP"]`)
      ?? Effect.succeed(signals)
  })

/** None in a worker thread, where no signal arrives. */
const defaultSignals = (): ReadonlyArray<NodeJS.Signals> =>
  !isMainThread ? [] : (process.stdin.isTTY ? ["SIGUSR2"] as const : ["SIGUSR2", "SIGHUP"] as const).filter(isKnown)

export const listen = (signals: ReadonlyArray<NodeJS.Signals>, heard: (signal: NodeJS.Signals) => void) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      for (const signal of signals) process.on(signal, heard)
    }),
    () =>
      Effect.sync(() => {
        for (const signal of signals) process.off(signal, heard)
      })
  )
