/** Servers on other runtimes, and proxies. */
import * as Fs from "node:fs"
import * as Path from "node:path"
import * as Programs from "../support/program.js"
import { type Certificate, type Checked, goBinary, here, packages, versionOf } from "./checked.js"

type Other = Pick<Checked, "name" | "title" | "file" | "stop" | "documentation" | "notes">

/** The binary that a package of npm has for this platform. */
const binary = (scope: string, file: string): string | undefined => {
  const folder = `${packages}node_modules/${scope}`
  if (!Fs.existsSync(folder)) return undefined
  return Fs.readdirSync(folder).map((name) => Path.join(folder, name, file)).find((path) => Fs.existsSync(path))
}

interface FromNpm extends Other {
  readonly package: string
  readonly scope: string
  readonly binary: string
  readonly tls: "http1" | "http2"
  readonly args: ReadonlyArray<string>
}

const fromNpm = (server: FromNpm): Checked => ({
  ...server,
  group: "others",
  command: () => [binary(server.scope, server.binary) ?? server.package, ...server.args],
  signal: "SIGTERM",
  webSockets: true,
  proxy: false,
  whyNot: () =>
    binary(server.scope, server.binary) === undefined
      ? `the package ${server.package} has no binary for ${process.platform} on ${process.arch}`
      : undefined,
  versions: () => [versionOf(server.package, packages)]
})

interface FromDebian extends Other {
  readonly program: Programs.Program
  /** For the program. */
  readonly args?: (certificate?: Certificate) => ReadonlyArray<string>
  /** If it is not that program with these arguments. */
  readonly command?: () => ReadonlyArray<string>
  readonly tls: "http1" | "http2"
  /** What prints its version. */
  readonly version: string
  readonly webSockets?: boolean
  readonly whyNot?: () => string | undefined
}

const fromDebian = (server: FromDebian): Checked => ({
  ...server,
  group: "others",
  command: server.command ?? ((certificate) => [Programs.pathOf(server.program), ...server.args?.(certificate) ?? []]),
  signal: "SIGTERM",
  webSockets: server.webSockets ?? true,
  proxy: false,
  whyNot: () => Programs.whyNot(server.program) ?? server.whyNot?.(),
  versions: () => {
    const [version] = /\d+(\.\d+)+/.exec(Programs.outputOf(server.program, [server.version])) ?? []
    return [`${server.program.name} ${version ?? "of an unknown version"}`]
  }
})

const proxy = (server: FromDebian & { readonly signal?: NodeJS.Signals }): Checked => {
  const { notes, signal = "SIGTERM" } = server
  return {
    ...fromDebian(server),
    group: "proxies",
    signal,
    proxy: true,
    notes: ["A reverse proxy. The server behind it goes on running.", ...notes]
  }
}

const gunicornArgs = (certificate?: Certificate): ReadonlyArray<string> => [
  "--workers",
  "4",
  "--bind",
  "127.0.0.1:{port}",
  "--chdir",
  here("programs/python"),
  ...certificate === undefined ? [] : ["--certfile", certificate.cert, "--keyfile", certificate.key],
  "wsgi:app"
]

const pumaBind = (certificate?: Certificate): string =>
  certificate === undefined
    ? "tcp://127.0.0.1:{port}"
    : `ssl://127.0.0.1:{port}?cert=${certificate.cert}&key=${certificate.key}`

const runtimes: ReadonlyArray<Checked> = [
  fromNpm({
    name: "deno",
    title: "Deno",
    file: "programs/deno.mjs",
    package: "deno",
    scope: "@deno",
    binary: "deno",
    tls: "http2",
    args: ["run", "--no-config", "--no-lock", "--allow-net", "--allow-env", "--allow-read", here("programs/deno.mjs")],
    stop: "`server.shutdown()` on SIGTERM, and `Deno.exit(1)` after 10 s",
    documentation: "https://docs.deno.com/examples/http_server_graceful_shutdown/",
    notes: ["A shorter time than the 10 s of its page ends it before it is killed."]
  }),
  fromNpm({
    name: "bun",
    title: "Bun",
    file: "programs/bun.mjs",
    package: "bun",
    scope: "@oven",
    binary: "bin/bun",
    tls: "http1",
    args: [here("programs/bun.mjs")],
    stop: "`server.stop()` on SIGTERM",
    documentation: "https://bun.sh/reference/bun/Server/stop",
    notes: [
      "`server.stop(true)` some seconds later ends what is left: it cuts requests, and closes WebSockets with 1001."
    ]
  }),
  fromDebian({
    name: "go",
    title: "Go",
    file: "programs/go/main.go",
    program: Programs.go,
    command: () => [goBinary],
    tls: "http2",
    version: "version",
    stop: "`Server.Shutdown` on SIGTERM",
    documentation: "https://pkg.go.dev/net/http#example-Server.Shutdown",
    notes: [
      "A context with a deadline in place of `context.Background()`, and `Close` after it, end it in time.",
      "`RegisterOnShutdown` is where a program closes its WebSockets."
    ],
    whyNot: () => Fs.existsSync(goBinary) ? undefined : `it was not compiled: apt-get install ${Programs.go.debian}`
  }),
  fromDebian({
    name: "gunicorn",
    title: "gunicorn, sync",
    file: "programs/python/wsgi.py",
    program: Programs.gunicorn,
    args: gunicornArgs,
    tls: "http1",
    version: "--version",
    stop: "SIGTERM",
    documentation: "https://docs.gunicorn.org/en/stable/signals.html",
    notes: [
      "`--graceful-timeout` is 30 s by default: what takes longer is cut.",
      "Its workers are of the default kind, which closes each connection after one answer."
    ],
    webSockets: false
  }),
  fromDebian({
    name: "gunicorn-threads",
    title: "gunicorn, threads",
    file: "programs/python/wsgi.py",
    program: Programs.gunicorn,
    args: (certificate) => ["--threads", "8", ...gunicornArgs(certificate)],
    tls: "http1",
    version: "--version",
    stop: "SIGTERM",
    documentation: "https://docs.gunicorn.org/en/stable/signals.html",
    notes: [
      "`--graceful-timeout` is 30 s by default: what takes longer is cut.",
      "`--keep-alive` is 2 s by default."
    ],
    webSockets: false
  }),
  fromDebian({
    name: "uvicorn",
    title: "uvicorn",
    file: "programs/python/asgi.py",
    program: Programs.uvicorn,
    args: (certificate) => [
      "--app-dir",
      here("programs/python"),
      "--host",
      "127.0.0.1",
      "--port",
      "{port}",
      ...certificate === undefined ? [] : ["--ssl-certfile", certificate.cert, "--ssl-keyfile", certificate.key],
      "asgi:app"
    ],
    tls: "http1",
    version: "--version",
    stop: "SIGTERM",
    documentation: "https://www.uvicorn.org/server-behavior/#graceful-process-shutdown",
    notes: ["Newer versions have `--timeout-graceful-shutdown`, which ends it in time, and cuts what is left."]
  }),
  fromDebian({
    name: "puma",
    title: "puma",
    file: "programs/ruby/config.ru",
    program: Programs.puma,
    args: (certificate) => ["--bind", pumaBind(certificate), here("programs/ruby/config.ru")],
    tls: "http1",
    version: "--version",
    stop: "SIGTERM",
    documentation: "https://github.com/puma/puma/blob/master/docs/signals.md",
    notes: [
      "`drain_on_shutdown` takes the queue of the listener as well.",
      "`force_shutdown_after` ends it in time, and cuts what is left.",
      "`raise_exception_on_sigterm false` ends it with exit code 0."
    ],
    webSockets: false
  })
]

const proxies: ReadonlyArray<Checked> = [
  proxy({
    name: "nginx",
    title: "nginx",
    file: "programs/nginx.conf",
    program: Programs.nginx,
    command: () => ["/bin/sh", here("programs/nginx.sh"), Programs.pathOf(Programs.nginx)],
    tls: "http2",
    version: "-v",
    signal: "SIGQUIT",
    stop: "SIGQUIT",
    documentation: "https://nginx.org/en/docs/control.html",
    notes: [
      "SIGTERM is its fast shutdown, which cuts what is in flight.",
      "`worker_shutdown_timeout` ends it in time, and cuts what is left."
    ]
  }),
  proxy({
    name: "caddy",
    title: "Caddy",
    file: "programs/Caddyfile",
    program: Programs.caddy,
    args: () => ["run", "--adapter", "caddyfile", "--config", here("programs/Caddyfile")],
    tls: "http2",
    version: "version",
    stop: "SIGTERM",
    documentation: "https://caddyserver.com/docs/command-line#signals",
    notes: [
      "`grace_period` ends it in time, and cuts what is left.",
      "`shutdown_delay` is a wait before it stops, in which it serves as before."
    ]
  }),
  proxy({
    name: "apache",
    title: "Apache",
    file: "programs/httpd.conf",
    program: Programs.apache,
    args: (certificate) => [
      "-DFOREGROUND",
      ...certificate === undefined ? [] : ["-DTLS"],
      "-f",
      here("programs/httpd.conf")
    ],
    tls: "http2",
    version: "-v",
    signal: "SIGWINCH",
    stop: "SIGWINCH",
    documentation: "https://httpd.apache.org/docs/2.4/stopping.html#gracefulstop",
    notes: [
      "SIGTERM stops it at once, and cuts what is in flight.",
      "`GracefulShutdownTimeout` ends it in time, and cuts what is left."
    ]
  })
]

export const otherServers: ReadonlyArray<Checked> = [...runtimes, ...proxies]
