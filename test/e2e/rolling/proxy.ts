/**
 * The proxies, as `examples/deploy` configures them, with other ports.
 */
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { freePort } from "../../../src/internal/check/process/listening.js"
import { apache, caddy, haproxy, nginx, outputOf, type Program, start } from "../../support/program.js"
import { connect } from "../../support/rawClient.js"
import { pace } from "../../support/wait.js"

/** What a proxy of `examples/deploy` is run as, and what of its file is said in another way for it. */
interface Kind {
  readonly program: Program
  readonly file: string
  readonly args: (file: string, directory: string) => ReadonlyArray<string>
  readonly places: (options: ProxyOptions, port: number, directory: string) => Replacements
  readonly withoutRetry: Replacements
  /** It asks all instances at one port whether they are ready: each has an address of its own. */
  readonly onePort?: true
  /** What it is asked for its version. */
  readonly version?: string
  /** How long a lame duck has to be at the least, and why. */
  readonly needed: (number: (pattern: RegExp) => number) => { readonly ms: number; readonly because: string }
}

type Replacements = ReadonlyArray<readonly [from: string, to: string]>

/** For one that asks no instance whether it is ready. */
const untilForgotten = (name: string, setting: string, seconds: number) => ({
  ms: (seconds + 1) * 1000,
  because: `${name} leaves an instance when it is refused, and comes back to it ${setting} (${seconds} s, in whole `
    + `seconds: up to ${seconds + 1}) later. The other one must accept until then`
})

const backendsOf = ({ backends: [a, b] }: ProxyOptions): Replacements => [
  ["127.0.0.1:3001", `127.0.0.1:${a.port}`],
  ["127.0.0.1:3002", `127.0.0.1:${b.port}`]
]

const kinds = {
  haproxy: {
    program: haproxy,
    file: "haproxy.cfg",
    args: (file) => ["-db", "-f", file],
    places: ({ backends: [a, b] }, port) => [
      ["bind :80", `bind 127.0.0.1:${port}`],
      ["127.0.0.1:3001 port 9001", `127.0.0.1:${a.port} port ${a.admin}`],
      ["127.0.0.1:3002 port 9002", `127.0.0.1:${b.port} port ${b.admin}`]
    ],
    withoutRetry: [["retries 3", "retries 0"], ["option redispatch 1", "no option redispatch"]],
    needed: (number) => {
      const [inter, fall] = [number(/\bcheck inter (\d+)s\b/), number(/\bfall (\d+)\b/)]
      return {
        ms: inter * fall * 1000,
        because: `HAProxy leaves an instance after ${fall} checks, ${inter} s apart, that say "not ready"`
      }
    }
  },
  nginx: {
    program: nginx,
    file: "nginx.conf",
    args: (
      file,
      directory
    ) => ["-c", file, "-e", "stderr", "-g", `daemon off; pid ${Path.join(directory, "nginx.pid")};`],
    places: (options, port, directory) => [
      ["listen 80;", `listen 127.0.0.1:${port};`],
      ...backendsOf(options),
      // Debian's are of one nginx on the machine
      [
        "http {",
        [
          "http {",
          ...["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((what) => `${what}_temp_path ${directory};`)
        ]
          .join("\n    ")
      ]
    ],
    withoutRetry: [["proxy_next_upstream error timeout", "proxy_next_upstream off"]],
    needed: (number) => untilForgotten("nginx", "fail_timeout", number(/\bfail_timeout=(\d+)s\b/))
  },
  apache: {
    program: apache,
    file: "apache.conf",
    args: (file) => ["-d", "/usr/lib/apache2", "-f", file, "-DFOREGROUND"],
    places: (options, port, directory) => [
      ["Listen 80", `Listen 127.0.0.1:${port}`],
      ["/run/app-apache.pid", Path.join(directory, "apache.pid")],
      ["DefaultRuntimeDir /run", `DefaultRuntimeDir ${directory}`],
      ...backendsOf(options)
    ],
    withoutRetry: [[`ProxyPass "/" "balancer://app/"`, `ProxyPass "/" "balancer://app/" maxattempts=0`]],
    needed: (number) => untilForgotten("Apache", "retry", number(/\bretry=(\d+)\b/))
  },
  caddy: {
    program: caddy,
    file: "Caddyfile",
    version: "version",
    onePort: true,
    args: (file) => ["run", "--config", file, "--adapter", "caddyfile"],
    places: ({ backends: [a, b] }, port) => [
      [":80 {", `:${port} {\n\tbind 127.0.0.1`],
      ["127.0.0.1:3000 127.0.0.2:3000", `${a.host}:${a.port} ${b.host}:${b.port}`],
      ["health_port 9000", `health_port ${a.admin}`]
    ],
    // it never tries another one
    withoutRetry: [],
    needed: (number) => {
      const [interval, timeout] = [number(/\bhealth_interval (\d+)s\b/), number(/\bhealth_timeout (\d+)s\b/)]
      return {
        ms: (interval + timeout) * 1000,
        because: `Caddy asks each instance ${interval} s after the last answer, and waits up to ${timeout} s for one`
      }
    }
  }
} as const satisfies Readonly<Record<string, Kind>>

export type ProxyName = keyof typeof kinds

export const proxyNames = Object.keys(kinds) as ReadonlyArray<ProxyName>

const kindOf = (name: ProxyName): Kind => kinds[name]

export const programOf = (name: ProxyName): Program => kindOf(name).program

export const fileOf = (name: ProxyName): string => kindOf(name).file

export interface Backend {
  readonly host: string
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
  /** What it has written, but for refused connections: why it has answered with an error. */
  readonly errors: () => ReadonlyArray<string>
  readonly stop: () => Promise<void>
}

const deploy = new URL("../../../examples/deploy/", import.meta.url)

const textOf = (name: ProxyName): string => Fs.readFileSync(new URL(fileOf(name), deploy), "utf8")

/** How long a lame duck has to be at the least, and why. */
export const needed = (name: ProxyName): { readonly ms: number; readonly because: string } =>
  kindOf(name).needed((pattern) => {
    const found = pattern.exec(textOf(name))?.[1]
    if (found === undefined) throw new Error(`${fileOf(name)} does not say ${pattern.source}`)
    return Number(found)
  })

/** Fails where the configuration does not say what is replaced. What has taken another's place is not looked at again. */
const replaced = (name: ProxyName, replacements: Replacements): string => {
  const text = textOf(name)
  const found = replacements.map(([from, to]) => {
    const at = text.indexOf(from)
    if (at < 0) throw new Error(`${fileOf(name)} does not say ${JSON.stringify(from)}`)
    return { at, end: at + from.length, to }
  })
  let written = ""
  let end = 0
  for (const one of found.toSorted((a, b) => a.at - b.at)) {
    if (one.at < end) throw new Error(`two replacements overlap in ${fileOf(name)}, at ${one.at}`)
    written += text.slice(end, one.at) + one.to
    end = one.end
  }
  return written + text.slice(end)
}

/** Of refused connections, and what Apache says of itself as it starts and stops. */
const expected = /connect\(\) failed|temporarily disabled|AH0095[79]|AH01114|:notice\]/

export const startProxy = async (options: ProxyOptions): Promise<Proxy> => {
  const [port = 0] = await freePorts(1)
  const directory = Fs.mkdtempSync(Path.join(Os.tmpdir(), "quiesce-rolling-"))
  const file = Path.join(directory, "proxy.conf")
  const kind = kindOf(options.name)
  Fs.writeFileSync(
    file,
    replaced(options.name, [
      ...kind.places(options, port, directory),
      ...(options.withoutRetry ? kind.withoutRetry : [])
    ])
  )

  const { child, ran, stderr, stdout } = start(kind.program, kind.args(file, directory))
  const errors = () =>
    `${stderr()}\n${stdout().toString()}`.split("\n").filter((line) => line !== "" && !expected.test(line))
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

export const version = (name: ProxyName): string =>
  /\d+\.\d+\.\d+/.exec(outputOf(programOf(name), [kindOf(name).version ?? "-v"]))?.[0] ?? ""

/** Where the instances listen that it is in front of. */
export const freeBackends = async (name: ProxyName): Promise<readonly [Backend, Backend]> => {
  const [one = 0, oneAdmin = 0, two = 0, twoAdmin = 0] = await freePorts(4)
  const first = { host: "127.0.0.1", port: one, admin: oneAdmin }
  return [
    first,
    kindOf(name).onePort === true ? { ...first, host: "127.0.0.2" } : { ...first, port: two, admin: twoAdmin }
  ]
}

/**
 * Ports that no outgoing connection takes by chance while an instance is away: those below the range that the system
 * takes them from.
 */
export const freePorts = async (count: number): Promise<ReadonlyArray<number>> => {
  const ports = new Set<number>()
  while (ports.size < count) ports.add(await freePort())
  return [...ports]
}
