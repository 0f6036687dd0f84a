/**
 * The primary of `node:cluster` in a program without Effect.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Runtime from "effect/Runtime"
import { unsafeInterrupt } from "../effect/fibers.js"
import * as RealTime from "../effect/realTime.js"
import { launchWorkers, optionNames } from "../handoff/workers.js"
import * as Line from "../log/line.js"
import type { PlainWorkersOptions } from "../model/promiseOptions.js"
import { assertNames } from "../policy/optionNames.js"
import { begins, isOver, settle } from "../signals/processEnd.js"
import { Program, ProgramService } from "../signals/program.js"
import { listen } from "../signals/signals.js"
import { logging } from "./promiseLog.js"
import { validateLogger } from "./promiseOptions.js"

export const launch = async (options: PlainWorkersOptions): Promise<void> => {
  // a program without types may pass none
  assertNames("options", options, [...optionNames, "logger"])
  const { logger, ...workers } = options
  validateLogger(logger)
  const runtime = Effect.runSync(Effect.provide(RealTime.runtime, logging(logger)))
  const run = (effect: Effect.Effect<unknown>) => void Runtime.runFork(runtime)(effect)
  const program = new ProgramService(run)
  const fiber = Runtime.runFork(runtime)(
    launchWorkers(workers).pipe(Effect.provideService(Program, program), Effect.interruptible)
  )
  const shutdown = {}
  const listening = listen(["SIGTERM", "SIGINT"], {
    run,
    log: run,
    servers: () => [],
    begin: () => {
      begins(shutdown)
      unsafeInterrupt(fiber)
    },
    raised: settle,
    forwardSignal: (signal) => program.workers?.forwardSignal(signal) ?? []
  })
  const exit = await new Promise<Exit.Exit<never, unknown>>((resolve) => fiber.addObserver(resolve))
  listening.stop()
  const failed = Exit.isFailure(exit) && !Cause.isInterruptedOnly(exit.cause) ? exit.cause : undefined
  if (failed !== undefined) process.exitCode ||= 1
  const signal = listening.first()
  const warn = (message: string) => run(Line.warning(message))
  isOver(shutdown, signal && { signal, warn, others: () => listening.others(), exits: true })
  if (failed !== undefined) throw Cause.squash(failed)
}
