/**
 * What begins a shutdown of a program without Effect, beside its own call: a signal, an error that nobody has caught, a
 * successor.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import { monotonicMillis } from "../effect/clock.js"
import * as Line from "../log/line.js"
import type { Reason } from "../model/promise.js"
import { begins, isOver, settle } from "../signals/processEnd.js"
import { exitCodeOf, listen, type Listening } from "../signals/signals.js"
import type { RunningServer } from "./plainServer.js"
import type { Settings } from "./promiseOptions.js"
import * as Uncaught from "./uncaught.js"

export class Reasons {
  readonly #running: RunningServer
  readonly #listening: Listening
  readonly #uncaught: Uncaught.Uncaught
  #hasHandedOver = false
  #forcedBy: NodeJS.Signals | undefined

  constructor(running: RunningServer, { signals, uncaught }: Pick<Settings, "signals" | "uncaught">) {
    const { begin, server, sync } = running
    this.#running = running
    this.#listening = listen(signals, {
      now: monotonicMillis(sync(Effect.clock)),
      run: begin,
      log: begin,
      servers: () => [server],
      begin: () => begin(server.shutdown),
      forced: (signal) => {
        this.#forcedBy = signal
      },
      raised: settle
    })
    this.#uncaught = uncaught ? Uncaught.listen(this.#onUncaught) : Uncaught.ignore
  }

  get reason(): Reason {
    return {
      signal: this.#listening.first(),
      ...this.#uncaught.first(),
      ...(this.#hasHandedOver ? { handedOver: true } : undefined)
    }
  }

  /** A shutdown has begun, for any reason. */
  begins(): void {
    begins(this)
  }

  /** A successor accepts. */
  handedOver(): void {
    this.#hasHandedOver = true
  }

  /** What the process is to exit with, where this end is the end of the program. */
  setExitCode(hasFailed: boolean): void {
    if (this.#forcedBy !== undefined) process.exitCode ||= exitCodeOf(this.#forcedBy)
    const isEnd = this.#listening.first() !== undefined || this.#hasHandedOver
    if (isEnd && hasFailed) process.exitCode ||= 1
  }

  /** All is over: where one of these has asked for it, the process ends. */
  isOver(): void {
    this.#listening.stop()
    this.#uncaught.stop()
    const signal = this.#listening.first()
    const isAsked = signal !== undefined || this.#uncaught.first() !== undefined || this.#hasHandedOver
    const { warn } = this.#running
    isOver(this, isAsked ? { signal, warn, others: () => this.#listening.others(), exits: true } : undefined)
  }

  readonly #onUncaught = (error: unknown, origin: NodeJS.UncaughtExceptionOrigin, isFirst: boolean): void => {
    const { begin, server, sync } = this.#running
    const what = origin === "unhandledRejection"
      ? "A rejection that nobody handles"
      : "An exception that nobody has caught"
    const then = isFirst ? "shutting down" : "the shutdown goes on"
    sync(Line.error(`${what}: ${then}`, { event: "Uncaught", origin }, Cause.die(error)))
    begin(server.shutdown)
  }
}
