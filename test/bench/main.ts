/**
 * The figures of docs/benchmarks.md and of RESULTS.md, beside this file.
 *
 *   npm run bench                                all of them
 *   npm run bench -- shutdown lag                those
 *   npm run bench -- shutdown --quick            a round or two of it
 *   npm run bench -- lost --rounds 10            so many rounds
 *   npm run bench -- --write                     and written into docs/benchmarks.md and RESULTS.md, with charts
 */
import { spawnSync } from "node:child_process"
import * as Fs from "node:fs"
import { cpus, totalmem } from "node:os"
import { parseArgs } from "node:util"
import { taken } from "../support/table.js"
import * as Budget from "./budget.js"
import { drawAll } from "./charts.js"
import * as Lag from "./lag.js"
import * as Lost from "./lost.js"
import * as Parts from "./parts.js"
import { prepare, versions } from "./prepare.js"
import * as Request from "./request.js"
import * as Shutdown from "./shutdown.js"

interface Options {
  readonly quick: boolean
  readonly rounds?: number
}

const benchmarks: Readonly<Record<string, (options: Options) => Promise<void>>> = {
  request: ({ quick, rounds }) => Request.run(rounds ?? (quick ? 1 : undefined)),
  budget: () => Budget.run(),
  parts: ({ quick, rounds }) => Parts.run(rounds ?? (quick ? 1 : undefined)),
  shutdown: Shutdown.run,
  lag: Lag.run,
  lost: Lost.run
}

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: "boolean" },
    rounds: { type: "string" },
    write: { type: "boolean" },
    help: { type: "boolean" }
  }
})
const unknown = positionals.filter((name) => !(name in benchmarks))
const rounds = values.rounds === undefined ? undefined : Number(values.rounds)
const usage = `npm run bench -- [${Object.keys(benchmarks).join("] [")}] [--quick] [--rounds <n>] [--write]`
if (values.help === true) {
  console.log(usage)
  process.exit(0)
}
if (unknown.length > 0 || (rounds !== undefined && !(Number.isInteger(rounds) && rounds > 0))) {
  console.error(usage)
  process.exit(1)
}
const chosen = positionals.length === 0 ? Object.keys(benchmarks) : positionals

/** Replaces what is between `<!-- bench:name -->` and the next `<!-- /bench -->`, where a file has these. */
const write = (file: URL, name: string, text: string): void => {
  const before = Fs.readFileSync(file, "utf8")
  const begin = `<!-- bench:${name} -->`
  const start = before.indexOf(begin)
  const end = before.indexOf("<!-- /bench -->", start)
  if (start === -1 || end === -1) throw new Error(`${file.pathname} has no ${begin} … <!-- /bench -->`)
  Fs.writeFileSync(file, `${before.slice(0, start + begin.length)}\n\n${text}\n\n${before.slice(end)}`)
}

prepare()
const memory = `${Math.round(totalmem() / 1024 ** 3)} GB`
const machine = `Node ${process.version}, ${cpus().length} × ${cpus()[0]?.model ?? "unknown"}, ${memory}`
console.log(`\n${machine}\n${versions()}`)

const command = (name: string) =>
  `npm run bench -- ${
    [name, ...values.quick ? ["--quick"] : [], ...rounds === undefined ? [] : [`--rounds ${rounds}`]].join(" ")
  }`

const all = performance.now()
for (const name of chosen) {
  const startedAt = performance.now()
  await benchmarks[name]?.({ quick: values.quick ?? false, ...rounds === undefined ? {} : { rounds } })
  const { full, headline } = taken()
  const took = `${Math.ceil((performance.now() - startedAt) / 1000)} s`
  console.log(`\n${name}: ${took}`)
  if (values.write !== true) continue
  const day = new Date().toISOString().slice(0, 10)
  const said = `\`${command(name)}\` on ${day}, ${machine}`
  write(new URL("./RESULTS.md", import.meta.url), name, `${said}; it took ${took}.\n\n${versions()}\n\n${full}`)
  if (headline !== "") write(new URL("../../docs/benchmarks.md", import.meta.url), name, `${said}:\n\n${headline}`)
}
if (values.write === true) {
  // Tables of Markdown are aligned in this repository.

  spawnSync("npx", ["dprint", "fmt", "docs/benchmarks.md", "test/bench/RESULTS.md"], { stdio: "inherit" })
  drawAll()
}
console.log(`\n${Math.ceil((performance.now() - all) / 1000)} s in all`)
