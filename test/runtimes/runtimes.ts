/** What is tried on which runtime: programs of `test/servers/node`, which are told nothing of it. */
import * as Fs from "node:fs"
import * as Path from "node:path"
import { fileURLToPath } from "node:url"
import type { Options } from "../../src/check.js"
import { packages } from "../servers/checked.js"

export type Name = "deno" | "bun"

export interface Runtime {
  /** `undefined` where its package has none for this platform. */
  readonly binary: string | undefined
  readonly args: ReadonlyArray<string>
}

/** npm installs a package for each platform, and only that of this one. */
const binary = (scope: string, file: string): string | undefined => {
  const folder = `${packages}node_modules/${scope}`
  if (!Fs.existsSync(folder)) return undefined
  return Fs.readdirSync(folder).map((name) => Path.join(folder, name, file)).find((path) => Fs.existsSync(path))
}

export const runtimes = (tsconfig: string): Readonly<Record<Name, Runtime>> => ({
  deno: {
    binary: binary("@deno", "deno"),
    args: ["run", "--no-lock", "--allow-net", "--allow-env", "--allow-read", "--allow-sys", "--allow-run"]
  },
  bun: { binary: binary("@oven", "bin/bun"), args: [`--tsconfig-override=${tsconfig}`] }
})

interface Tried {
  readonly name: string
  readonly runtime: Name
  /** What follows the runtime's own arguments. */
  readonly program: ReadonlyArray<string>
}

export interface Drained extends Tried {
  readonly env?: Readonly<Record<string, string>>
  readonly offers: Partial<Options>
}

export interface Refused extends Tried {
  /** What stderr has. */
  readonly says: ReadonlyArray<string>
}

const all: Partial<Options> = { slow: "/slow", big: "/big", stream: "/stream", ws: "/ws", post: "/post" }
const http2 = { env: { TLS_HTTP2: "1" }, offers: { ...all, tls: true, h2: true } }
/** It answers one request a connection, by itself: no more is asked than that what is in flight is awaited. */
const net = { slow: "/slow", only: ["slow", "exit-code", "left-behind", "restart", "signal-twice"] }
const own = (file: string) => fileURLToPath(new URL(`programs/${file}`, import.meta.url))
const register = `${packages}node_modules/quiesce/dist/register.js`

export const drained: ReadonlyArray<Drained> = [
  { name: "deno, node:http", runtime: "deno", program: ["nodeQuiesce.mjs"], offers: all },
  { name: "deno, node:https", runtime: "deno", program: ["nodeQuiesce.mjs"], offers: { ...all, tls: true } },
  { name: "deno, node:http2 with allowHTTP1", runtime: "deno", program: ["nodeQuiesce.mjs"], ...http2 },
  { name: "deno, node:net", runtime: "deno", program: [own("net.mjs")], offers: net },
  { name: "deno, express", runtime: "deno", program: ["expressQuiesce.mjs"], offers: all },
  { name: "deno, fastify", runtime: "deno", program: ["fastifyQuiesce.mjs"], offers: all },
  { name: "deno, NestJS", runtime: "deno", program: ["nestQuiesce.mjs"], offers: all },
  { name: "deno, NodeHttpServer", runtime: "deno", program: ["effect3Quiesce.mjs"], offers: all },
  { name: "deno, quiesce/register", runtime: "deno", program: ["--import", register, "node.mjs"], offers: all },
  { name: "bun, node:http2 with allowHTTP1", runtime: "bun", program: ["nodeQuiesce.mjs"], ...http2 },
  { name: "bun, node:net", runtime: "bun", program: [own("net.mjs")], offers: net }
]

const ofBun = ["ListenError", "Bun 1.", "Run this program with Node or Deno", "createSecureServer"]

export const refused: ReadonlyArray<Refused> = [
  { name: "bun, node:http", runtime: "bun", program: ["nodeQuiesce.mjs"], says: ofBun },
  { name: "bun, express", runtime: "bun", program: ["expressQuiesce.mjs"], says: ofBun },
  { name: "bun, NestJS", runtime: "bun", program: ["nestQuiesce.mjs"], says: ofBun },
  { name: "bun, NodeHttpServer", runtime: "bun", program: ["effect3Quiesce.mjs"], says: ofBun },
  {
    name: "bun, quiesce/register",
    runtime: "bun",
    program: ["--preload", register, "node.mjs"],
    says: ["quiesce/register: ", "Bun 1.", "run the program with Node or Deno", "The program is not started"]
  }
]
