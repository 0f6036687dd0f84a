/** What a proof has by now, for whoever runs it, and for `docs/proofs.md`. */
import { spawnSync } from "node:child_process"
import * as Fs from "node:fs"
import { fileURLToPath } from "node:url"
import { markdown } from "../../support/table.js"
import type { Proof } from "./proof.js"
import { type Record, type Step, type Total, totalOf } from "./record.js"

export const count = (value: number): string => value.toLocaleString("en-US")

/** The largest 1/n that the share of trials that fail may be. */
const fewerThan = ({ bound }: Total): string => `1 in ${count(Math.floor(1 / bound))}`

const time = (seconds: number): string =>
  seconds < 5400 ? `${count(Math.ceil(seconds / 60))} min` : `${(seconds / 3600).toFixed(1)} h`

const failuresOf = (steps: ReadonlyArray<Step>): ReadonlyArray<string> =>
  steps.flatMap(({ failures, seed }) => failures.map((failure) => `  FAILED, seed ${seed}: ${failure}`))

export const pageOf = ({ trial, unit, what }: Proof, goal: number, { name, steps }: Record): string => {
  const total = totalOf(steps)
  const [first, last] = [steps[0], steps.at(-1)]
  if (first === undefined || last === undefined) return `${name}: nothing yet; ${what}`
  return [
    `${name}: ${what}`,
    `  ${count(total.units)} of ${count(goal)} ${unit}, in ${steps.length} steps and ${time(total.seconds)}, `
    + `from ${first.at} to ${last.at}`,
    `  ${count(total.trials)} × ${trial}, ${count(total.failed)} failed: with 95 % confidence fewer than ${
      fewerThan(total)
    }`,
    ...Object.entries(total.counts).map(([what, times]) => `  ${what}: ${count(times)}`),
    `  Node ${last.node}, Effect ${last.effect}, ${last.machine}`,
    ...failuresOf(steps).slice(0, 20)
  ].join("\n")
}

interface Recorded {
  readonly proof: Proof
  readonly record: Record
}

const unique = (values: ReadonlyArray<string>): ReadonlyArray<string> => Array.from(new Set(values))

const table = (all: ReadonlyArray<Recorded>): string =>
  markdown(
    "What has been done by now:",
    ["proof", "Node", "Effect", "done", "trials", "failed", "with 95 % confidence, fewer fail than", "time"],
    all.map(({ proof, record: { name, steps } }) => {
      const total = totalOf(steps)
      const { effect = "", node = "" } = steps.at(-1) ?? {}
      return [
        `\`${name.split("-")[0]}\``,
        node.slice(1),
        effect,
        `${count(total.units)} ${proof.unit}`,
        count(total.trials),
        count(total.failed),
        fewerThan(total),
        time(total.seconds)
      ]
    })
  )

const details = (all: ReadonlyArray<Recorded>): ReadonlyArray<string> =>
  all.map(({ proof, record: { name, steps } }) => {
    const days = unique(steps.map(({ at }) => at.slice(0, 10)))
    const of = [
      days.length === 1 ? `on ${days[0]}` : `from ${days[0]} to ${days.at(-1)}`,
      `on ${unique(steps.map(({ machine }) => machine)).join("; ")}`,
      `of ${unique(steps.map(({ commit }) => `\`${commit}\``)).join(", ")}`
    ].join(", ")
    const counts = Object.entries(totalOf(steps).counts).map(([what, times]) => `${what} ${count(times)}`)
    return `- **${name}**: ${proof.what}; ${of}.${counts.length === 0 ? "" : ` ${counts.join(", ")}.`}`
  })

const page = new URL("../../../docs/proofs.md", import.meta.url)

/** Puts what all proofs have into the page. */
export const writeTable = (all: ReadonlyArray<Recorded>): void => {
  const [begin, end] = ["<!-- proofs -->", "<!-- /proofs -->"]
  const before = Fs.readFileSync(page, "utf8")
  const [head, rest] = before.split(begin)
  const tail = rest?.split(end)[1]
  if (head === undefined || tail === undefined) throw new Error(`${page.pathname} has no ${begin} … ${end}`)
  const failures = all.flatMap(({ record }) => failuresOf(record.steps))
  const written = [
    table(all.filter(({ record }) => record.steps.length > 0)),
    details(all).join("\n"),
    failures.join("\n")
  ]
  Fs.writeFileSync(page, `${head}${begin}\n\n${written.filter((part) => part !== "").join("\n\n")}\n\n${end}${tail}`)
  // tables are aligned in this repository
  const dprint = fileURLToPath(new URL("../../../node_modules/dprint/bin.cjs", import.meta.url))
  spawnSync(process.execPath, [dprint, "fmt", page.pathname], { stdio: "inherit" })
}
