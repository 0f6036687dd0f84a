/**
 * Whether a process was started by npm, which dies of SIGTERM, SIGHUP and SIGQUIT without passing them on.
 */
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import * as Path from "node:path"
import * as Line from "../log/line.js"

interface Npm {
  readonly pid: number | undefined
  /** As a person would find it in a list of processes. */
  readonly command: string
}

type Environment = Readonly<Record<string, string | undefined>>

/** npm, the shell of its script, and a wrapper or two in that script. */
const generations = 4

/** npm calls its process after what it does: `npm start`. */
const isNpm = (command: string): boolean => /^npm(\s|$)/.test(command) || /[\\/]npm(-cli\.js)?(\s|$)/.test(command)

const commandOf = (pid: number): string => Fs.readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim()

const parentOf = (pid: number): number =>
  // the name before it, in parentheses, may have spaces and parentheses of its own
  Number(/^.*\) \S (\d+) /s.exec(Fs.readFileSync(`/proc/${pid}/stat`, "utf8"))?.[1])

/** The npm above this process. Its variables alone prove nothing where the list of processes can be read. */
const npmAbove = (env: Environment, parent: number): Npm | undefined => {
  if (env["npm_lifecycle_event"] === undefined || !/\bnpm(-cli\.js)?$/.test(env["npm_execpath"] ?? "")) return undefined
  if (process.platform !== "linux") return { pid: undefined, command: `npm run ${env["npm_lifecycle_event"]}` }
  try {
    let pid = parent
    for (let n = 0; n < generations && pid > 0; n++) {
      const command = commandOf(pid)
      if (isNpm(command)) return { pid, command }
      pid = parentOf(pid)
    }
  } catch {
    // of another user, or gone
  }
  return undefined
}

/** Where SIGTERM is what stops a process, and not a person at a terminal. */
const isInProduction = (env: Environment, npm: Npm): boolean =>
  env["NODE_ENV"] === "production"
  // a test suite may run there, too
  || (env["NODE_ENV"] === undefined && env["KUBERNETES_SERVICE_HOST"] !== undefined)
  || npm.pid === 1

/** What to write in place of `npm start`. */
const ownFile = (): string => {
  const [, file = "server.js"] = process.argv
  const relative = Path.relative(process.cwd(), file)
  return relative === "" || relative.startsWith("..") ? file : relative
}

const warning = ({ command, pid }: Npm): string =>
  `This process was started by npm (${command}${pid === undefined ? "" : `, process ${pid}`}), which ends on SIGTERM `
  + `without passing it on: the server would not drain. Start node itself: "node ${ownFile()}"`

let hasLooked = false

/** Once in a process, however many servers it has. */
export const warnAboutNpm: Effect.Effect<void> = Effect.suspend(() => {
  if (hasLooked) return Effect.void
  hasLooked = true
  const npm = npmAbove(process.env, process.ppid)
  return npm !== undefined && isInProduction(process.env, npm) ? Line.warning(warning(npm)) : Effect.void
})
