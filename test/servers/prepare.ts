/** What has to be there before anything is checked, so that `npm run servers` is one command on a fresh machine. */
import { spawnSync } from "node:child_process"
import * as Fs from "node:fs"
import * as Path from "node:path"
import * as Programs from "../support/program.js"
import { effect4, goBinary, here, packages, root } from "./checked.js"

interface RunOptions {
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
}

export const run = async (
  program: Programs.Program,
  args: ReadonlyArray<string>,
  { cwd = root, env = {} }: RunOptions = {}
): Promise<void> => {
  const running = Programs.start(program, args, { cwd, env: { ...process.env, ...env } })
  const { code, signal } = await running.ran(10 * 60_000)
  if (code !== 0) {
    throw new Error(`${program.name} ${args.join(" ")}: ${code ?? signal}\n${running.output().slice(-4000)}`)
  }
}

/** As the lock file says; again only when that has changed. Nothing needs a script of a package. */
export const install = async (folder: string): Promise<void> => {
  const installed = `${folder}node_modules/.package-lock.json`
  const lock = `${folder}package-lock.json`
  if (Fs.existsSync(installed) && Fs.statSync(installed).mtimeMs >= Fs.statSync(lock).mtimeMs) return
  const name = Path.relative(root, folder)
  console.log(`npm ci --prefix ${name}`)
  const args = ["ci", "--prefix", folder, "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel", "error"]
  await run(Programs.npm, args)
}

/** quiesce as it is published, beside what it is used with. A link to it would be a circle of folders. */
export const copy = (from: string, folder: string): void => {
  const to = `${folder}node_modules/quiesce`
  Fs.rmSync(to, { recursive: true, force: true })
  for (const part of ["dist", "package.json"]) Fs.cpSync(`${from}${part}`, `${to}/${part}`, { recursive: true })
}

export const buildNext = (): void => {
  const built = here("node/next/.next/BUILD_ID")
  const lock = `${packages}package-lock.json`
  if (Fs.existsSync(built) && Fs.statSync(built).mtimeMs >= Fs.statSync(lock).mtimeMs) return
  console.log("next build")
  const { status } = spawnSync(process.execPath, [here("node/node_modules/next/dist/bin/next"), "build"], {
    cwd: here("node/next"),
    env: { ...process.env, NEXT_TELEMETRY_DISABLED: "1", NODE_ENV: "production" },
    stdio: ["ignore", "ignore", "inherit"],
    timeout: 10 * 60_000
  })
  if (status !== 0) throw new Error("the app of Next.js could not be built")
}

/** With the packages of Debian: there is no module of Go to fetch. */
const buildGo = async (): Promise<void> => {
  Fs.rmSync(goBinary, { force: true })
  if (Programs.whyNot(Programs.go) !== undefined) return
  const env = {
    GO111MODULE: "off",
    GOPATH: "/usr/share/gocode",
    GOCACHE: Path.join(Path.dirname(goBinary), "go-cache")
  }
  await run(Programs.go, ["build", "-o", goBinary, "."], { cwd: here("programs/go"), env }).catch((cause: unknown) => {
    console.log(cause instanceof Error ? cause.message : String(cause))
  })
}

export interface Needs {
  readonly effect4: boolean
  readonly next: boolean
  readonly go: boolean
}

export const prepare = async (needs: Needs): Promise<void> => {
  Fs.mkdirSync(Path.dirname(goBinary), { recursive: true })
  await install(packages)
  await run(Programs.npm, ["run", "--silent", "build"])
  copy(root, packages)
  if (needs.effect4) {
    await install(effect4)
    await run(Programs.npm, ["run", "--silent", "effect4"])
    copy(`${root}.out/effect4/package/`, effect4)
  }
  if (needs.next) buildNext()
  if (needs.go) await buildGo()
}
