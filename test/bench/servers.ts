/** What is measured. Each is a program of its own, in `servers/` or, with the dependencies of the peers, in `peers/`. */
import * as Fs from "node:fs"
import * as Path from "node:path"
import { fileURLToPath } from "node:url"

export interface Measured {
  readonly name: string
  readonly command: string
  readonly args: ReadonlyArray<string>
  readonly env: Readonly<Record<string, string>>
  /** Whether it answers what the benchmark asks. */
  readonly node: boolean
}

const here = fileURLToPath(new URL(".", import.meta.url))
const path = (file: string) => Path.join(here, file)

export const goBinary = path("../../.out/bench/go-server")

export const quiesceForEffect4 = path("peers/node_modules/quiesce")

const node = (name: string, file: string, env: Readonly<Record<string, string>> = {}): Measured => ({
  name,
  command: process.execPath,
  args: ["--expose-gc", "--import", path("servers/probe.mjs"), path(file)],
  env,
  node: true
})

export const stockNode = node("`node:http`: `close()` and `closeIdleConnections()`", "servers/node.mjs")
export const stockPlatform = node("`@effect/platform-node`", "servers/platformNode.mjs")
export const effect4 = node("Effect 4", "peers/effect4Server.mjs")
export const quiesce = node("**quiesce**", "servers/quiesce.mjs")
export const quiesceAdopt = node("**quiesce** over `node:http`", "servers/adopt.mjs")
export const quiesceKeepAliveTimeout = node("**quiesce**, `idleGrace: \"keepAliveTimeout\"`", "servers/quiesce.mjs", {
  BENCH_IDLE_GRACE: "keepAliveTimeout"
})
const quiesceOnEffect4 = node("**quiesce** on Effect 4", "peers/effect4Server.mjs", {
  BENCH_NODE_HTTP_SERVER: "quiesce/NodeHttpServer"
})
const fastify = node("fastify `close()`", "peers/fastify.mjs")
const fastifyServing = node("fastify `close()`, `return503OnClosing: false`", "peers/fastify.mjs", {
  BENCH_RETURN_503: "false"
})

const go: Measured = { name: "Go `net/http`: `Shutdown`", command: goBinary, args: [], env: {}, node: false }

const tracking = [
  node("http-terminator", "peers/httpTerminator.mjs"),
  node("stoppable", "peers/stoppable.mjs"),
  node("@godaddy/terminus", "peers/terminus.mjs"),
  node("http-graceful-shutdown", "peers/httpGracefulShutdown.mjs")
]

const ofEffect4 = (): ReadonlyArray<Measured> => Fs.existsSync(quiesceForEffect4) ? [quiesceOnEffect4] : []
const ofGo = (): ReadonlyArray<Measured> => Fs.existsSync(goBinary) ? [go] : []

export const all = (): ReadonlyArray<Measured> => [
  quiesce,
  quiesceAdopt,
  stockNode,
  stockPlatform,
  effect4,
  ...ofEffect4(),
  ...tracking,
  fastify,
  ...ofGo()
]

/** Those, and the options that decide what is lost. */
export const allThatLose = (): ReadonlyArray<Measured> => [
  quiesce,
  quiesceKeepAliveTimeout,
  quiesceAdopt,
  stockNode,
  stockPlatform,
  effect4,
  ...ofEffect4(),
  ...tracking,
  fastify,
  fastifyServing,
  ...ofGo()
]
