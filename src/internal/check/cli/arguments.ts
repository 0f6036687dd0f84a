/**
 * The arguments of `quiesce check`.
 */
import { parseArgs } from "node:util"
import { CheckFailed } from "../errors.js"
import type { Options } from "../options.js"
import { inShell } from "../report/commandLine.js"

export type Format = "text" | "json" | "junit" | "tap"

export interface Arguments {
  readonly options: Options
  /** More commands, to be checked in the same way. */
  readonly compare: ReadonlyArray<ReadonlyArray<string>>
  readonly format: Format
  readonly verbose: boolean
  readonly list: boolean
  readonly help: boolean
  readonly colour: boolean | undefined
}

const path = { type: "string" } as const
const flag = { type: "boolean" } as const

const known = {
  path,
  post: path,
  slow: path,
  big: path,
  stream: path,
  ws: path,
  h2: flag,
  tls: flag,
  unix: path,
  host: path,
  port: path,
  signal: path,
  group: flag,
  "kill-after": path,
  "start-timeout": path,
  parallel: path,
  repeat: path,
  only: { type: "string", multiple: true },
  skip: { type: "string", multiple: true },
  compare: { type: "string", multiple: true },
  verbose: { type: "boolean", short: "v" },
  json: flag,
  junit: flag,
  tap: flag,
  list: flag,
  help: { type: "boolean", short: "h" },
  color: flag,
  "no-color": flag
} as const

export const usage = `quiesce check [options] -- command [arguments]

Starts an HTTP server, puts clients on it, stops it, and says which of them lost what.
The server listens on the port in PORT, or in {port} among its arguments.

What it has:
  --path PATH          answers a GET (default: /)
  --post PATH          reads the body of a POST before it answers (default: that of --path)
  --slow PATH          answers after 0.2 s or more
  --big PATH           answers with 8 MiB or more
  --stream PATH        answers without an end
  --ws PATH            takes WebSockets
  --h2                 speaks HTTP/2: over TLS, or with prior knowledge
  --tls                speaks TLS; its certificate is not verified
How it is started and stopped:
  --port PORT          it listens there, and does not read PORT
  --host ADDRESS       a loopback address (default: 127.0.0.1 or ::1)
  --unix PATH          it listens on a Unix socket; {socket} among its arguments is one of its own for each start
  --signal NAME        what stops it (default: SIGTERM)
  --group              the signal goes to all of its processes, as with Ctrl-C and systemd
  --kill-after 10s     when a supervisor would kill it (default: 10s, as Docker)
  --start-timeout 30s  how long it may take until it answers
What is asked:
  --only NAME,NAME     these scenarios (--list has the names)
  --skip NAME,NAME     all but these
  --repeat N           each scenario so often: for races
  --parallel N         so many at once, of those that do not disturb each other (default: 4)
  --compare "COMMAND"  another server, in the same way
What is printed:
  --verbose, -v        what the clients of each loss saw, byte by byte
  --json, --junit, --tap
  --no-color, --color
  --list, --help

Exit code: 0 nothing was lost, 1 something was, 2 it could not be asked.
`

const invalid = (message: string) => new CheckFailed("InvalidOption", message)

export const parse = (args: ReadonlyArray<string>): Arguments => {
  const { positionals, values } = parsed(args)
  const formats = (["json", "junit", "tap"] as const).filter((name) => values[name] === true)
  if (formats.length > 1) throw invalid(`--${formats.join(" and --")}: one of them`)
  return {
    options: {
      command: positionals,
      host: values.host,
      port: numberOf("port", values.port),
      unix: values.unix,
      tls: values.tls,
      h2: values.h2,
      path: values.path,
      post: values.post,
      slow: values.slow,
      big: values.big,
      stream: values.stream,
      ws: values.ws,
      signal: signalOf(values.signal),
      group: values.group,
      killAfterMillis: millisOf("kill-after", values["kill-after"]),
      startTimeoutMillis: millisOf("start-timeout", values["start-timeout"]),
      parallel: numberOf("parallel", values.parallel),
      repeat: numberOf("repeat", values.repeat),
      only: namesOf(values.only),
      skip: namesOf(values.skip)
    },
    compare: (values.compare ?? []).map(inShell),
    format: formats[0] ?? "text",
    verbose: values.verbose === true,
    list: values.list === true,
    help: values.help === true,
    colour: values["no-color"] === true ? false : values.color
  }
}

const parsed = (args: ReadonlyArray<string>) => {
  try {
    return parseArgs({ args: [...args], options: known, allowPositionals: true })
  } catch (cause) {
    // Node's own message names the option
    throw invalid(cause instanceof Error ? cause.message : String(cause))
  }
}

const numberOf = (name: string, text: string | undefined): number | undefined => {
  if (text === undefined) return undefined
  if (!/^\d+$/.test(text)) throw invalid(`--${name} ${text}: a whole number`)
  return Number(text)
}

const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000 }

const millisOf = (name: string, text: string | undefined): number | undefined => {
  if (text === undefined) return undefined
  const [, number, unit] = /^(\d+(?:\.\d+)?)(ms|s|m)$/.exec(text) ?? []
  if (number === undefined) throw invalid(`--${name} ${text}: a time with its unit, such as 500ms, 10s or 2m`)
  return Math.round(Number(number) * (units[unit ?? ""] ?? 1))
}

const isSignal = (name: string): name is NodeJS.Signals => /^SIG(TERM|INT|HUP|QUIT|USR1|USR2|WINCH)$/.test(name)

const signalOf = (text: string | undefined): NodeJS.Signals | undefined => {
  if (text === undefined) return undefined
  const name = text.toUpperCase()
  const whole = name.startsWith("SIG") ? name : `SIG${name}`
  if (!isSignal(whole)) {
    throw invalid(`--signal ${text}: SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2 or SIGWINCH`)
  }
  return whole
}

const namesOf = (lists: ReadonlyArray<string> | undefined): ReadonlyArray<string> =>
  (lists ?? []).flatMap((list) => list.split(",")).map((name) => name.trim()).filter((name) => name !== "")
