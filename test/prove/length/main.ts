/**
 * The proofs that take hours: `npm run prove:length`. Each can be stopped at any time, and goes on where it was.
 */
import { parseArgs } from "node:util"
import { machine, versionOf } from "../../support/machine.js"
import * as Programs from "../../support/program.js"
import { progress } from "../outcome.js"
import { handovers } from "./handovers.js"
import { histories } from "./histories.js"
import { count, pageOf, writeTable } from "./page.js"
import type { Proof } from "./proof.js"
import { type Record, recordIn, recordsIn, totalOf } from "./record.js"
import { rolling } from "./rolling.js"
import { shutdowns } from "./shutdowns.js"
import { soak } from "./soak.js"

const proofs: Readonly<{ [name: string]: Proof }> = { rolling, handovers, histories, shutdowns, soak }

const records = "test/prove/length/records"

const usage = `npm run prove:length -- [NAME…] [options]

  NAME           ${Object.keys(proofs).join(", ")}; without one: what each of them has by now
  --goal N       how many ${
  Object.entries(proofs).map(([name, { goal, unit }]) => `${unit} (${name}: ${goal})`).join(", ")
}
  --minutes N    how long at the most, to the end of a step
  --to DIR       where the records are; default: ${records}
  --write        writes what all of them have into docs/proofs.md

Several may run at once, and add to one record. Ctrl-C ends one at once: the step that it was doing does not count.
It ends with 1 where anything has failed, ever.`

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    goal: { type: "string" },
    minutes: { type: "string", default: "Infinity" },
    to: { type: "string", default: records },
    write: { type: "boolean", default: false },
    help: { type: "boolean", default: false }
  }
})

const positive = (name: "goal" | "minutes", otherwise: number): number => {
  const value = Number(values[name] ?? otherwise)
  if (!(value > 0)) throw new Error(`--${name} is ${values[name]}, and must be more than 0\n\n${usage}`)
  return value
}

const major = (version: string): string | undefined => version.split(".")[0]
const effect = versionOf("effect")

/** What differs by the version of Node, or of Effect, is another proof. */
const recordOf = (name: string): Record =>
  recordIn(values.to, `${name}-effect${major(effect)}-node${major(process.versions.node)}`)

const git = (...args: ReadonlyArray<string>): string => {
  try {
    return Programs.outputOf(Programs.git, args).trim()
  } catch {
    // there is none
    return ""
  }
}

const head = git("rev-parse", "--short=8", "HEAD")
const commit = /^[0-9a-f]{8,}$/.test(head)
  ? `${head}${git("status", "--porcelain", "src", "test/**/*.ts") && "+"}`
  : "no clone"

const prove = async (name: string, proof: Proof, until: number): Promise<void> => {
  const goal = positive("goal", proof.goal)
  const record = recordOf(name)
  const units = () => totalOf(record.steps).units
  while (units() < goal && performance.now() < until) {
    const startedAt = performance.now()
    const at = new Date().toISOString()
    const seed = Math.floor(Math.random() * 2 ** 31)
    const done = await proof.step(seed, record.steps.length)
    const seconds = (performance.now() - startedAt) / 1000
    record.add({ ...done, seed, at, seconds, node: process.version, effect, machine: machine(), commit })
    progress(`${name}: ${count(units())} of ${count(goal)} ${proof.unit}, ${done.failures.length} failed in this step`)
  }
  console.log(pageOf(proof, goal, record))
  if (totalOf(record.steps).failed > 0) process.exitCode = 1
}

const unknown = positionals.filter((name) => proofs[name] === undefined)
if (values.help || unknown.length > 0) {
  console.log(usage)
  process.exitCode = unknown.length > 0 ? 2 : 0
} else if (positionals.length === 0) {
  const all = recordsIn(values.to).flatMap((record) => {
    const proof = proofs[record.name.split("-")[0] ?? ""]
    return proof === undefined ? [] : [{ proof, record }]
  })
  for (const { proof, record } of all) console.log(pageOf(proof, proof.goal, record))
  if (values.write) writeTable(all)
} else {
  const until = performance.now() + positive("minutes", Number.POSITIVE_INFINITY) * 60_000
  // a signal by its own, and not by the children's end
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130))
  for (const name of positionals) {
    const proof = proofs[name]
    if (proof !== undefined) await prove(name, proof, until)
  }
}
