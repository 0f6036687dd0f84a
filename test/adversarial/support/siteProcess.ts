/** A site in a process of its own, and what a test tells that process. */
import { expect } from "vitest"
import type { Shutdown } from "../../../src/index.js"
import { type Child, type Line, type StartOptions, withChild } from "../../support/child.js"
import type { Kind } from "./site.js"

export const limit = 30_000

export interface SiteProcess {
  readonly child: Child
  readonly port: number
  /** Tells the process to do something, and waits until it has. */
  readonly tell: (command: string, said: string) => Promise<Line>
  /** Its report, once it has ended of its own accord. */
  readonly ended: (limitMs: number) => Promise<Line>
}

/** Runs `use` with a site in a process of its own; afterwards that has complained of nothing. */
export const withSiteProcess = (
  kind: Kind,
  policy: Shutdown.Policy,
  use: (siteProcess: SiteProcess) => Promise<void>,
  options?: StartOptions
): Promise<void> =>
  withChild(new URL("fixtures/site.ts", import.meta.url), [kind, JSON.stringify(policy)], async (child) => {
    const target = await child.listening()
    if (!("port" in target)) throw new Error("it listens on no port")
    await use({
      child,
      port: target.port,
      tell: (command, said) => {
        const already = child.linesOf(said).length
        child.write(`${command}\n`)
        return child.line(said, limit, already + 1)
      },
      ended: async (limitMs) => {
        const report = await child.line("report", limitMs)
        expect(await child.exit(limit)).toMatchObject({ signal: null })
        return report
      }
    })
    await child.exit(limit)
    expect((await child.line("ended", limit))["processErrors"]).toEqual([])
  }, options)
