/** A primary with two workers, and what it has logged. */
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { type Child, untilLogged, withChild } from "../../support/child.js"
import type { Options } from "./fixtures/workers.js"
import { limit } from "./handoffProcesses.js"

export const fixture = new URL("fixtures/workers.ts", import.meta.url)

export const untilWorkersServe = (child: Child) => untilLogged(child, "2 workers serve")

/** The workers that are ready, and have not ended. */
export const workerPids = (child: Child): ReadonlyArray<number> =>
  child.linesOf("listening").map(({ pid }) => Number(pid)).filter((pid) => {
    try {
      return process.kill(pid, 0)
    } catch {
      return false
    }
  })

export const portOf = async (child: Child): Promise<number> => Number((await child.line("listening", limit)).port)

/** With a file: what is written into it makes the next workers fail, or slow. */
export const withWorkers =
  (options: Options, use: (child: Child, next: (mode: string) => void) => Promise<void>, first = "") => async () => {
    const directory = Fs.mkdtempSync(Path.join(Os.tmpdir(), "quiesce-workers-"))
    const control = Path.join(directory, "control")
    const next = (mode: string) => Fs.writeFileSync(control, mode)
    next(first)
    try {
      await withChild(fixture, [control, JSON.stringify(options)], (child) => use(child, next))
    } finally {
      Fs.rmSync(directory, { recursive: true, force: true })
    }
  }
