/**
 * The proofs that take hours: `npm run prove:length`. Each can be stopped at any time, and goes on where it was.
 */
import { cpus } from "node:os"
import * as Path from "node:path"
import { parseArgs } from "node:util"
import { progress } from "../outcome.js"
import { handovers } from "./handovers.js"
import { histories } from "./histories.js"
import type { Proof } from "./proof.js"
import { type Record, recordIn, totalOf } from "./record.js"
import { rolling } from "./rolling.js"
import { shutdowns } from "./shutdowns.js"
import { soak } from "./soak.js"

const proofs: Readonly<{ [name: string]: Proof }> = { rolling, handovers, histories, shutdowns, soak }

const usage = `npm run prove:length -- [NAME…] [options]

  NAME           ${Object.keys(proofs).join(", ")}; default: what each of them has by now
  --goal N       how many ${
  Object.entries(proofs).map(([name, { goal, unit }]) => `${unit} (${name}: ${goal})`).join(", ")
}
  --minutes N    how long at the most, to the end of a step
  --to DIR       where its record is; default: .out/prove

Ctrl-C ends it at once: the step that it was doing does not count. It ends with 1 where anything has failed, ever.`

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    goal: { type: "string" },
    minutes: { type: "string", default: "Infinity" },
    to: { type: "string", default: ".out/prove" },
    help: { type: "boolean", default: false }
  }
})

const positive = (name: "goal" | "minutes", otherwise: number): number => {
  const value = Number(values[name] ?? otherwise)
  if (!(value > 0)) throw new Error(`--${name} is ${values[name]}, and must be more than 0\n\n${usage}`)
  return value
}

/** What differs by the version of Node is another proof. */
const recordOf = (name: string): Record =>
  recordIn(Path.join(values.to, `${name}-node${process.versions.node.split(".")[0]}.jsonl`))

const count = (value: number): string => value.toLocaleString("en-US")

const page = (name: string, { trial, unit, what }: Proof, goal: number, { steps }: Record): string => {
  const { bound, counts, failed, seconds, trials, units } = totalOf(steps)
  const [first, last] = [steps[0], steps.at(-1)]
  if (first === undefined || last === undefined) return `${name}: nothing yet; ${what}`
  return [
    `${name}: ${what}`,
    `  ${count(units)} of ${count(goal)} ${unit}, in ${steps.length} steps and ${(seconds / 60).toFixed(1)} minutes, `
    + `from ${first.at} to ${last.at}`,
    `  ${count(trials)} × ${trial}, ${count(failed)} failed: with 95 % confidence fewer than one in ${
      count(Math.floor(1 / bound))
    }`,
    ...Object.entries(counts).map(([what, times]) => `  ${what}: ${count(times)}`),
    `  Node ${process.versions.node}, ${cpus().length} × ${cpus()[0]?.model ?? "unknown"}`,
    ...steps.flatMap(({ failures, seed }) => failures.map((failure) => `  FAILED, seed ${seed}: ${failure}`)).slice(
      0,
      20
    )
  ].join("\n")
}

const prove = async (name: string, proof: Proof, until: number): Promise<void> => {
  const goal = positive("goal", proof.goal)
  const record = recordOf(name)
  const units = () => totalOf(record.steps).units
  while (units() < goal && performance.now() < until) {
    const startedAt = performance.now()
    const at = new Date().toISOString()
    const seed = Math.floor(Math.random() * 2 ** 31)
    const done = await proof.step(seed, record.steps.length)
    record.add({ ...done, seed, at, seconds: (performance.now() - startedAt) / 1000, node: process.version })
    progress(`${name}: ${count(units())} of ${count(goal)} ${proof.unit}, ${done.failures.length} failed in this step`)
  }
  console.log(page(name, proof, goal, record))
  if (totalOf(record.steps).failed > 0) process.exitCode = 1
}

const unknown = positionals.filter((name) => proofs[name] === undefined)
if (values.help || unknown.length > 0) {
  console.log(usage)
  process.exitCode = unknown.length > 0 ? 2 : 0
} else if (positionals.length === 0) {
  for (const [name, proof] of Object.entries(proofs)) console.log(page(name, proof, proof.goal, recordOf(name)))
} else {
  const until = performance.now() + positive("minutes", Number.POSITIVE_INFINITY) * 60_000
  // a signal by its own, and not by the children's end
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130))
  for (const name of positionals) {
    const proof = proofs[name]
    if (proof !== undefined) await prove(name, proof, until)
  }
}
