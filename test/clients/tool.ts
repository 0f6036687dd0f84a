/** Clients that are programs of their own, from Debian's packages. */
import { type ChildProcess, spawn } from "node:child_process"
import { accessSync, constants } from "node:fs"
import { delimiter, join } from "node:path"
import { describe, it } from "vitest"
import { deferred, waitFor } from "../support/wait.js"

export interface Tool {
  readonly name: string
  /** What it may be called; the first that is there is taken. */
  readonly commands: readonly [string, ...Array<string>]
  /** Where Debian has it. */
  readonly debian: string
}

export const curl: Tool = { name: "curl", commands: ["curl"], debian: "curl" }
export const h2load: Tool = { name: "h2load", commands: ["h2load"], debian: "nghttp2-client" }
export const chromium: Tool = {
  name: "Chromium",
  commands: ["chromium", "chromium-browser", "google-chrome"],
  debian: "chromium"
}

const isExecutable = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

const find = ({ commands }: Tool): string | undefined =>
  commands.flatMap((command) => (process.env["PATH"] ?? "").split(delimiter).map((folder) => join(folder, command)))
    .find(isExecutable)

/** The tests of a tool. Where it is missing, they are skipped; but in CI, which installs it, that is a failure. */
export const describeWith = (tool: Tool, tests: () => void): void => {
  if (find(tool) !== undefined) return void describe(tool.name, tests)
  const remedy = `${tool.name} is missing: apt-get install -y --no-install-recommends ${tool.debian}`
  if (process.env["CI"]) {
    it(tool.name, () => {
      throw new Error(remedy)
    })
  } else {
    process.stderr.write(`${remedy}\n`)
    describe.skip(remedy, tests)
  }
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
  /** Waits until it has ended and all of its output has been read. */
  readonly ran: (limitMs: number) => Promise<Ran>
  /** It must not outlive its test. */
  readonly kill: () => Promise<unknown>
}

/** Starts a tool. `pipes` is the number of further pipes that it gets, from descriptor 3 on. */
export const start = (tool: Tool, args: ReadonlyArray<string>, pipes = 0): Running => {
  const command = find(tool) ?? tool.commands[0]
  const child = spawn(command, args, {
    stdio: ["ignore", "pipe", "pipe", ...Array.from({ length: pipes }, () => "pipe" as const)]
  })
  const stdout: Array<Buffer> = []
  let stderr = ""
  child.stdout?.on("data", (chunk: Buffer) => stdout.push(chunk))
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    stderr += text
  })
  const closed = deferred<Ran>()
  child.once("error", closed.reject)
  child.once("close", (code, signal) => closed.resolve({ code, signal, stdout: Buffer.concat(stdout), stderr }))
  return {
    child,
    stdout: () => Buffer.concat(stdout),
    stderr: () => stderr,
    ran: (limitMs) =>
      waitFor(() => `${tool.name} to end; it has said: ${stderr.slice(-2000)}`, closed.promise, limitMs),
    kill: () => {
      child.kill("SIGKILL")
      return closed.promise
    }
  }
}
