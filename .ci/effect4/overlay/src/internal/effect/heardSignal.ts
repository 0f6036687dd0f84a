import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"

/** It listens for every one, and alone; who else interrupts its program does not show. */
export const hasHeardSignal = (exit: Exit.Exit<unknown, unknown>, signals: ReadonlyArray<NodeJS.Signals>): boolean =>
  Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause) &&
  signals.every((name) => process.listenerCount(name) === 1)
