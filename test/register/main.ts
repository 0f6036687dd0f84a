/**
 * What programs that know nothing of quiesce lose when they are stopped, by their own way and with
 * `--import quiesce/register`, as `quiesce check` finds it: the table of docs/register.md.
 *
 *   npm run register                          all of them
 *   npm run register -- serve verdaccio       those
 *   npm run register -- --write               and written into docs/register.md
 *
 * Node-RED and verdaccio want Node 22 or newer.
 */
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { parseArgs } from "node:util"
import { check, type Report } from "../../src/check.js"
import { buildNext, install, run } from "../servers/prepare.js"
import * as Programs from "../support/program.js"
import { type Program, programs, root } from "./programs.js"

const { positionals, values } = parseArgs({ allowPositionals: true, options: { write: { type: "boolean" } } })
const chosen = programs.filter(({ name }) => positionals.length === 0 || positionals.includes(name))

const prepare = async (): Promise<void> => {
  for (const where of new Set(chosen.map((program) => program.in))) await install(where)
  if (chosen.some(({ package: name }) => name === "next")) buildNext()
  await run(Programs.npm, ["run", "--silent", "build"])
}

const versionOf = ({ in: where, package: name }: Program): string =>
  (JSON.parse(Fs.readFileSync(Path.join(where, "node_modules", name, "package.json"), "utf8")) as { version: string })
    .version

const register = ["--import", Path.join(root, "dist/register.js")]

const checkIt = async (program: Program, nodeArgs: ReadonlyArray<string>): Promise<Report> => {
  const files = Fs.mkdtempSync(Path.join(Os.tmpdir(), "quiesce-programs-"))
  try {
    program.prepare?.(files)
    return await check({
      command: [process.execPath, ...nodeArgs, ...program.args(files)],
      cwd: program.in,
      startTimeoutMillis: 120_000,
      env: { NO_UPDATE_CHECK: "1", NEXT_TELEMETRY_DISABLED: "1" },
      ...program.offers
    })
  } finally {
    Fs.rmSync(files, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 })
  }
}

const lostOf = ({ kept, lost, results }: Report): string => {
  const names = results.filter(({ verdict }) => verdict === "lost").map(({ name }) => name)
  return lost === 0 ? `0 of ${kept}` : `${lost} of ${kept + lost}: ${names.join(", ")}`
}

/** How it ended where a request was in flight, and nothing else. */
const endOf = ({ results }: Report): string => {
  const end = (results.find(({ name }) => name === "exit-code") ?? results[0])?.end
  if (end === undefined) return ""
  if (end.stillRunning) return "still running after 10 s"
  return `${end.code ?? end.signal} after ${Math.round(end.millis)} ms`
}

const header = ["program", "lost by its own way", "lost with `register`", "its exit", "its exit with `register`"]

const rows: Array<ReadonlyArray<string>> = []
let failed = 0
await prepare()
for (const program of chosen) {
  const name = `${program.name} ${versionOf(program)}`
  try {
    const own = await checkIt(program, [])
    const registered = await checkIt(program, register)
    const row = [name, lostOf(own), lostOf(registered), endOf(own), endOf(registered)]
    rows.push(row)
    console.log(row.join(" | "))
    for (const { name, saw, verdict } of registered.results) if (verdict === "lost") console.log(`  ${name}: ${saw}`)
    for (const { name, saw, unasked } of registered.results) {
      if (unasked === "failed") console.log(`  ${name} could not be asked: ${saw}`)
    }
  } catch (cause) {
    failed++
    console.error(`${name}: ${(cause as Error).message}`)
  }
}

const table = [header, header.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n")
const taken = `${new Date().toISOString().slice(0, 10)}, Node ${process.versions.node}`
console.log(`\n${table}\n\n${taken}`)
if (values.write === true && failed === 0) {
  const page = Path.join(root, "docs/register.md")
  const text = Fs.readFileSync(page, "utf8")
  const between = /(<!-- programs -->\n)[\s\S]*?(<!-- \/programs -->)/
  if (!between.test(text)) throw new Error("docs/register.md has no place for the table")
  Fs.writeFileSync(page, text.replace(between, (_, before, after) => `${before}\n${taken}.\n\n${table}\n\n${after}`))
}
process.exitCode = failed > 0 ? 1 : 0
