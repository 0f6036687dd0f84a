/** systemd itself, as PID 1 of namespaces of its own, with the units of examples/deploy. */
import { buildSync } from "esbuild"
import * as Fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { describeUnless } from "../../support/describeWith.js"
import { nsenter, outputOf, start, systemctl, unshare, whyNot } from "../../support/program.js"
import { pace, waitFor } from "../../support/wait.js"
import { limit } from "./supervisedApp.js"

const boot = fileURLToPath(new URL("fixtures/boot.sh", import.meta.url))
const deploy = fileURLToPath(new URL("../../../examples/deploy/", import.meta.url))
const unit = (name: string): string => Fs.readFileSync(join(deploy, name), "utf8")

/** Sets one line of a unit, in the place of what it was or in addition to it. `undefined`: without it. */
export const set = (text: string, section: string, name: string, value: string | undefined): string => {
  const line = new RegExp(`^${name}=.*\n`, "m")
  if (value === undefined) return text.replace(line, "")
  return line.test(text)
    ? text.replace(line, () => `${name}=${value}\n`)
    : text.replace(`[${section}]\n`, (head) => `${head}${name}=${value}\n`)
}

const bundles = new Map<string, string>()

/** The program, in one file: what `/srv/app/server.js` is on the machine that it is deployed to. */
const bundled = (program: URL): string => {
  const known = bundles.get(program.href)
  if (known !== undefined) return known
  const { outputFiles: [file] } = buildSync({
    entryPoints: [fileURLToPath(program)],
    write: false,
    bundle: true,
    platform: "node",
    format: "cjs",
    logLevel: "error",
    tsconfig: fileURLToPath(new URL("../../../tsconfig.json", import.meta.url))
  })
  const text = file?.text ?? ""
  bundles.set(program.href, text)
  return text
}

/** What differs from examples/deploy, besides where the program is and where it listens. */
export interface Unit {
  /** Arguments of the program. */
  readonly args?: string
  /** Lines of `[Service]`. */
  readonly service?: Readonly<Record<string, string | undefined>>
  /** The file of the service. Default: `app.service`. */
  readonly file?: string
  /** Without `app.socket`: the program binds a port itself. */
  readonly noSocket?: boolean
}

export type Properties = Readonly<Record<string, string>>

export interface Systemd {
  /** Writes `app.service` and `app.socket` anew, and has them read. */
  readonly install: (port: number, unit?: Unit) => Promise<void>
  readonly systemctl: (...args: ReadonlyArray<string>) => Promise<string>
  /** `systemctl show app.service`. */
  readonly show: () => Promise<Properties>
  /** Until the service is in a state, which a failure tells. */
  readonly until: (what: string, is: (now: Properties) => boolean, limitMs?: number) => Promise<Properties>
  /** What the service has written, of all its starts since it was installed. */
  readonly output: () => string
  readonly version: number
  /** What `/srv/app/server.js` is from now on, given what it was. */
  readonly deploy: (next: (now: string) => string) => void
}

const properties = [
  "ActiveState",
  "SubState",
  "StatusText",
  "Result",
  "MainPID",
  "ExecMainPID",
  "ExecMainCode",
  "ExecMainStatus",
  "NRestarts",
  "InvocationID"
]

const version = (): number => Number(/^systemd (\d+)/.exec(outputOf(systemctl, ["--version"]))?.[1])

export const withSystemd = async (program: URL, use: (systemd: Systemd) => Promise<void>): Promise<void> => {
  const folder = Fs.mkdtempSync(join(tmpdir(), "systemd-"))
  const [units, app] = [join(folder, "units"), join(folder, "app")]
  const out = join(folder, "out")
  try {
    // whoever the service runs as may read it, and nobody needs the folder of systemd's own units
    for (const path of [folder, units, app]) {
      if (path !== folder) Fs.mkdirSync(path)
      Fs.chmodSync(path, 0o755)
    }
    Fs.writeFileSync(join(units, "t.target"), "[Unit]\nDefaultDependencies=no\n")
    Fs.writeFileSync(join(app, "server.js"), bundled(program))
    await booted(units, app, async (systemctl) => {
      const show = async () => {
        const text = await systemctl("show", "app.service", ...properties.map((name) => `--property=${name}`))
        return Object.fromEntries(
          text.trim().split("\n").map((line) => {
            const [name = "", ...value] = line.split("=")
            return [name, value.join("=")]
          })
        )
      }
      const output = () => Fs.existsSync(out) ? Fs.readFileSync(out, "utf8") : ""
      await use({
        install: async (port, { args = "", file = "app.service", noSocket = false, service = {} } = {}) => {
          const given = {
            ExecStart: `/srv/node /srv/app/server.js ${args}`,
            StandardOutput: `append:${out}`,
            StandardError: `append:${out}`,
            ...service
          }
          let text = set(unit(file), "Unit", "DefaultDependencies", "no")
          for (const [name, value] of Object.entries(given)) text = set(text, "Service", name, value)
          if (noSocket) text = set(set(text, "Unit", "Requires", undefined), "Unit", "After", undefined)
          Fs.writeFileSync(join(units, "app.service"), text)
          const socket = set(unit("app.socket"), "Unit", "DefaultDependencies", "no")
          Fs.writeFileSync(join(units, "app.socket"), set(socket, "Socket", "ListenStream", `127.0.0.1:${port}`))
          Fs.rmSync(out, { force: true })
          await systemctl("daemon-reload")
        },
        systemctl,
        show,
        until: async (what, is, limitMs = limit) => {
          const end = Date.now() + limitMs
          while (true) {
            const now = await show()
            if (is(now)) return now
            if (Date.now() > end) {
              throw new Error(`waited ${limitMs} ms for ${what}: ${JSON.stringify(now)}\n${output()}`)
            }
            await pace(25)
          }
        },
        output,
        version: version(),
        deploy: (next) => Fs.writeFileSync(join(app, "server.js"), next(bundled(program)))
      })
    })
  } finally {
    Fs.rmSync(folder, { recursive: true })
  }
}

const booted = async (
  units: string,
  app: string,
  use: (systemctl: Systemd["systemctl"]) => Promise<void>
): Promise<void> => {
  const systemd = start(unshare, ["--mount", "sh", boot, units, app, process.execPath], { stdin: "pipe" })
  const ended = () => systemd.child.exitCode !== null || systemd.child.signalCode !== null
  const broken = (why = "") => new Error(`systemd does not run as PID 1 of a namespace: ${why}${systemd.output()}`)
  try {
    const init = await waitFor(() => `systemd as PID 1: ${systemd.output()}`, () => {
      if (ended()) throw broken()
      return Number(/^init (\d+)/m.exec(systemd.output())?.[1] ?? 0)
    }, limit)
    const inside = [`--target=${init}`, "--mount", "--pid", "--uts", "--ipc", "--cgroup", "systemctl"]
    const systemctl = async (...args: ReadonlyArray<string>) => {
      const { code, stderr, stdout } = await start(nsenter, [...inside, ...args]).ran(60_000)
      if (code !== 0) throw new Error(`systemctl ${args.join(" ")}: exit code ${code}\n${stdout.toString()}${stderr}`)
      return stdout.toString()
    }
    const until = Date.now() + limit
    while (true) {
      const state = await systemctl("is-system-running").catch(String)
      if (state.trim() === "running") break
      if (ended() || Date.now() > until) throw broken(state)
      await pace(20)
    }
    await use(systemctl)
  } finally {
    systemd.child.stdin?.end()
    await systemd.ran(limit)
  }
}

const problem = async (): Promise<string | undefined> => {
  const missing = whyNot(systemctl) ?? whyNot(nsenter) ?? whyNot(unshare)
  if (missing !== undefined) return missing
  const folder = Fs.mkdtempSync(join(tmpdir(), "systemd-"))
  Fs.writeFileSync(join(folder, "t.target"), "[Unit]\nDefaultDependencies=no\n")
  try {
    await booted(folder, folder, () => Promise.resolve())
    return undefined
  } catch (error) {
    return `it takes Linux, root (unshare, mount, a cgroup2 of its own) and Debian's systemd. ${String(error)}`
  } finally {
    Fs.rmSync(folder, { recursive: true })
  }
}

/** Tests that boot systemd. Where that is not possible, they are skipped; but in CI that is a failure. */
export const describeSystemd = async (name: string, tests: () => void): Promise<void> =>
  describeUnless(await problem(), name, tests)
