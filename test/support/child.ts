/**
 * A TypeScript fixture as a child process: real signals, a real exit code, and no child left behind.
 *
 * A fixture prints one JSON object a line. `{ "event": "listening", "port": 1234 }` (or `"path"`) says where it is.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { fileURLToPath } from "node:url"
import { asModules, nodeArgs, type Packages } from "./bundle.js"
import { pathOf, type Under } from "./program.js"
import type { Target } from "./rawClient.js"
import { now, pace, waitFor, within } from "./wait.js"

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  /** Epoch milliseconds. */
  readonly at: number
  /** Since the first signal this test sent; `undefined` if it sent none. */
  readonly msSinceSignal: number | undefined
}

export interface Line {
  readonly event: string
  readonly [key: string]: unknown
}

export interface StartOptions {
  /** In addition to the environment of this process; `undefined`: without that variable. */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** For example `["--expose-gc"]`. */
  readonly execArgv?: ReadonlyArray<string>
  /** It loads its modules one by one, and not as a bundle: its classes keep their names. */
  readonly modules?: boolean
  /** `"external"`: it loads the modules of Effect and the platform one by one: hooks of `node:module` see them. */
  readonly packages?: Packages
  /** It is run as it stands: JavaScript that imports nothing of this project. */
  readonly asItStands?: boolean
  /** A command that runs the command that follows it. It is what is signalled. */
  readonly under?: Under
  /** It leads a process group of its own, which a negative pid signals. */
  readonly ownGroup?: boolean
}

export interface Child {
  readonly pid: number
  /** The JSON lines so far. */
  readonly lines: ReadonlyArray<Line>
  readonly stdout: () => string
  readonly stderr: () => string
  readonly linesOf: (event: string) => ReadonlyArray<Line>
  /** Waits for the `nth` (from 1) line of that event. Fails at once if the child ends without it. */
  readonly line: (event: string, limitMs: number, nth?: number) => Promise<Line>
  readonly listening: (limitMs?: number, nth?: number) => Promise<Target>
  readonly write: (text: string) => void
  /** Nobody reads what it prints any more: it meets EPIPE. */
  readonly closeOutput: () => void
  readonly signal: (signal: NodeJS.Signals) => void
  readonly signalledAt: number | undefined
  /** The exit, if there was one. */
  readonly exited: Exit | undefined
  readonly exit: (limitMs: number) => Promise<Exit>
  /** The exit, or `undefined` if it is still running at the limit, counted from the first signal. */
  readonly exitWithin: (limitMs: number) => Promise<Exit | undefined>
  /** SIGKILL, and wait for the end. */
  readonly kill: () => Promise<void>
}

const alive = new Set<ChildProcess>()
process.on("exit", () => alive.forEach((child) => child.kill("SIGKILL")))

export const start = (fixture: URL, args: ReadonlyArray<string> = [], options: StartOptions = {}): Child => {
  const { asItStands = false, execArgv = [], modules = false, ownGroup = false, packages = "bundle", under } = options
  const program = asItStands ? [fileURLToPath(fixture)] : modules ? asModules(fixture) : nodeArgs(fixture, packages)
  const own = [...execArgv, ...program, ...args]
  const spawned = {
    detached: ownGroup,
    env: { ...withoutVitest(process.env), ...options.env },
    stdio: ["pipe", "pipe", "pipe"] as ["pipe", "pipe", "pipe"]
  }
  const child = under === undefined
    ? spawn(process.execPath, own, spawned)
    : spawn(pathOf(under.program), [...under.args, process.execPath, ...own], spawned)
  alive.add(child)
  const lines: Array<Line> = []
  let stdout = ""
  let stderr = ""
  let rest = ""
  let exited: Exit | undefined
  let signalledAt: number | undefined

  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text
    const pieces = (rest + text).split("\n")
    rest = pieces.pop()!
    for (const piece of pieces) {
      const line = asLine(piece)
      if (line !== undefined) lines.push(line)
    }
  })
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text
  })
  child.stdin.on("error", () => {})

  // "close" and not "exit": by then everything the child printed has been read.
  let endedAt: number | undefined
  child.once("exit", () => {
    endedAt = now()
  })
  const closed = new Promise<Exit>((resolve) =>
    child.once("close", (code, signal) => {
      alive.delete(child)
      const at = endedAt ?? now()
      exited = { code, signal, at, msSinceSignal: signalledAt === undefined ? undefined : at - signalledAt }
      resolve(exited)
    })
  )

  const describe = () =>
    `${exited === undefined ? "still running" : `exited ${exited.code ?? exited.signal}`}; stdout:\n${
      stdout.slice(-2000)
    }\nstderr:\n${stderr.slice(-2000)}`
  const linesOf = (event: string) => lines.filter((line) => line.event === event)
  const line = (event: string, limitMs: number, nth = 1) =>
    waitFor(() => `line ${nth} of "${event}" from the child; it is ${describe()}`, () => {
      const found = linesOf(event)[nth - 1]
      if (found === undefined && exited !== undefined) {
        throw new Error(`the child ended before line ${nth} of "${event}": ${describe()}`)
      }
      return found
    }, limitMs)

  return {
    pid: child.pid!,
    lines,
    stdout: () => stdout,
    stderr: () => stderr,
    linesOf,
    line,
    listening: async (limitMs = startLimit, nth = 1) => asTarget(await line("listening", limitMs, nth)),
    write: (text) => void child.stdin.write(text),
    closeOutput: () => {
      child.stdout.destroy()
      child.stderr.destroy()
    },
    signal: (signal) => {
      signalledAt ??= now()
      process.kill(child.pid!, signal)
    },
    get signalledAt() {
      return signalledAt
    },
    get exited() {
      return exited
    },
    exit: (limitMs) => waitFor(() => `the child's exit; it is ${describe()}`, closed, limitMs),
    exitWithin: (limitMs) =>
      within(closed, Math.max(1, limitMs - (signalledAt === undefined ? 0 : now() - signalledAt))),
    kill: async () => {
      if (exited === undefined && child.exitCode === null) child.kill("SIGKILL")
      await waitFor("the end of a killed child", closed, 30_000)
    }
  }
}

/** Transpiling and loading Effect on a busy machine of two cores. */
export const startLimit = 30_000

/** Runs `use` with a child that is gone afterwards, whatever happened. */
export const withChild = async <A>(
  fixture: URL,
  args: ReadonlyArray<string>,
  use: (child: Child) => Promise<A>,
  options?: StartOptions
): Promise<A> => {
  const child = start(fixture, args, options)
  let result: A
  try {
    result = await use(child)
  } catch (cause) {
    // What `use` has failed with is what there is to know: what it left running may not be the child's to end.
    await child.kill().catch((left: unknown) => console.error(left))
    throw cause
  }
  await child.kill()
  return result
}

/** Waits until the log has that `times` times. Fails at once if the child ends without it. */
export const untilLogged = async (
  child: Child,
  text: string | RegExp,
  times = 1,
  limitMs = startLimit
): Promise<void> => {
  await waitFor(
    () => `${String(text)} in the log: ${child.stdout()}${child.stderr()}`,
    () => {
      const isLogged = timesLogged(child, text) >= times
      if (!isLogged && child.exited !== undefined) {
        throw new Error(`the child ended without ${String(text)}: ${child.stdout()}${child.stderr()}`)
      }
      return isLogged
    },
    limitMs
  )
}

export const timesLogged = (child: Child, text: string | RegExp): number => child.stdout().split(text).length - 1

/** Sends `signal` while the child's event loop is doing whatever the clients make it do: after `afterMs`. */
export const signalAfter = async (child: Child, signal: NodeJS.Signals, afterMs: number): Promise<void> => {
  await pace(afterMs)
  child.signal(signal)
}

const asLine = (text: string): Line | undefined => {
  if (!text.startsWith("{")) return undefined
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === "object" && value !== null && "event" in value ? value as Line : undefined
  } catch {
    return undefined
  }
}

const asTarget = (line: Line): Target => {
  if (typeof line["path"] === "string") return { path: line["path"] }
  if (typeof line["port"] === "number") return { port: line["port"] }
  throw new Error(`a "listening" line without port or path: ${JSON.stringify(line)}`)
}

/** A child is not a vitest worker: its behaviour must not depend on being started by one. */
const withoutVitest = (env: NodeJS.ProcessEnv): NodeJS.ProcessEnv =>
  Object.fromEntries(
    Object.entries(env).filter(([name]) => !/^(VITEST|TEST$|NODE_ENV$|NODE_OPTIONS$|NODE_V8_COVERAGE$)/.test(name))
  )
