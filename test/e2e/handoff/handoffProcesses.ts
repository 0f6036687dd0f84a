/** A program that hands over, as a row of processes, and clients that open a connection for each request. */
import * as Fs from "node:fs"
import * as Http from "node:http"
import * as Os from "node:os"
import * as Path from "node:path"
import { type Child, startLimit, withChild } from "../../support/child.js"
import type { Target } from "../../support/rawClient.js"
import { waitFor } from "../../support/wait.js"
import type { Mode, Options } from "./fixtures/app.js"

export const limit = startLimit

export interface HandoffProcesses {
  readonly child: Child
  readonly target: { readonly port: number }
  /** For files of the test. */
  readonly directory: string
  /** What the next process does while it starts. */
  readonly next: (mode: Mode) => void
  /** The process that was the last to take over. */
  readonly current: () => number
  readonly logged: (pattern: RegExp, nth?: number) => Promise<RegExpExecArray>
  /** Signals the current process, and waits for its successor to accept. */
  readonly handOver: (signal?: NodeJS.Signals) => Promise<number>
  /** Waits for the end of one of the processes. */
  readonly ended: (pid: number) => Promise<{ readonly code: unknown; readonly executed: number }>
  /** SIGTERM to the current process, and waits for the end of all. */
  readonly finish: () => Promise<void>
}

export const withHandoffProcesses = (
  options: (directory: string) => Omit<Options, "control">,
  use: (running: HandoffProcesses) => Promise<void>
) =>
async () => {
  const directory = Fs.mkdtempSync(Path.join(Os.tmpdir(), "quiesce-handoff-"))
  const control = Path.join(directory, "control")
  const next = (mode: Mode) => Fs.writeFileSync(control, mode)
  next("starts")
  const args = [JSON.stringify({ control, ...options(directory) } satisfies Options)]
  try {
    await withChild(new URL("fixtures/app.ts", import.meta.url), args, async (child) => {
      const { port } = await child.line("listening", limit)
      const takeovers = /Process (\d+) accepts from now on/g
      const current = () => Number(Array.from(child.stdout().matchAll(takeovers)).at(-1)?.[1] ?? child.pid)
      const logged = (pattern: RegExp, nth = 1) =>
        waitFor(
          () => `${String(pattern)} in the log: ${child.stdout()}${child.stderr()}`,
          () => Array.from(child.stdout().matchAll(new RegExp(pattern, "g")))[nth - 1],
          limit
        )
      const ended = async (pid: number) => {
        const { code, executed } = await waitFor(
          () => `the end of process ${pid}: ${child.stdout()}${child.stderr()}`,
          () => child.linesOf("exit").find((line) => line["pid"] === pid),
          limit
        )
        return { code, executed: Number(executed) }
      }
      try {
        await use({
          child,
          target: { port: Number(port) },
          directory,
          next,
          current,
          logged,
          handOver: async (signal = "SIGUSR2") => {
            const before = current()
            process.kill(before, signal)
            await waitFor(
              () => `a successor of ${before}: ${child.stdout()}${child.stderr()}`,
              () => current() !== before,
              limit
            )
            return current()
          },
          ended,
          finish: async () => {
            process.kill(current(), "SIGTERM")
            await ended(current())
            await child.exit(limit)
          }
        })
      } finally {
        // they hold the pipes that the end of the first is seen by
        for (const { pid } of child.linesOf("started")) killIfAlive(Number(pid))
      }
    })
  } finally {
    Fs.rmSync(directory, { recursive: true, force: true })
  }
}

const killIfAlive = (pid: number) => {
  try {
    process.kill(pid, "SIGKILL")
  } catch {
    // it has ended
  }
}

export interface Answer {
  readonly status: number
  readonly body: string
}

/** A request on a connection of its own. Rejects with the error's code if it has no whole response. */
export const ask = (target: Target, method: string, path: string): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const where = "port" in target ? { host: "127.0.0.1", port: target.port } : { socketPath: target.path }
    const request = Http.request({ ...where, method, path, agent: false, timeout: limit }, (response) => {
      let body = ""
      response.setEncoding("utf8").on("data", (text: string) => (body += text))
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body }))
      response.on("error", reject)
    })
    request.on("timeout", () => request.destroy(new Error("no answer in time")))
    request.on("error", reject)
    request.end()
  })

export interface Load {
  readonly answered: () => number
  readonly failures: ReadonlyArray<string>
  /**
   * Whether each client has since begun a request, and heard of its end. A process that was killed has its connections for
   * as long as it waits for a processor to end on: only then have its clients lost all that they will lose by it.
   */
  readonly eachAgain: () => () => boolean
  readonly stop: () => Promise<void>
}

/** Clients that post to `/work`, one after the other, each on a fresh connection. */
export const startLoad = (targets: ReadonlyArray<Target>): Load => {
  let going = true
  let answered = 0
  const failures: Array<string> = []
  const ended = targets.map(() => 0)
  const clients = targets.map(async (target, client) => {
    while (going) {
      try {
        const { status } = await ask(target, "POST", "/work")
        if (status === 200) answered++
        else failures.push(`status ${status}`)
      } catch (error) {
        failures.push(String(error))
      }
      ended[client]!++
    }
  })
  return {
    answered: () => answered,
    failures,
    eachAgain: () => {
      // the next one to end may have begun before
      const wanted = ended.map((count) => count + 2)
      return () => wanted.every((count, client) => ended[client]! >= count)
    },
    stop: async () => {
      going = false
      await Promise.all(clients)
    }
  }
}
