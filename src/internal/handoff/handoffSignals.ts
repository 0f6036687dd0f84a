/**
 * The signals that start a hand-over, or replace the workers.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { isMainThread } from "node:worker_threads"
import * as Line from "../log/line.js"
import type { InvalidPolicy } from "../model/errors.js"
import { DuplicateWindow } from "../signals/duplicates.js"
import { invalid, isKnown } from "../signals/signals.js"
import type { Upgrader } from "./upgrader.js"

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

/**
 * What a signal that asks for a hand-over does. Each asks for what is on the disk when it comes: where it comes while a
 * successor starts, that one may be out of date, and another hand-over follows.
 */
export class HandoffSignals {
  readonly #upgrader: Upgrader
  readonly #isSuccessor: boolean
  readonly #run: (effect: Effect.Effect<void>) => void
  #early: NodeJS.Signals | undefined = undefined
  /** Another hand-over follows the one that is under way. */
  #again = false
  readonly #duplicates = new DuplicateWindow()

  constructor(upgrader: Upgrader, isSuccessor: boolean, run: (effect: Effect.Effect<void>) => void) {
    this.#upgrader = upgrader
    this.#isSuccessor = isSuccessor
    this.#run = run
  }

  heard(signal: NodeJS.Signals): void {
    if (this.#upgrader.isUpgrading && this.#duplicates.isOpen) return
    this.#duplicates.open()
    if (this.#upgrader.isStarting && this.#isSuccessor) {
      if (this.#early === undefined) this.#run(Line.info(`${signal}: handing over once this process serves`))
      this.#early = signal
    } else if (this.#upgrader.isUpgrading) this.#follow(signal)
    else this.#handOver(signal)
  }

  /** The program serves from now on. */
  serves(): void {
    if (this.#early !== undefined) this.#handOver(this.#early)
    this.#early = undefined
  }

  #handOver(signal: NodeJS.Signals): void {
    this.#run(
      Line.info(`${signal}: handing over to a successor`).pipe(
        Effect.zipRight(this.#upgrader.upgrade),
        Effect.catchAll(({ cause, message }) =>
          Line.error(`Not handed over, this process goes on as before: ${message}`, {}, cause)
        )
      )
    )
  }

  #follow(signal: NodeJS.Signals): void {
    if (this.#again) return
    this.#again = true
    this.#run(
      Line.info(`${signal}: a hand-over is under way, and another one follows it`).pipe(
        Effect.zipRight(Effect.exit(this.#upgrader.upgrade)),
        Effect.flatMap((exit) => {
          this.#again = false
          return Exit.isSuccess(exit) ? passOn(signal, exit.value.pid) : Effect.sync(() => this.#handOver(signal))
        })
      )
    )
  }
}

const passOn = (signal: NodeJS.Signals, pid: number): Effect.Effect<void> =>
  Effect.try(() => process.kill(pid, signal)).pipe(
    Effect.zipRight(Line.info(`${signal}: passed on to process ${pid}, which hands over in its turn`)),
    Effect.catchAll(({ cause }) => Line.error(`${signal} could not be passed on to process ${pid}`, {}, cause))
  )

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
