/**
 * A server that is being checked: a process group of its own, what it printed, how it ended, and that nothing is left.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { randomBytes } from "node:crypto"
import { CheckFailed } from "../errors.js"
import { Changes, now, until } from "../wait.js"
import { type Guardian, startGuardian } from "./guardian.js"
import { isPending, keptWaiting, kill, markName, type Process, processesOf } from "./processes.js"

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly at: number
}

export interface StartOptions {
  readonly command: ReadonlyArray<string>
  readonly cwd: string | undefined
  readonly env: Readonly<Record<string, string | undefined>>
}

/** Of what a server prints, the last so many characters are kept. */
const keptOutput = 16_384

const running = new Set<ServerProcess>()

/** Ends all servers that this process has started. */
export const destroyAll = async (): Promise<void> => {
  await Promise.all([...running].map((server) => server.destroy()))
}

export class ServerProcess {
  readonly pid: number
  readonly changes = new Changes()
  readonly #mark: string
  readonly #guardian: Guardian
  #output = ""
  #waited = 0
  exit: Exit | undefined
  /** As in a container: when the process that was started ends, so do all others. */
  endsWithLeader = true
  #destroyed: Promise<void> | undefined

  constructor(child: ChildProcess, pid: number, mark: string, guardian: Guardian) {
    this.pid = pid
    this.#mark = mark
    this.#guardian = guardian
    const take = (text: string) => {
      this.#output = (this.#output + text).slice(-keptOutput)
      this.changes.changed()
    }
    child.stdout?.setEncoding("utf8").on("data", take)
    child.stderr?.setEncoding("utf8").on("data", take)
    // Whoever has left the group may hold the pipes: they must not keep this process alive.
    child.once("exit", (code, signal) => {
      this.exit = { code, signal, at: now() }
      if (this.endsWithLeader) kill(-this.pid, "SIGKILL")
      this.changes.changed()
    })
    running.add(this)
  }

  get output(): string {
    return this.#output
  }

  /** Whether it was delivered: to the process that was started, or to its group. */
  signal(signal: NodeJS.Signals, group: boolean): boolean {
    if (this.exit !== undefined && !group) return false
    return kill(group ? -this.pid : this.pid, signal)
  }

  /** Whether the process that was started has run since it was sent that signal, within the limit. */
  hasTaken(signal: NodeJS.Signals, limitMillis: number): Promise<boolean> {
    return until(() => this.exit !== undefined || !isPending(this.pid, signal), limitMillis, 2)
  }

  /** For how long the machine has kept the process that was started from running, up to its end. */
  keptWaiting(): number {
    // of one that has ended the kernel says nothing
    this.#waited = Math.max(this.#waited, keptWaiting(this.pid))
    return this.#waited
  }

  /** All of its processes stand still, and the kernel goes on accepting connections for them. */
  freeze(): void {
    kill(-this.pid, "SIGSTOP")
  }

  thaw(): void {
    kill(-this.pid, "SIGCONT")
  }

  /** Whether it has ended within the limit. */
  ended(limitMillis: number): Promise<boolean> {
    return this.changes.until(() => this.exit !== undefined, limitMillis)
  }

  /** Its processes that have not ended. */
  left(): ReadonlyArray<Process> {
    return processesOf(this.pid, this.#mark)
  }

  /** Ends all of its processes, and resolves when there is none. */
  destroy(): Promise<void> {
    this.#destroyed ??= this.#end()
    return this.#destroyed
  }

  async #end(): Promise<void> {
    const isGone = () => {
      kill(-this.pid, "SIGKILL")
      const left = this.left()
      for (const { pid } of left) kill(pid, "SIGKILL")
      return left.length === 0
    }
    const gone = await until(isGone, 10_000, 10)
    await this.ended(10_000)
    running.delete(this)
    if (gone) this.#guardian.dismiss()
  }
}

export const startProcess = async ({ command, cwd, env }: StartOptions): Promise<ServerProcess> => {
  const mark = randomBytes(9).toString("base64url")
  const guardian = startGuardian(mark)
  const [program = "", ...args] = command
  const child = spawn(program, args, {
    ...(cwd === undefined ? {} : { cwd }),
    env: { ...env, [markName]: mark },
    detached: true,
    stdio: ["ignore", "pipe", "pipe"]
  })
  const failed = await new Promise<Error | undefined>((resolve) => {
    child.once("spawn", () => resolve(undefined))
    child.once("error", resolve)
  })
  if (failed !== undefined || child.pid === undefined) {
    guardian.dismiss()
    // as it was meant for a shell
    const hint = args.length === 0 && /\s/.test(program)
      ? "; its words are to be given one by one: -- node server.js"
      : ""
    throw new CheckFailed(
      "DiedAtStart",
      `${program} cannot be started: ${failed?.message ?? "it has no process"}${hint}`
    )
  }
  guardian.watch(child.pid)
  child.on("error", () => {})
  return new ServerProcess(child, child.pid, mark, guardian)
}
