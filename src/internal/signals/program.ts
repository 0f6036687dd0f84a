/**
 * What stands between the signals of a process and the servers of the program that handles them. A program that does
 * not handle any has a default that nothing comes of.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type { ServerService } from "../model/server.js"

export interface ProgramService {
  /** The fiber that the program runs in. */
  main: Fiber.RuntimeFiber<unknown, unknown> | undefined
  /** The server whose end the main fiber waits for: its shutdown ends the program, with its report. */
  launched: ServerService | undefined
  /** Those that have not closed yet, and how long each may take to drain, in milliseconds. */
  readonly servers: Map<ServerService, number>
  /** Logs where the servers log: loggers are often provided to them, and not to the whole program. */
  run: (effect: Effect.Effect<void>) => void
  /** Passes a further signal on to the workers that still drain, and says which these are. */
  forwardSignal: ((signal: NodeJS.Signals) => ReadonlyArray<number>) | undefined
}

export const makeProgram = (run: ProgramService["run"]): ProgramService => ({
  main: undefined,
  launched: undefined,
  servers: new Map(),
  run,
  forwardSignal: undefined
})

export class Program extends Context.Reference<Program>()("quiesce/Program", {
  defaultValue: (): ProgramService | undefined => undefined
}) {}

/**
 * Waits for the end of a server. Where this is all that a program does, a signal shuts that server down, and what
 * comes after it gets the report. Elsewhere a signal interrupts, so that nothing beside it goes on for ever.
 */
export const untilClosed = (server: ServerService): ServerService["closed"] =>
  Effect.flatMap(Program, (program) =>
    Effect.withFiberRuntime((fiber) => {
      if (program === undefined || program.main !== fiber) return server.closed
      return Effect.acquireUseRelease(
        Effect.sync(() => {
          program.launched = server
        }),
        () => server.closed,
        () =>
          Effect.sync(() => {
            program.launched = undefined
          })
      )
    }))
