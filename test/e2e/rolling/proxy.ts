/**
 * The proxies, as `examples/deploy` configures them, with other ports.
 */
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { freePort } from "../../../src/internal/check/process/listening.js"
import { haproxy, nginx, outputOf, type Program, start } from "../../support/program.js"
import { connect } from "../../support/rawClient.js"
import { pace } from "../../support/wait.js"

export const programs = { haproxy, nginx } as const satisfies Readonly<Record<string, Program>>

export type ProxyName = keyof typeof programs

export interface Backend {
  readonly port: number
  readonly admin: number
}

export interface ProxyOptions {
  readonly name: ProxyName
  readonly backends: readonly [Backend, Backend]
  /** A request whose connection is refused is not sent to the other instance. */
  readonly withoutRetry: boolean
}

export interface Proxy {
  readonly port: number
  /** What it has logged, but for refused connections: for nginx, why it has answered with an error. */
  readonly errors: () => ReadonlyArray<string>
  readonly stop: () => Promise<void>
}

const deploy = new URL("../../../examples/deploy/", import.meta.url)

export const files: Readonly<Record<ProxyName, string>> = { haproxy: "haproxy.cfg", nginx: "nginx.conf" }

const textOf = (name: ProxyName): string => Fs.readFileSync(new URL(files[name], deploy), "utf8")

const number = (name: ProxyName, pattern: RegExp): number => {
  const found = pattern.exec(textOf(name))?.[1]
  if (found === undefined) throw new Error(`${files[name]} does not say ${pattern.source}`)
  return Number(found)
}

/** How long a lame duck has to be at the least, and why. */
export const needed = (name: ProxyName): { readonly ms: number; readonly because: string } => {
  if (name === "haproxy") {
    const inter = number(name, /\bcheck inter (\d+)s\b/)
    const fall = number(name, /\bfall (\d+)\b/)
    return {
      ms: inter * fall * 1000,
      because: `HAProxy leaves an instance after ${fall} checks, ${inter} s apart, that say "not ready"`
    }
  }
  const timeout = number(name, /\bfail_timeout=(\d+)s\b/)
  return {
    ms: (timeout + 1) * 1000,
    because: "nginx leaves an instance when it is refused, and each worker comes back to it fail_timeout "
      + `(${timeout} s, in whole seconds: up to ${timeout + 1}) later. The other one must accept until then`
  }
}

/** Fails where the configuration does not say what is replaced. */
const replaced = (name: ProxyName, replacements: ReadonlyArray<readonly [string, string]>): string => {
  let text = textOf(name)
  for (const [from, to] of replacements) {
    if (!text.includes(from)) throw new Error(`${files[name]} does not say ${JSON.stringify(from)}`)
    text = text.replace(from, () => to)
  }
  return text
}

const haproxyConfig = ({ backends: [a, b], withoutRetry }: ProxyOptions, port: number): string =>
  replaced("haproxy", [
    ["bind :80", `bind 127.0.0.1:${port}`],
    ["127.0.0.1:3001 port 9001", `127.0.0.1:${a.port} port ${a.admin}`],
    ["127.0.0.1:3002 port 9002", `127.0.0.1:${b.port} port ${b.admin}`],
    ...(withoutRetry ? [["retries 3", "retries 0"], ["option redispatch 1", "no option redispatch"]] as const : [])
  ])

const nginxConfig = ({ backends: [a, b], withoutRetry }: ProxyOptions, port: number, directory: string): string =>
  replaced("nginx", [
    ["listen 80;", `listen 127.0.0.1:${port};`],
    ["127.0.0.1:3001", `127.0.0.1:${a.port}`],
    ["127.0.0.1:3002", `127.0.0.1:${b.port}`],
    // Debian's are of one nginx on the machine
    [
      "http {",
      [
        "http {",
        ...["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((what) => `${what}_temp_path ${directory};`)
      ]
        .join("\n    ")
    ],
    ...(withoutRetry ? [["proxy_next_upstream error timeout", "proxy_next_upstream off"]] as const : [])
  ])

export const startProxy = async (options: ProxyOptions): Promise<Proxy> => {
  const [port = 0] = await freePorts(1)
  const directory = Fs.mkdtempSync(Path.join(Os.tmpdir(), "quiesce-rolling-"))
  const file = Path.join(directory, "proxy.conf")
  const [config, args] = options.name === "haproxy"
    ? [haproxyConfig(options, port), ["-db", "-f", file]]
    : [
      nginxConfig(options, port, directory),
      ["-c", file, "-e", "stderr", "-g", `daemon off; pid ${Path.join(directory, "nginx.pid")};`]
    ]
  Fs.writeFileSync(file, config)

  const { child, ran, stderr } = start(programs[options.name], args)
  const errors = () =>
    stderr().split("\n").filter((line) => line !== "" && !/connect\(\) failed|temporarily disabled/.test(line))
  const ended = () => child.exitCode !== null || child.signalCode !== null

  const stop = async () => {
    if (!ended()) child.kill("SIGTERM")
    await ran(10_000)
    Fs.rmSync(directory, { recursive: true })
  }
  try {
    for (const until = Date.now() + 10_000;;) {
      const client = await connect({ port })
      client.leave()
      if (client.ending !== "refused") break
      if (ended() || Date.now() > until) throw new Error(`${options.name} does not listen: ${errors().join("\n")}`)
      await pace(20)
    }
  } catch (cause) {
    await stop()
    throw cause
  }
  return { port, errors, stop }
}

export const version = (name: ProxyName): string => /\d+\.\d+\.\d+/.exec(outputOf(programs[name], ["-v"]))?.[0] ?? ""

/**
 * Ports that no outgoing connection takes by chance while an instance is away: those below the range that the system
 * takes them from.
 */
export const freePorts = async (count: number): Promise<ReadonlyArray<number>> => {
  const ports = new Set<number>()
  while (ports.size < count) ports.add(await freePort())
  return [...ports]
}
