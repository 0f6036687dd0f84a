/**
 * `quiesce check` over servers that others wrote, each as its documentation says to stop it, and over quiesce.
 *
 *   npm run servers                     all of them: an hour, one after the other
 *   npm run servers -- nginx fastify    those
 *   npm run servers -- --resume         those that have no result yet
 *   npm run servers -- --write          and written into docs/servers.md
 *   npm run servers -- --list           their names
 */
import { fork, spawnSync } from "node:child_process"
import * as Fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { check, type Report } from "quiesce/check"
import { certificate } from "../support/certificate.js"
import { type Certificate, type Checked, here, root } from "./checked.js"
import { writePage } from "./page.js"
import { prepare } from "./prepare.js"
import { count, load, resultOf, save } from "./results.js"
import { servers } from "./servers.js"

const usage = `npm run servers -- [NAMES] [options]

  --resume      leaves out those that have a result in .out/servers
  --repeat N    each scenario N times; default: 1
  --minutes N   begins with no further one after N minutes; default: 90
  --write       writes docs/servers.md from all results
  --list        prints the names`

const { positionals: names, values } = parseArgs({
  allowPositionals: true,
  options: {
    resume: { type: "boolean", default: false },
    repeat: { type: "string", default: "1" },
    minutes: { type: "string", default: "90" },
    write: { type: "boolean", default: false },
    list: { type: "boolean", default: false },
    help: { type: "boolean", default: false }
  }
})

const repeat = Number(values.repeat)
const minutes = Number(values.minutes)
const unknown = names.filter((name) => !servers.some((server) => server.name === name))
if (values.help || values.list) {
  console.log(values.help ? usage : servers.map(({ name, stop }) => `${name.padEnd(18)} ${stop}`).join("\n"))
  process.exit(0)
}
if (unknown.length > 0 || !Number.isInteger(repeat) || repeat < 1 || !(minutes > 0)) {
  console.error(unknown.length > 0 ? `there is no ${unknown.join(", ")}: --list has the names` : usage)
  process.exit(1)
}

/** The server behind the proxies: its port, and how it ends. */
const startBackend = async (): Promise<{ readonly port: number; readonly end: () => void }> => {
  const child = fork(here("programs/backend.mjs"), { env: { ...process.env, PORT: "0" }, execArgv: [] })
  const port = await new Promise<number>((resolve, reject) => {
    child.once("message", (message) => resolve(Number(message)))
    child.once("exit", (code) => reject(new Error(`the server behind the proxies has ended with ${code}`)))
  })
  return { port, end: () => void child.kill("SIGKILL") }
}

/** Where servers put files that they cannot do without. Their workers may be other users. */
const makeFolder = (): string => {
  const folder = Fs.mkdtempSync(join(tmpdir(), "quiesce-servers-"))
  Fs.chmodSync(folder, 0o755)
  return folder
}

/** What is asked of a server once more, over TLS. */
const overTls = { http1: ["tls-handshake"], http2: ["tls-handshake", "h2-goaway", "h2-in-flight", "h2-crossing"] }

/** What the programs read of the environment. Caddy and Apache have no other way to be told. */
const envOf = (folder: string, backend: number | undefined) => ({
  BACKEND: String(backend ?? ""),
  NODE_ENV: "production",
  NEXT_TELEMETRY_DISABLED: "1",
  RUNTIME: folder,
  XDG_CONFIG_HOME: folder,
  XDG_DATA_HOME: folder
})

const tlsEnvOf = ({ cert, key }: Certificate, speaks: "http1" | "http2") => ({
  TLS_CERT: cert,
  TLS_KEY: key,
  TLS_HTTP2: speaks === "http2" ? "1" : undefined,
  CADDY_SCHEME: "https",
  CADDY_TLS: `tls ${cert} ${key}`
})

const writeCertificate = (folder: string): Certificate => {
  const files = { cert: join(folder, "cert.pem"), key: join(folder, "key.pem") }
  Fs.writeFileSync(files.cert, certificate.cert)
  Fs.writeFileSync(files.key, certificate.key)
  return files
}

const checkOf = async (server: Checked): Promise<Report> => {
  const folder = makeFolder()
  const backend = server.proxy ? await startBackend() : undefined
  const common = { cwd: root, signal: server.signal, post: "/post", parallel: 2, repeat }
  const env = envOf(folder, backend?.port)
  try {
    const ws = server.webSockets ? "/ws" : undefined
    const paths = { slow: "/slow", big: "/big", stream: "/stream", ws }
    const report = await check({ ...common, ...paths, command: server.command(), env })
    if (server.tls === undefined) return report
    const files = writeCertificate(folder)
    const secure = await check({
      ...common,
      command: server.command(files),
      env: { ...env, ...tlsEnvOf(files, server.tls) },
      tls: true,
      h2: server.tls === "http2",
      only: overTls[server.tls]
    })
    return {
      ...report,
      results: report.results.map((result) => secure.results.find(({ name }) => name === result.name) ?? result),
      millis: report.millis + secure.millis
    }
  } finally {
    backend?.end()
    Fs.rmSync(folder, { recursive: true, force: true })
  }
}

/** Whether it could be checked. */
const checked = async (server: Checked): Promise<boolean> => {
  try {
    const result = resultOf(server, await checkOf(server))
    save(server, result)
    const counts = `lost ${count(result, "lost")}, kept ${count(result, "kept")}, not asked ${
      count(result, "notAsked")
    }`
    console.log(`${server.name}: ${counts} (${result.seconds} s)`)
    for (const { name, saw, verdict } of result.cells) if (verdict === "lost") console.log(`  ${name}: ${saw}`)
    return true
  } catch (cause) {
    console.error(`${server.name}: ${cause instanceof Error ? cause.message : String(cause)}`)
    return false
  }
}

const chosen = servers.filter((server) =>
  (names.length === 0 || names.includes(server.name)) && !(values.resume && load(server) !== undefined)
)

const begun = performance.now()
if (chosen.length > 0) {
  const has = (part: string) => chosen.some(({ name }) => name.startsWith(part))
  const effect4 = chosen.some(({ name, whyNot }) => name.startsWith("effect4") && whyNot() === undefined)
  await prepare({ effect4, next: has("next"), go: has("go") })
}

let failed = 0
for (const server of chosen) {
  const why = server.whyNot()
  if (why !== undefined) {
    console.log(`${server.name} is left out: ${why}`)
  } else if (performance.now() - begun > minutes * 60_000) {
    console.log(`${server.name} is left for --resume: ${minutes} minutes are over`)
    failed++
  } else if (!(await checked(server))) failed++
}

if (values.write) {
  const missing = writePage()
  spawnSync(process.execPath, [`${root}node_modules/dprint/bin.cjs`, "fmt", "docs/servers.md"], { stdio: "inherit" })
  if (missing.length > 0) console.log(`docs/servers.md lacks ${missing.map(({ name }) => name).join(", ")}`)
}
process.exitCode = failed === 0 ? 0 : 1
