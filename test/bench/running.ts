/** Starts a server in a process of its own, asks it what it uses, stops it with SIGTERM, and sees when it has ended. */
import { type ChildProcess, fork, spawn } from "node:child_process"
import * as Fs from "node:fs"
import * as Net from "node:net"
import * as Path from "node:path"
import { fileURLToPath } from "node:url"
import type { Measured } from "./servers.js"

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

const startLimit = 30_000
const answerLimit = 60_000

/** For this long a shutdown may take; then the process is killed, and the time is unknown. */
export const stopLimit = 45_000

const children = new Set<ChildProcess>()
process.on("exit", () => {
  for (const child of children) child.kill("SIGKILL")
})
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1))

const known = <Child extends ChildProcess>(child: Child): Child => {
  children.add(child)
  child.once("exit", () => children.delete(child))
  return child
}

const within = async <A>(what: string, ms: number, promise: Promise<A>): Promise<A> => {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: nothing within ${ms} ms`)), ms)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

export interface Memory {
  /** What is left on the heap, and beside it, after a garbage collection. Not known of Go. */
  readonly heap: number
  /** What the kernel says that the process holds in memory. Known on Linux. */
  readonly rss: number
}

export interface Ended {
  /** From the signal to the moment at which the server says that its shutdown is over. */
  readonly closedAt: number
  readonly exitedAt: number
  /** The longest time for which the event loop stood still since the signal. */
  readonly stallMs: number
  /** The CPU time that the process took since the signal. */
  readonly cpuMs: number
  readonly how: string
}

export interface Running {
  readonly port: number
  /** From the start of the process to the first answer. */
  readonly startedMs: number
  readonly cpuMicros: () => Promise<number>
  readonly memory: () => Promise<Memory>
  /** Sends SIGTERM, and says when. */
  readonly signal: () => Promise<number>
  /** Once it has been signalled. */
  readonly ended: (limitMs?: number) => Promise<Ended>
}

interface Said {
  readonly port?: number
  readonly closed?: true
  readonly cpuMs?: number
  readonly stallMs?: number
}

const firstAnswer = (port: number): Promise<void> =>
  new Promise((resolve, reject) => {
    const socket = Net.connect(port, "127.0.0.1", () =>
      socket.write("GET / HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n"))
    socket.once("data", () =>
      resolve())
    socket.once("end", () =>
      socket.destroy())
    socket.once("error", reject)
  })

const rssOf = (pid: number | undefined): number => {
  try {
    const pages = Fs.readFileSync(`/proc/${pid}/statm`, "utf8").split(" ")[1]
    return Number(pages) * 4096
  } catch {
    return Number.NaN
  }
}

export const start = async (which: Measured, env: Readonly<Record<string, string>> = {}): Promise<Running> => {
  const spawnedAt = performance.now()
  const child = known(spawn(which.command, [...which.args], {
    env: { ...process.env, ...which.env, ...env },
    // Go ends when its input does
    stdio: which.node ? ["ignore", "pipe", "pipe", "ipc"] : ["pipe", "pipe", "pipe"]
  }))
  let errors = ""
  child.stderr?.on("data", (chunk: Buffer) => (errors = (errors + chunk.toString()).slice(-2000)))

  const exited = new Promise<{ readonly at: number; readonly how: string }>((resolve) => {
    child.once("error", (error) => resolve({ at: Number.NaN, how: error.message }))
    // `exit` and not `close`: its pipes are read to the end below
    child.once("exit", (code, signal) => resolve({ at: performance.now(), how: signal ?? `exit code ${code}` }))
  })

  let closedAt = Number.NaN
  let stallMs = Number.NaN
  let cpuMs = Number.NaN
  let line = ""
  const drained = new Promise<void>((resolve) => child.stdout?.once("close", () => resolve()))
  const port = new Promise<number>((resolve, reject) => {
    child.stdout?.on("data", (chunk: Buffer) => {
      const at = performance.now()
      const lines = (line + chunk.toString()).split("\n")
      line = lines.pop() ?? ""
      for (const said of lines) {
        if (!/^\{"(port|closed|cpuMs)":/.test(said)) continue
        const event = JSON.parse(said) as Said
        if (event.port !== undefined) resolve(event.port)
        if (event.closed !== undefined) closedAt = at
        if (event.stallMs !== undefined) stallMs = event.stallMs
        if (event.cpuMs !== undefined) cpuMs = event.cpuMs
      }
    })
    void exited.then(({ how }) => reject(new Error(`${which.name}: ${how}\n${errors}`)))
  })

  const ask = async <A>(question: string, otherwise: A): Promise<A> => {
    if (!which.node) return otherwise
    const answer = new Promise<A>((resolve) => child.once("message", (message) => resolve(message as A)))
    child.send(question)
    return within(`${which.name}: ${question}`, answerLimit, answer)
  }

  const listening = await within(which.name, startLimit, port)
  await within(which.name, startLimit, firstAnswer(listening))
  const startedMs = performance.now() - spawnedAt
  return {
    port: listening,
    startedMs,
    cpuMicros: async () => {
      const { system, user } = await ask<NodeJS.CpuUsage>("cpu", { system: Number.NaN, user: Number.NaN })
      return system + user
    },
    memory: async () => {
      const { heap } = await ask("memory", { heap: Number.NaN })
      return { heap, rss: rssOf(child.pid) }
    },
    signal: async () => {
      await ask("arm", true)
      const at = performance.now()
      child.kill("SIGTERM")
      return at
    },
    ended: async (limitMs = stopLimit) => {
      const timer = setTimeout(() => child.kill("SIGKILL"), limitMs)
      const { at, how } = await exited
      clearTimeout(timer)
      await drained
      return { closedAt, cpuMs, exitedAt: how === "SIGKILL" ? Number.NaN : at, how, stallMs }
    }
  }
}

export interface Client {
  /** What it sends next. */
  readonly message: <A>(limitMs?: number) => Promise<A>
  readonly say: (message: string) => void
  readonly ended: () => Promise<void>
}

export const client = (file: string, ...args: ReadonlyArray<string | number>): Client => {
  const child = known(
    fork(Path.join(fileURLToPath(new URL("./clients", import.meta.url)), file), args.map(String), {
      execArgv: file.endsWith(".ts") ? ["--import", "tsx"] : []
    })
  )
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()))
  const waiting: Array<unknown> = []
  const takers: Array<(message: unknown) => void> = []
  child.on("message", (message) => {
    const take = takers.shift()
    if (take === undefined) waiting.push(message)
    else take(message)
  })
  return {
    message: <A>(limitMs = answerLimit) =>
      within(
        file,
        limitMs,
        Promise.race([
          new Promise<A>((resolve) => {
            if (waiting.length > 0) resolve(waiting.shift() as A)
            else takers.push((message) => resolve(message as A))
          }),
          exited.then((): never => {
            throw new Error(`${file} ended without an answer`)
          })
        ])
      ),
    say: (message) => void child.send(message),
    ended: async () => {
      const timer = setTimeout(() => child.kill("SIGKILL"), 5000)
      await exited
      clearTimeout(timer)
    }
  }
}

/** A round of all: each begins with another, so that none always runs on a warmer machine. */
export const rotated = <A>(values: ReadonlyArray<A>, round: number): ReadonlyArray<A> => {
  const by = round % values.length
  return [...values.slice(by), ...values.slice(0, by)]
}

/** A sample that cannot be taken is missed, and said; it does not end a run of many minutes. */
export const attempt = async <A>(which: Measured, take: Promise<A>): Promise<ReadonlyArray<A>> => {
  try {
    return [await take]
  } catch (cause) {
    console.error(`\n${which.name}: a sample is missing: ${cause instanceof Error ? cause.message : String(cause)}`)
    for (const child of children) child.kill("SIGKILL")
    return []
  }
}

/** So many rounds, or fewer where that takes longer: none begins after so many minutes, but the first. */
export const bounded = function*(rounds: number, minutes: number): Generator<number> {
  const until = performance.now() + minutes * 60_000
  for (let round = 0; round < rounds && (round === 0 || performance.now() < until); round++) yield round
}
