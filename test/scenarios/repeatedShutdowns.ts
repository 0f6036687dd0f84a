/**
 * Many shutdowns of one child process, each by a real signal.
 */
import type { AppOptions } from "../conformance/stock/app.js"
import { type Child, withChild } from "../support/child.js"
import type { Target } from "../support/rawClient.js"

export interface Ended {
  readonly outcome: string
  readonly ms: number
  readonly served: number
  readonly cut: number
  readonly connections: {
    readonly open: number
    readonly accepted: number
    readonly completed: number
    readonly idleClosed: number
    readonly cut: number
  }
}

export interface Round {
  /** From 1. */
  readonly round: number
  readonly target: Target
  readonly child: Child
  /** SIGTERM and SIGINT by turns. */
  readonly signal: () => void
  /** What the report says, once the scope has closed. */
  readonly ended: () => Promise<Ended>
  readonly shutDown: () => Promise<Ended>
  /** The ids of all orders that were executed, in this round and before. */
  readonly executed: () => ReadonlySet<string>
}

/** Plays each shutdown, until one of them was enough. */
export const repeatShutdowns = (
  rounds: number,
  options: AppOptions,
  play: (round: Round) => Promise<void | "enough">
): Promise<void> =>
  withChild(
    new URL("./fixtures/repeatedShutdowns.ts", import.meta.url),
    [String(rounds), JSON.stringify(options)],
    async (child) => {
      for (let round = 1; round <= rounds; round++) {
        await child.line("ready", 30_000, round)
        const signal = () => child.signal(round % 2 === 1 ? "SIGTERM" : "SIGINT")
        const ended = async () => await child.line("ended", 15_000, round) as unknown as Ended
        const played = await play({
          round,
          target: await child.listening(1000, round),
          child,
          signal,
          ended,
          shutDown: () => {
            signal()
            return ended()
          },
          executed: () => new Set(child.linesOf("executed").map((line) => String(line["id"])))
        })
        if (played === "enough") return
      }
    }
  )

/** The ids of orders that were executed and whose clients do not know it. */
export const executedUnanswered = (executed: ReadonlySet<string>, answered: ReadonlySet<string>): Array<string> =>
  [...executed].filter((id) => !answered.has(id))
