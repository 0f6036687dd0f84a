import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import * as Runtime from "effect/Runtime"

export const withExitCode = (exit: Exit.Exit<unknown, unknown>, use: (code: number) => void): void =>
  Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause) ? use(0) : Runtime.defaultTeardown(exit, use)

const interrupted = 130

export const interruptedIsClean = (isClean: () => boolean): void => {
  process.once("exit", (code) => {
    if (code === interrupted && isClean()) process.exitCode = 0
  })
}
