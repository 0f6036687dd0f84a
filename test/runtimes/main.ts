/**
 * What drains on runtimes that are not Node, as `quiesce check` finds it, and what is refused there. They are packages of
 * npm, which the lock file of `npm run servers` has.
 *
 *   npm run runtimes               all of it
 *   npm run runtimes -- bun        what has that in its name
 */
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { check } from "../../src/check.js"
import { packages, versionOf } from "../servers/checked.js"
import { prepare } from "../servers/prepare.js"
import { certificate } from "../support/certificate.js"
import * as Programs from "../support/program.js"
import { type Drained, drained, type Name, type Refused, refused, runtimes } from "./runtimes.js"

const names = process.argv.slice(2)
const isChosen = ({ name }: { readonly name: string }) =>
  names.length === 0 || names.some((part) => name.includes(part))

const folder = Fs.mkdtempSync(Path.join(Os.tmpdir(), "quiesce-runtimes-"))
process.on("exit", () => Fs.rmSync(folder, { recursive: true, force: true }))
const tls = { TLS_CERT: Path.join(folder, "cert.pem"), TLS_KEY: Path.join(folder, "key.pem") }
Fs.writeFileSync(tls.TLS_CERT, certificate.cert)
Fs.writeFileSync(tls.TLS_KEY, certificate.key)
// Bun takes the paths of a tsconfig.json above a program for its imports: those of the tests lead to the sources
const tsconfig = Path.join(folder, "tsconfig.json")
Fs.writeFileSync(tsconfig, "{}")

await prepare({ effect4: false, next: false, go: false })
const installed = runtimes(tsconfig)

const commandOf = (runtime: Name, program: ReadonlyArray<string>): readonly [string, ...Array<string>] => {
  const { args, binary } = installed[runtime]
  if (binary !== undefined) return [binary, ...args, ...program]
  throw new Error(`the package ${runtime} has no binary for ${process.platform} on ${process.arch}`)
}

/** Each says what is wrong, or how much was kept. */
interface Outcome {
  readonly wrong: ReadonlyArray<string>
  readonly right: string
}

const drains = async ({ env, offers, program, runtime }: Drained): Promise<Outcome> => {
  const report = await check({
    command: commandOf(runtime, program),
    cwd: packages,
    env: { ...(offers.tls === true ? tls : {}), ...env },
    startTimeoutMillis: 60_000,
    ...offers
  })
  const wrong = report.results.filter(({ unasked, verdict }) => verdict === "lost" || unasked === "failed")
  return {
    wrong: report.kept === 0 ? ["nothing could be asked"] : wrong.map(({ name, saw }) => `${name}: ${saw}`),
    right: `0 lost, ${report.kept} kept`
  }
}

const isRefused = async ({ program, runtime, says }: Refused): Promise<Outcome> => {
  const [command, ...args] = commandOf(runtime, program)
  const running = Programs.start({ name: runtime, commands: [command], debian: "" }, args, {
    cwd: packages,
    env: { ...process.env, PORT: "0" }
  })
  try {
    const { code } = await running.ran(60_000)
    const said = running.output()
    const missing = says.filter((text) => !said.includes(text)).map((text) => `it does not say "${text}": ${said}`)
    return { wrong: code === 1 ? missing : [`its exit code is ${String(code)}: ${said}`], right: "refused" }
  } finally {
    await running.kill()
  }
}

let failed = 0
const tried = async (name: string, runtime: Name, outcome: () => Promise<Outcome>): Promise<void> => {
  const { right, wrong } = await outcome().catch((cause: unknown): Outcome => ({ wrong: [String(cause)], right: "" }))
  if (wrong.length > 0) failed++
  console.log(wrong.length === 0 ? `✓ ${name}: ${right} (${versionOf(runtime, packages)})` : `✗ ${name}`)
  for (const line of wrong) console.log(`    ${line}`)
}

for (const one of drained.filter(isChosen)) await tried(one.name, one.runtime, () => drains(one))
for (const one of refused.filter(isChosen)) await tried(one.name, one.runtime, () => isRefused(one))
process.exitCode = failed > 0 ? 1 : 0
