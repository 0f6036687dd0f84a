/** What the steps of a proof have done, a line each: it is there when the proof goes on, on another day as well. */
import * as Fs from "node:fs"
import * as Path from "node:path"
import { poissonInterval } from "../../../src/internal/plan/statistics.js"
import type { Done } from "./proof.js"

export interface Step extends Done {
  readonly seed: number
  readonly at: string
  readonly seconds: number
  readonly node: string
  readonly effect: string
  readonly machine: string
  /** Of this repository; it ends with "+" where files differed from it. */
  readonly commit: string
}

export interface Record {
  /** The name of its file, which begins with that of its proof. */
  readonly name: string
  readonly steps: ReadonlyArray<Step>
  readonly add: (step: Step) => void
}

const suffix = ".jsonl"

/** A line that was cut as the process ended is none. */
const parsed = (line: string): ReadonlyArray<Step> => {
  try {
    return [JSON.parse(line) as Step]
  } catch {
    return []
  }
}

export const recordIn = (directory: string, name: string): Record => {
  const file = Path.join(directory, `${name}${suffix}`)
  Fs.mkdirSync(directory, { recursive: true })
  return {
    name,
    // others may add to it meanwhile
    get steps() {
      return Fs.existsSync(file) ? Fs.readFileSync(file, "utf8").split("\n").flatMap(parsed) : []
    },
    add: (step) => Fs.appendFileSync(file, `${JSON.stringify(step)}\n`)
  }
}

export const recordsIn = (directory: string): ReadonlyArray<Record> =>
  Fs.existsSync(directory)
    ? Fs.readdirSync(directory)
      .filter((file) => file.endsWith(suffix))
      .toSorted()
      .map((file) => recordIn(directory, file.slice(0, -suffix.length)))
    : []

export const sum = (numbers: ReadonlyArray<number>): number => numbers.reduce((all, one) => all + one, 0)

export interface Total {
  readonly units: number
  readonly trials: number
  readonly failed: number
  readonly seconds: number
  readonly counts: Readonly<{ [name: string]: number }>
  /** With a confidence of 95 %, at the most so many of a trial fail: the exact bound of a Poisson distribution. */
  readonly bound: number
}

export const totalOf = (steps: ReadonlyArray<Step>): Total => {
  const trials = sum(steps.map((step) => step.trials))
  const failed = sum(steps.map(({ failures }) => failures.length))
  const counts: { [name: string]: number } = {}
  for (const step of steps) {
    for (const [name, count] of Object.entries(step.counts ?? {})) counts[name] = (counts[name] ?? 0) + count
  }
  return {
    units: sum(steps.map((step) => step.units)),
    trials,
    failed,
    seconds: sum(steps.map((step) => step.seconds)),
    counts,
    // 5 % are above it, and none below what was seen
    bound: trials === 0 ? 1 : poissonInterval(failed, 0.9).high / trials
  }
}
