/**
 * Checks the package as its users get it: packed, linted, installed into an empty project with the line of the README, from
 * a registry that has it, type-checked there, started, asked, and stopped with SIGTERM. Once with the newest versions that
 * the peer ranges allow, and once with their floor, so that the ranges say only what was seen to work. And once without the
 * platform packages, as a program without Effect installs it: what that weighs and what it loads is held as well.
 *
 * With `--effect4`, the package of the line for Effect 4.
 */
import { spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import * as Fs from "node:fs"
import * as Net from "node:net"
import * as Os from "node:os"
import * as Path from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { codeBlocks, type PackageJson, root } from "./project.js"

const startLimit = 20_000
const stopLimit = 15_000
const effect4 = process.argv.includes("--effect4")
/** The peers that an Effect app installs. */
const appPeers = effect4
  ? ["effect", "@effect/platform-node"]
  : ["effect", "@effect/platform", "@effect/platform-node"]

/** The rest of Effect as it was when the floor was released: the peers of the newest exclude the floor. */
const companions = effect4 ? ["@effect/platform-node-shared@4.1.0"] : [
  "@effect/platform-node-shared@0.61.0",
  "@effect/cluster@0.60.0",
  "@effect/experimental@0.61.0",
  "@effect/rpc@0.76.0",
  "@effect/sql@0.52.0",
  "@effect/workflow@0.19.0"
]

const temporary = Fs.mkdtempSync(Path.join(Os.tmpdir(), "quiesce-package-"))

const run = (cwd: string, command: string, args: ReadonlyArray<string>): string => {
  const result = spawnSync(command, args, {
    cwd,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
    timeout: 300_000
  })
  if (result.error !== undefined) throw result.error
  if (result.status === 0) return result.stdout
  const ended = result.signal ?? `exit code ${result.status}`
  throw new Error(`${[command, ...args].join(" ")}: ${ended}\n${result.stdout}${result.stderr}`)
}

const bin = (name: string) => Path.join(root, "node_modules/.bin", name)

/** Starts the registry that has the tarball beside what the registry in use has. */
const startRegistry = async (tarball: string) => {
  const upstream = run(root, "npm", ["config", "get", "registry"]).trim()
  const child = spawn(process.execPath, [Path.join(root, ".ci/registry.mjs"), upstream, tarball], {
    stdio: ["ignore", "pipe", "inherit"]
  })
  const [line] = await once(child.stdout, "data") as [Buffer]
  process.env["npm_config_registry"] = line.toString().trim()
  return child
}

const pack = (): string => {
  const command = effect4
    ? ["run", "--silent", "effect4:pack", "--", temporary]
    : ["pack", "--pack-destination", temporary]
  // its last line names the tarball, with or without its directory
  const tarball = Path.resolve(temporary, run(root, "npm", command).trim().split("\n").at(-1) ?? "")
  const files = new Set(
    run(root, "tar", ["-tzf", tarball]).trim().split("\n").map((file) => file.replace(/^package\//, ""))
  )
  const unexpected = [...files].filter((file) =>
    !/^((dist|src|docs|examples)\/|(package\.json|(README|CHANGELOG|SECURITY)\.md|LICENSE)$)/.test(file)
  )
  if (unexpected.length > 0) throw new Error(`packed, but not for users: ${unexpected.join(", ")}`)
  for (const file of files) {
    if (!file.endsWith(".map")) continue
    const map = JSON.parse(run(root, "tar", ["-xzOf", tarball, `package/${file}`])) as {
      sources: ReadonlyArray<string>
    }
    for (const source of map.sources) {
      const path = Path.posix.join(Path.posix.dirname(file), source)
      if (!files.has(path)) throw new Error(`${file} points to ${path}, which is not packed`)
    }
  }
  console.log(`packed ${files.size} files`)
  return tarball
}

const packed = (tarball: string, file: string): string => run(root, "tar", ["-xzOf", tarball, `package/${file}`])

/** What the README in the package tells its reader to type and to write. */
const readme = (tarball: string, version: string) => {
  const text = packed(tarball, "README.md")
  const minor = version.split(".").slice(0, 2).join("\\.")
  const [, install] = new RegExp(`\`(npm install quiesce@${minor} [^\`]*@effect/platform-node@[^\`]*)\``).exec(text) ??
    []
  const [, light] = new RegExp(`\`(quiesce@${minor} effect@[^\`]*)\``).exec(text) ?? []
  const code = codeBlocks(text).find((block) => block.info === "ts")?.code
  if (install === undefined) throw new Error("README.md has no `npm install quiesce@…` for this line")
  if (light === undefined) throw new Error("README.md does not say what to install without the platform packages")
  if (code === undefined) throw new Error("README.md has no ts block")
  return { code, install, light }
}

const freePort = async (): Promise<number> => {
  const server = Net.createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as Net.AddressInfo
  server.close()
  await once(server, "close")
  return port
}

const tsconfig = {
  compilerOptions: {
    target: "ES2022",
    module: "NodeNext",
    moduleResolution: "NodeNext",
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: true,
    types: ["node"],
    outDir: "out"
  },
  files: ["quickstart.ts", "modules.ts"]
}

/** Starts the quickstart, asks it once, stops it as a supervisor would, and wants exit code 0. */
const startAskStop = async (cwd: string, port: number): Promise<void> => {
  const child = spawn(process.execPath, ["out/quickstart.js"], { cwd, stdio: ["ignore", "pipe", "pipe"] })
  const exit = once(child, "exit") as Promise<[code: number | null, signal: NodeJS.Signals | null]>
  let output = ""
  child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()))
  child.stderr.on("data", (chunk: Buffer) => (output += chunk.toString()))
  try {
    const limit = Date.now() + startLimit
    let response: Response | undefined
    while (response === undefined) {
      if (child.exitCode !== null || Date.now() > limit) throw new Error("the quickstart did not answer")
      response = await fetch(`http://127.0.0.1:${port}/`).catch(() => sleep(50, undefined))
    }
    const body = await response.text()
    if (!response.ok) throw new Error(`the quickstart answered ${response.status} ${body}`)
    const begun = Date.now()
    child.kill("SIGTERM")
    const ended = await Promise.race([exit, sleep(stopLimit, undefined, { ref: false })])
    if (ended === undefined) throw new Error(`the quickstart still runs ${stopLimit} ms after SIGTERM`)
    const [code, signal] = ended
    if (code !== 0) throw new Error(`after SIGTERM the quickstart ended with ${signal ?? `exit code ${code}`}`)
    console.log(`  answered ${JSON.stringify(body)}, and exited 0, ${Date.now() - begun} ms after SIGTERM`)
  } catch (cause) {
    throw new Error(`${(cause as Error).message}\n${output}`, { cause })
  } finally {
    child.kill("SIGKILL")
  }
}

const project = async (name: string, packageJson: PackageJson, line: string, code: string): Promise<string> => {
  const cwd = Path.join(temporary, name)
  Fs.mkdirSync(cwd)
  Fs.writeFileSync(Path.join(cwd, "package.json"), JSON.stringify({ name, private: true, type: "module" }))
  const [command = "", ...args] = line.split(/\s+/)
  run(cwd, command, args)
  console.log(`  ${line}`)
  run(cwd, "npm", ["install", "--save-dev", "typescript@~5.9", "@types/node@20"])

  const port = await freePort()
  if (!/\bport: 3000\b/.test(code)) throw new Error("the quickstart does not say `port: 3000`")
  const used = code.replaceAll(/\bport: 3000\b/g, `port: ${port}, host: "127.0.0.1"`)
  Fs.writeFileSync(Path.join(cwd, "quickstart.ts"), used)
  const subpaths = Object.entries(packageJson.exports).filter(([, entry]) =>
    typeof entry === "object" && entry !== null
  )
  const modules = subpaths.map(([subpath], index) =>
    `import * as m${index} from "${packageJson.name}${subpath.slice(1)}"\nexport { m${index} }\n`
  )
  Fs.writeFileSync(Path.join(cwd, "modules.ts"), modules.join(""))
  Fs.writeFileSync(Path.join(cwd, "tsconfig.json"), JSON.stringify(tsconfig))
  const tsc = Path.join(cwd, "node_modules/.bin/tsc")
  run(cwd, tsc, [])
  // Our declarations have to be right by themselves, with what is installed here and nothing else. What this finds in
  // others (types of a package that they do not depend on) is not ours to fail for.
  const declarations = spawnSync(tsc, ["--noEmit", "--skipLibCheck", "false", "--pretty", "false"], { cwd })
  const wrong = String(declarations.stdout).split("\n").filter((line) => line.startsWith("node_modules/quiesce/"))
  if (wrong.length > 0) throw new Error(wrong.join("\n"))
  run(cwd, process.execPath, ["out/modules.js"])
  const closed = spawnSync(process.execPath, ["--input-type=module", "--eval", `import "quiesce/internal/drain"`], {
    cwd
  })
  if (!String(closed.stderr).includes("ERR_PACKAGE_PATH_NOT_EXPORTED")) {
    throw new Error("quiesce/internal is not closed")
  }
  await startAskStop(cwd, port)
  return cwd
}

const installed = (cwd: string, name: string): string =>
  (JSON.parse(Fs.readFileSync(Path.join(cwd, "node_modules", name, "package.json"), "utf8")) as { version: string })
    .version

/** `effect` with what it depends on is 39 MB of it, that of Effect 4 61, and express is 4. */
const lightMegabytes = effect4 ? 80 : 55

const lightProgram = `import express from "express"
import { quiesce } from "quiesce/promise"

const app = express().get("/", (_, response) => void response.send("hello"))
const server = quiesce(app.listen(0, "127.0.0.1"), { timeout: "8 seconds", signals: true, logger: false })
const { outcome } = await server.shutdown()
console.log(outcome, server.connections().length)
`

/** Writes the address of each module that is loaded to the file that LOADED names. */
const recorder = `import * as Fs from "node:fs"
import { register } from "node:module"
import { isMainThread } from "node:worker_threads"

if (isMainThread) register(import.meta.url)
export const load = async (url, context, next) => {
  Fs.appendFileSync(process.env.LOADED, url + "\\n")
  return next(url, context)
}
`

/** What is installed and loaded where no Effect app is. */
const light = (install: string): void => {
  const cwd = Path.join(temporary, "light")
  Fs.mkdirSync(cwd)
  Fs.writeFileSync(Path.join(cwd, "package.json"), JSON.stringify({ name: "light", private: true, type: "module" }))
  run(cwd, "npm", ["install", ...install.split(" "), "express"])
  const kilobytes = Number(run(cwd, "du", ["-sk", "node_modules"]).split("\t")[0])
  console.log(`  node_modules has ${Math.round(kilobytes / 1024)} MB`)
  if (!(kilobytes <= lightMegabytes * 1024)) throw new Error(`more than ${lightMegabytes} MB: see what is new in it`)
  const others = Fs.readdirSync(Path.join(cwd, "node_modules")).filter((name) => name === "@effect")
  if (others.length > 0) throw new Error("node_modules/@effect is there: the platform packages must be optional peers")

  run(cwd, "npm", ["install", "--save-dev", "typescript@~5.9", "@types/node@20", "@types/express"])
  Fs.writeFileSync(Path.join(cwd, "program.ts"), lightProgram)
  // every declaration that the plain API needs must be right without the platform packages
  const compilerOptions = { ...tsconfig.compilerOptions, skipLibCheck: false }
  Fs.writeFileSync(Path.join(cwd, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["program.ts"] }))
  run(cwd, Path.join(cwd, "node_modules/.bin/tsc"), [])

  const { output, packages } = loadedBy(cwd, ["out/program.js"])
  if (output !== "Drained 0\n") throw new Error(`it did not drain: ${output}`)
  const strangers = [...packages].filter((name) => name.startsWith("@effect/") || name === "fast-check")
  if (!packages.has("effect") || !packages.has("quiesce")) throw new Error("the recorder has seen nothing")
  if (strangers.length > 0) throw new Error(`quiesce/promise loads ${strangers.join(", ")}`)
  run(cwd, process.execPath, [
    "--input-type=module",
    "--eval",
    plainModules.map((name) => `import "${name}"`).join("\n")
  ])
  registered(cwd)
}

/** What else needs no platform package. */
const plainModules = [
  "AgentCheck",
  "Handoff",
  "Listener",
  "Metrics",
  "Server",
  "Shutdown",
  "Status",
  "Supervisor",
  "Systemd",
  "check"
].map((name) => `quiesce/${name}`)

/** Runs a program, and says which packages it has loaded. */
const loadedBy = (cwd: string, args: ReadonlyArray<string>) => {
  Fs.writeFileSync(Path.join(cwd, "recorder.mjs"), recorder)
  const LOADED = Path.join(cwd, "loaded.txt")
  Fs.rmSync(LOADED, { force: true })
  const { status, stderr, stdout } = spawnSync(process.execPath, ["--import", "./recorder.mjs", ...args], {
    cwd,
    encoding: "utf8",
    env: { ...process.env, LOADED },
    timeout: startLimit
  })
  const packages = new Set<string>()
  for (const url of Fs.readFileSync(LOADED, "utf8").split("\n")) {
    const [, name] = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url) ?? []
    if (name !== undefined) packages.add(name)
  }
  return { status, output: stdout + stderr, packages }
}

const ownProgram = `const { createServer } = require("node:http")

createServer().listen(0, "127.0.0.1", () => setTimeout(() => process.kill(process.pid, "SIGTERM"), 1500))
`

/** A program that knows nothing of it, and a process that has no server. */
const registered = (cwd: string): void => {
  const register = ["--import", "quiesce/register"]
  const none = [...loadedBy(cwd, [...register, "--eval", "0"]).packages]
  if (none.join() !== "quiesce") throw new Error(`quiesce/register loads ${none.join(", ")} before a server listens`)
  Fs.writeFileSync(Path.join(cwd, "own.cjs"), ownProgram)
  const drained = loadedBy(cwd, [...register, "own.cjs"])
  if (drained.status !== 0 || !drained.output.includes("(Drained)")) {
    throw new Error(`with quiesce/register it did not drain: ${drained.status} ${drained.output}`)
  }
  // one who installs it by itself, and without its peers
  const [effect, away] = ["effect", "effect-away"].map((name) => Path.join(cwd, "node_modules", name)) as [
    string,
    string
  ]
  Fs.renameSync(effect, away)
  const alone = loadedBy(cwd, [...register, "own.cjs"])
  Fs.renameSync(away, effect)
  if (alone.status !== 1 || !/^quiesce\/register: .*npm install effect/m.test(alone.output)) {
    throw new Error(`without effect, quiesce/register does not say what to install: ${alone.status} ${alone.output}`)
  }
}

/** The command that the package brings, which loads nothing but itself. */
const command = (): void => {
  const cwd = Path.join(temporary, "light")
  const LOADED = Path.join(cwd, "loadedByCommand.txt")
  const server = "const s = require('node:http').createServer((_, r) => r.end()).listen(process.env.PORT, '127.0.0.1');"
    + "process.on('SIGTERM', () => s.close())"
  const ran = spawnSync(
    process.execPath,
    [
      "--import",
      "./recorder.mjs",
      "node_modules/.bin/quiesce",
      "check",
      "--only=exit-code",
      "--",
      "node",
      "-e",
      server
    ],
    { cwd, encoding: "utf8", env: { ...process.env, LOADED }, timeout: startLimit }
  )
  if (ran.status !== 0 || !/^✓ exit-code /m.test(ran.stdout)) throw new Error(`${ran.stdout}${ran.stderr}`)
  const strangers = Fs.readFileSync(LOADED, "utf8").match(/\/node_modules\/(?!quiesce\/)[^\n]*/g) ?? []
  if (strangers.length > 0) throw new Error(`quiesce check loads ${strangers.join(", ")}`)
}

const failures: Array<string> = []
const step = async <A>(name: string, body: () => A | Promise<A>): Promise<A | undefined> => {
  console.log(`${name} …`)
  try {
    return await body()
  } catch (cause) {
    failures.push(name)
    console.error(`${name} FAILED\n${(cause as Error).message}`)
    return undefined
  }
}

let registry: { readonly kill: () => void } | undefined
try {
  const tarball = await step("npm pack", pack)
  if (tarball !== undefined) {
    const packageJson = JSON.parse(packed(tarball, "package.json")) as PackageJson
    const floors = appPeers.map((name) => ({
      name,
      version: (packageJson.peerDependencies[name] ?? "").replace(/^[\^~]/, "")
    }))
    registry = await startRegistry(tarball)
    await step("publint", () => console.log(run(root, bin("publint"), ["run", tarball, "--strict"]).trim()))
    await step("attw", () => {
      run(root, bin("attw"), [tarball, "--profile", "esm-only", "--no-emoji", "--no-color"])
    })
    const said = await step("README", () => readme(tarball, packageJson.version))
    if (said !== undefined) {
      await step("install as the README says", async () => {
        const cwd = await project("newest", packageJson, said.install, said.code)
        console.log(`  with ${floors.map(({ name }) => `${name} ${installed(cwd, name)}`).join(", ")}`)
      })
      await step("install at the floor of the peer ranges", async () => {
        const exact = floors.map(({ name, version }) => `${name}@${version}`)
        const line = ["npm install", `${packageJson.name}@${packageJson.version}`, ...exact, ...companions].join(" ")
        const cwd = await project("floor", packageJson, line, said.code)
        for (const { name, version } of floors) {
          const found = installed(cwd, name)
          if (found !== version) throw new Error(`${name} is ${found}, not ${version}`)
        }
      })
      await step("install without the platform packages", () => light(said.light))
      await step("quiesce check", command)
    }
  }
} finally {
  registry?.kill()
  Fs.rmSync(temporary, { recursive: true, force: true })
}

console.log(failures.length === 0 ? "the package is good" : `failed: ${failures.join(", ")}`)
process.exitCode = failures.length === 0 ? 0 : 1
