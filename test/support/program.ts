/**
 * Programs that do not come with Node: what they are called, where Debian has them, and how one is started. Nothing
 * else in `test/` starts one, and tests that need one are in a `describeWith`.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { accessSync, constants } from "node:fs"
import { basename, delimiter, dirname, isAbsolute, join } from "node:path"
import { deferred, waitFor } from "./wait.js"

export interface Program {
  readonly name: string
  /** What it may be called; the first that is there is taken. */
  readonly commands: readonly [string, ...Array<string>]
  /** The package of Debian that has it. */
  readonly debian: string
  /** Arguments with which it exits 0 where it has the rights that the tests need. */
  readonly trial?: ReadonlyArray<string>
}

export const curl: Program = { name: "curl", commands: ["curl"], debian: "curl" }
export const h2load: Program = { name: "h2load", commands: ["h2load"], debian: "nghttp2-client" }
export const chromium: Program = {
  name: "Chromium",
  commands: ["chromium", "chromium-browser", "google-chrome"],
  debian: "chromium"
}
export const haproxy: Program = { name: "HAProxy", commands: ["haproxy"], debian: "haproxy" }
export const nginx: Program = { name: "nginx", commands: ["nginx"], debian: "nginx-light" }
export const caddy: Program = { name: "Caddy", commands: ["caddy"], debian: "caddy" }
export const apache: Program = { name: "Apache", commands: ["apache2", "httpd"], debian: "apache2" }
export const gunicorn: Program = { name: "gunicorn", commands: ["gunicorn"], debian: "gunicorn" }
export const uvicorn: Program = {
  name: "uvicorn",
  commands: ["uvicorn"],
  debian: "uvicorn python3-websockets"
}
export const puma: Program = { name: "puma", commands: ["puma"], debian: "puma" }
export const go: Program = { name: "Go", commands: ["go"], debian: "golang-go golang-github-gorilla-websocket-dev" }
export const python: Program = { name: "Python", commands: ["python3"], debian: "python3" }
export const systemctl: Program = { name: "systemctl", commands: ["systemctl"], debian: "systemd" }
export const systemdActivate: Program = {
  name: "systemd-socket-activate",
  commands: ["systemd-socket-activate"],
  debian: "systemd"
}
export const systemdAnalyze: Program = { name: "systemd-analyze", commands: ["systemd-analyze"], debian: "systemd" }
export const systemdNotify: Program = { name: "systemd-notify", commands: ["systemd-notify"], debian: "systemd" }
export const script: Program = { name: "script", commands: ["script"], debian: "bsdutils" }
export const nsenter: Program = { name: "nsenter", commands: ["nsenter"], debian: "util-linux" }
export const prometheus: Program = { name: "Prometheus", commands: ["prometheus"], debian: "prometheus" }
export const promtool: Program = { name: "promtool", commands: ["promtool"], debian: "prometheus" }
const asInit = ["--pid", "--fork", "--mount-proc", "--kill-child"]
/** It runs a command as PID 1 of a namespace. */
export const unshare: Program = {
  name: "unshare",
  commands: ["unshare"],
  debian: "util-linux",
  trial: [...asInit, process.execPath, "--version"]
}
const withOwnLoopback = ["--mount", "--net", ...asInit]
/** It runs a command where there is no network but the loopback interface, which is down, and where mounts stay inside. */
export const unshareNetwork: Program = { ...unshare, trial: [...withOwnLoopback, process.execPath, "--version"] }
export const ip: Program = { name: "ip", commands: ["ip"], debian: "iproute2" }
export const dpkgQuery: Program = { name: "dpkg-query", commands: ["dpkg-query"], debian: "dpkg" }
export const podman: Program = {
  name: "Podman",
  commands: ["podman"],
  debian: "podman runc conmon netavark catatonit"
}
/** What Podman starts containers with, watches them with, and has as `--init`. */
export const runc: Program = { name: "runc", commands: ["runc"], debian: "runc" }
export const conmon: Program = { name: "conmon", commands: ["conmon"], debian: "conmon" }
export const catatonit: Program = { name: "catatonit", commands: ["catatonit"], debian: "catatonit" }
/** What npm runs scripts with. */
export const sh: Program = { name: "sh", commands: ["sh"], debian: "dash" }
/** It comes with Node in most distributions; not in all. */
export const npm: Program = { name: "npm", commands: ["npm"], debian: "npm" }
export const git: Program = { name: "git", commands: ["git"], debian: "git" }

const isExecutable = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** The folders of PATH, and beside each `bin` its `sbin`: Debian has servers there, and only root looks there. */
const folders = (): ReadonlyArray<string> =>
  (process.env["PATH"] ?? "").split(delimiter).filter(isAbsolute).flatMap((folder) =>
    basename(folder) === "bin" ? [folder, join(dirname(folder), "sbin")] : [folder]
  )

const find = ({ commands }: Program): string | undefined =>
  commands.flatMap((command) => isAbsolute(command) ? command : folders().map((folder) => join(folder, command)))
    .find(isExecutable)

/** Where it is. */
export const pathOf = (program: Program): string => {
  const path = find(program)
  if (path === undefined) throw new Error(whyNot(program))
  return path
}

/** Why a program cannot be used here, and what to do. `undefined` where it can. */
export const whyNot = (program: Program): string | undefined => {
  const { debian, name, trial } = program
  const path = find(program)
  if (path === undefined) return `${name} is missing: apt-get install -y --no-install-recommends ${debian}`
  if (trial === undefined) return undefined
  const { error, status, stderr } = spawnSync(path, trial, { encoding: "utf8", timeout: 10_000 })
  if (status === 0) return undefined
  return `${name} (Debian's ${debian}) may not do here what is tested; root may. ${error?.message ?? stderr.trim()}`
}

/** A program before another command, which it runs. */
export interface Under {
  readonly program: Program
  readonly args: ReadonlyArray<string>
}

/** As PID 1: the init of its own namespace. */
export const underInit: Under = { program: unshare, args: asInit }

/** As PID 1, with mounts and a loopback interface of its own: all that it has started ends with it. */
export const underOwnNetwork: Under = { program: unshareNetwork, args: withOwnLoopback }

/** With that few descriptors, also for what it starts. */
export const underDescriptors = (limit: number): Under => ({
  program: sh,
  args: ["-c", `ulimit -n ${limit} && exec "$0" "$@"`]
})

export interface Options {
  /** Further pipes that it gets, from descriptor 3 on. */
  readonly pipes?: number
  readonly stdin?: "ignore" | "pipe"
  readonly cwd?: string | URL
  /** Instead of the environment of this process. */
  readonly env?: NodeJS.ProcessEnv
}

export interface Ran {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: Buffer
  readonly stderr: string
}

export interface Running {
  readonly child: ChildProcess
  /** What it has written so far. */
  readonly stdout: () => Buffer
  readonly stderr: () => string
  /** Both, as they came. */
  readonly output: () => string
  /** Whether it still runs, and what it has said last. */
  readonly state: () => string
  /** Waits until it has ended and all of its output has been read. */
  readonly ran: (limitMs: number) => Promise<Ran>
  /** It must not outlive its test. */
  readonly kill: () => Promise<unknown>
}

const alive = new Set<ChildProcess>()
// nginx ends its workers where it is not killed
process.on("exit", () => alive.forEach((child) => child.kill("SIGTERM")))

export const start = (program: Program, args: ReadonlyArray<string>, options: Options = {}): Running => {
  const { cwd, env = process.env, pipes = 0, stdin = "ignore" } = options
  const child = spawn(pathOf(program), args, {
    cwd,
    env,
    stdio: [stdin, "pipe", "pipe", ...Array.from({ length: pipes }, () => "pipe" as const)]
  })
  alive.add(child)
  const stdout: Array<Buffer> = []
  let stderr = ""
  let output = ""
  child.stdout?.on("data", (chunk: Buffer) => {
    stdout.push(chunk)
    output += chunk.toString()
  })
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    stderr += text
    output += text
  })
  // it may end before it has read what it is told
  child.stdin?.on("error", () => {})
  const closed = deferred<Ran>()
  child.once("error", closed.reject)
  child.once("close", (code, signal) => {
    alive.delete(child)
    closed.resolve({ code, signal, stdout: Buffer.concat(stdout), stderr })
  })
  return {
    child,
    stdout: () => Buffer.concat(stdout),
    stderr: () => stderr,
    output: () => output,
    state: () => {
      const how = alive.has(child) ? "runs" : `has ended with ${child.exitCode ?? child.signalCode}`
      return `${program.name} ${how}; it has said: ${output.slice(-2000)}`
    },
    ran: (limitMs) =>
      waitFor(() => `${program.name} to end; it has said: ${output.slice(-2000)}`, closed.promise, limitMs),
    kill: () => {
      child.kill("SIGKILL")
      return closed.promise
    }
  }
}

/** All that it writes until it has ended. */
export const outputOf = (program: Program, args: ReadonlyArray<string>): string => {
  const { stderr, stdout } = spawnSync(pathOf(program), args, { encoding: "utf8", timeout: 10_000 })
  return stdout + stderr
}
