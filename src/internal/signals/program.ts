/**
 * What stands between the signals of a process and the servers of the program that handles them. A program that does
 * not handle any has a default that nothing comes of.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import { type Loggers, withLoggers } from "../effect/logs.js"
import type { Phase } from "../model/policy.js"
import type { PlainService } from "../model/server.js"

type Run = (effect: Effect.Effect<void>) => void

/** A server of the program. */
export interface ProgramServer {
  /** How long it may take to drain, in milliseconds. */
  readonly drainMillis: number
  /** What it logs with. */
  readonly loggers: Loggers
  /** Runs an effect as the server does what it does by itself. */
  readonly run: Run
  /** Calls with its phase of now, and each one after it, until what it returns is called. */
  readonly follow: (tell: (phase: Phase) => void) => () => void
}

/** The workers of a primary. */
export interface ProgramWorkers {
  /** Those that have not ended. */
  readonly pids: ReadonlyArray<number>
  /** Passes a further signal on to them, and says which these are. */
  readonly forwardSignal: (signal: NodeJS.Signals) => ReadonlyArray<number>
}

export class ProgramService {
  /** The fiber that the program runs in. */
  main: Fiber.RuntimeFiber<unknown, unknown> | undefined = undefined
  /** The server whose end the main fiber waits for: its shutdown ends the program, with its report. */
  launched: PlainService | undefined = undefined
  /** In a primary. */
  workers: ProgramWorkers | undefined = undefined
  /** Runs what no server does, and logs while there is none: as the innermost of what the program is provided with. */
  run: Run
  readonly #servers = new Map<PlainService, ProgramServer>()
  /** Those that have closed since one was added. */
  #closed: Array<ProgramServer> = []

  constructor(run: Run) {
    this.run = run
  }

  /** Those that have not closed yet. */
  get servers(): ReadonlyMap<PlainService, ProgramServer> {
    return this.#servers
  }

  add(service: PlainService, server: ProgramServer): void {
    this.#closed = []
    this.#servers.set(service, server)
  }

  closed(service: PlainService): void {
    const server = this.#servers.get(service)
    if (server !== undefined) this.#closed.push(server)
    this.#servers.delete(service)
  }

  /**
   * Logs what concerns all servers: once with each of their loggers, for these are often provided to the servers, and not
   * to the whole program.
   */
  log(line: Effect.Effect<void>): void {
    const servers = [...this.#closed, ...this.#servers.values()]
    const last = servers.at(-1)
    if (last === undefined) this.run(line)
    else last.run(withLoggers(servers.map(({ loggers }) => loggers))(line))
  }
}

export class Program extends Context.Reference<Program>()("quiesce/Program", {
  defaultValue: (): ProgramService | undefined => undefined
}) {}

/**
 * Waits for the end of a server. Where this is all that a program does, a signal shuts that server down, and what
 * comes after it gets the report. Elsewhere a signal interrupts, so that nothing beside it goes on for ever.
 */
export const untilClosed = (server: PlainService): PlainService["closed"] =>
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
