/**
 * Whose signal a program ends for. It is beside `teardown.ts`, since programs without the platform ask it, too.
 */
import type * as Exit from "effect/Exit"

/** Whether a program that ends like that does so for a signal that `runMain` has heard: it listens for the first one only. */
export const hasHeardSignal = (_exit: Exit.Exit<unknown, unknown>, signals: ReadonlyArray<NodeJS.Signals>): boolean =>
  signals.every((name) => process.listenerCount(name) === 0)
