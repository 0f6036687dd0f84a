/**
 * Programs from npm, as they are started: each knows nothing of quiesce, and stops in a way of its own.
 */
import * as Fs from "node:fs"
import * as Path from "node:path"
import { fileURLToPath } from "node:url"
import type { Options } from "../../src/check.js"

export const root = fileURLToPath(new URL("../../", import.meta.url))
const folder = fileURLToPath(new URL("./programs/", import.meta.url))
const servers = fileURLToPath(new URL("../servers/node/", import.meta.url))

export interface Program {
  readonly name: string
  /** Where it is installed. */
  readonly in: string
  readonly package: string
  /** What Node is told, with `{port}`. `files` is a folder of its own. */
  readonly args: (files: string) => ReadonlyArray<string>
  /** Writes what it needs to `files`. */
  readonly prepare?: (files: string) => void
  /** What it offers beyond its address. */
  readonly offers?: Pick<Options, "big" | "path" | "post" | "slow" | "stream" | "ws">
}

const bigBytes = 16 * 1024 * 1024

const site = (files: string): void => {
  Fs.writeFileSync(Path.join(files, "index.html"), "hello\n")
  Fs.writeFileSync(Path.join(files, "big.bin"), Buffer.alloc(bigBytes))
}

const bin = (path: string): string => Path.join(folder, "node_modules", path)

export const programs: ReadonlyArray<Program> = [
  {
    name: "http-server",
    in: folder,
    package: "http-server",
    args: (files) => [bin("http-server/bin/http-server"), files, "-a", "127.0.0.1", "-p", "{port}"],
    prepare: site,
    offers: { big: "/big.bin" }
  },
  {
    name: "serve",
    in: folder,
    package: "serve",
    args: (files) => [bin("serve/build/main.js"), "-l", "tcp://127.0.0.1:{port}", files],
    prepare: site,
    offers: { big: "/big.bin" }
  },
  {
    name: "json-server",
    in: folder,
    package: "json-server",
    args: (files) => [
      bin("json-server/lib/cli/bin.js"),
      "--host",
      "127.0.0.1",
      "--port",
      "{port}",
      "--delay",
      "300",
      Path.join(files, "db.json")
    ],
    prepare: (files) => Fs.writeFileSync(Path.join(files, "db.json"), JSON.stringify({ posts: [{ id: 1 }] })),
    offers: { path: "/posts", slow: "/posts" }
  },
  {
    name: "peerjs",
    in: folder,
    package: "peer",
    args: () => [bin("peer/dist/bin/peerjs.js"), "--host", "127.0.0.1", "--port", "{port}"],
    offers: { ws: "/peerjs?key=peerjs&id=one&token=one" }
  },
  {
    name: "verdaccio",
    in: folder,
    package: "verdaccio",
    args: (files) => [
      bin("verdaccio/bin/verdaccio"),
      "--listen",
      "127.0.0.1:{port}",
      "--config",
      Path.join(files, "config.yaml")
    ],
    prepare: (files) =>
      Fs.writeFileSync(
        Path.join(files, "config.yaml"),
        `storage: ${Path.join(files, "storage")}\nauth:\n  htpasswd:\n    file: ${
          Path.join(files, "htpasswd")
        }\npackages:\n  "**":\n    access: $all\nlog: { type: stdout, format: pretty, level: warn }\n`
      ),
    offers: { path: "/-/ping" }
  },
  {
    name: "Node-RED",
    in: folder,
    package: "node-red",
    args: (files) => [bin("node-red/red.js"), "--userDir", files, "--port", "{port}", "-D", "uiHost=127.0.0.1"],
    offers: { ws: "/comms" }
  },
  {
    name: "next start",
    in: servers,
    package: "next",
    args: () => [
      Path.join(servers, "node_modules/next/dist/bin/next"),
      "start",
      Path.join(servers, "next"),
      "-H",
      "127.0.0.1",
      "-p",
      "{port}"
    ],
    offers: { slow: "/slow", big: "/big", stream: "/stream", post: "/post" }
  },
  {
    name: "NestJS, `enableShutdownHooks()`",
    in: servers,
    package: "@nestjs/core",
    args: () => [Path.join(servers, "nest.mjs")],
    offers: { slow: "/slow", big: "/big", stream: "/stream", post: "/post", ws: "/ws" }
  }
]
