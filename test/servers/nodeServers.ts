/** Servers on Node: as they are, with the libraries that stop them, and with quiesce. */
import { type Checked, effect4, type Group, here, packages, root, versionOf } from "./checked.js"

interface Installed {
  readonly name: string
  readonly folder: string
}

const installedIn = (folder: string, ...names: ReadonlyArray<string>): ReadonlyArray<Installed> =>
  names.map((name) => ({ name, folder }))

interface OnNode {
  readonly name: string
  readonly title: string
  readonly group: Group
  readonly file: string
  readonly args?: ReadonlyArray<string>
  readonly stop: string
  readonly documentation: string
  readonly notes: ReadonlyArray<string>
  /** Those whose versions count, in `node` or where else they are. */
  readonly packages: ReadonlyArray<string | Installed>
  readonly webSockets?: boolean
  readonly tls?: "http1" | "http2"
  readonly whyNot?: () => string | undefined
}

const onNode = (server: OnNode): Checked => ({
  ...server,
  command: () => [process.execPath, here(server.file), ...server.args ?? []],
  signal: "SIGTERM",
  webSockets: server.webSockets ?? true,
  tls: server.tls,
  proxy: false,
  whyNot: server.whyNot ?? (() => undefined),
  versions: () => [
    `Node ${process.version}`,
    ...server.packages.map((item) =>
      typeof item === "string" ? versionOf(item, packages) : versionOf(item.name, item.folder)
    )
  ]
})

/** Of our README, from a page in `docs`. */
const withoutEffect = "../README.md#without-effect"

const quiesceNotes = [
  "With [the policy](../README.md#the-policy) as it is: `idleGrace: \"keepAliveTimeout\"` keeps idle connections longer, and `lameDuck` goes on accepting first."
]

const closes = "`server.close()` on SIGTERM"
const closeNotes = [
  "Node has no deadline for it. `server.closeAllConnections()` some seconds later ends what is left, and cuts it.",
  "Upgraded connections are not the server's any more: the program has to close its WebSockets."
]

/** What Node does by itself, and what libraries add to it. */
const plain: ReadonlyArray<Checked> = [
  onNode({
    name: "node",
    title: "`node:http`, as it is",
    group: "node",
    file: "node/node.mjs",
    tls: "http2",
    stop: "nothing: SIGTERM ends the process",
    documentation: "https://nodejs.org/api/process.html#signal-events",
    notes: ["Any listener for SIGTERM changes this."],
    packages: ["ws"]
  }),
  onNode({
    name: "node-close",
    title: "`node:http`, `close()`",
    group: "node",
    file: "node/nodeClose.mjs",
    tls: "http2",
    stop: closes,
    documentation: "https://nodejs.org/api/http.html#serverclosecallback",
    notes: closeNotes,
    packages: ["ws"]
  }),
  onNode({
    name: "http-terminator",
    title: "http-terminator",
    group: "node",
    file: "node/httpTerminator.mjs",
    tls: "http1",
    stop: "`httpTerminator.terminate()` on SIGTERM",
    documentation: "https://github.com/gajus/http-terminator#usage",
    notes: ["`gracefulTerminationTimeout` is 5 s by default: what takes longer is cut."],
    packages: ["http-terminator", "ws"]
  }),
  onNode({
    name: "terminus",
    title: "terminus",
    group: "node",
    file: "node/terminus.mjs",
    tls: "http1",
    stop: "`createTerminus(server)`, which listens for SIGTERM",
    documentation: "https://github.com/godaddy/terminus#usage",
    notes: [
      "`timeout` is 1 s by default: what takes longer is cut.",
      "`beforeShutdown` is a wait before the server stops, in which it serves as before.",
      "`useExit0` is set, as its README recommends. Without it, the exit code is that of the signal."
    ],
    packages: ["@godaddy/terminus", "ws"]
  }),
  onNode({
    name: "lightship",
    title: "lightship",
    group: "node",
    file: "node/lightship.mjs",
    tls: "http1",
    stop: "it listens for SIGTERM, and its handler calls `server.close()`",
    documentation: "https://github.com/gajus/lightship#usage-examples",
    notes: [
      "In Kubernetes it waits 5 s (`shutdownDelay`) first, in which it serves as before.",
      "`gracefulShutdownTimeout` is 30 s by default: then it ends the process, with exit code 1."
    ],
    packages: ["lightship", "express", "ws"]
  }),
  onNode({
    name: "stoppable",
    title: "stoppable",
    group: "node",
    file: "node/stoppable.mjs",
    tls: "http1",
    stop: "`server.stop()` on SIGTERM",
    documentation: "https://github.com/hunterloftis/stoppable#usage",
    notes: ["`grace` is infinite by default: with it, what is left then is destroyed."],
    packages: ["stoppable", "ws"]
  }),
  onNode({
    name: "node-quiesce",
    title: "**quiesce** on `node:http`",
    group: "node",
    file: "node/nodeQuiesce.mjs",
    tls: "http2",
    stop: "`quiesce(server, { signals: true })`",
    documentation: withoutEffect,
    notes: quiesceNotes,
    packages: ["quiesce", "ws"]
  })
]

const frameworks: ReadonlyArray<Checked> = [
  onNode({
    name: "express",
    title: "express, as it is",
    group: "frameworks",
    file: "node/express.mjs",
    tls: "http1",
    stop: "nothing: SIGTERM ends the process",
    documentation: "https://expressjs.com/en/starter/hello-world.html",
    notes: ["The next one is what its page about graceful shutdown says."],
    packages: ["express", "ws"]
  }),
  onNode({
    name: "express-close",
    title: "express, `close()`",
    group: "frameworks",
    file: "node/expressClose.mjs",
    tls: "http1",
    stop: closes,
    documentation: "https://expressjs.com/en/advanced/healthcheck-graceful-shutdown.html",
    notes: closeNotes,
    packages: ["express", "ws"]
  }),
  onNode({
    name: "express-quiesce",
    title: "**quiesce** on express",
    group: "frameworks",
    file: "node/expressQuiesce.mjs",
    tls: "http1",
    stop: "`quiesce(server, { signals: true })`",
    documentation: withoutEffect,
    notes: quiesceNotes,
    packages: ["quiesce", "express", "ws"]
  }),
  onNode({
    name: "fastify",
    title: "fastify, `close()`",
    group: "frameworks",
    file: "node/fastify.mjs",
    tls: "http2",
    stop: "`app.close()` on SIGTERM",
    documentation: "https://fastify.dev/docs/latest/Reference/Server/#close",
    notes: [
      "`return503OnClosing: false` answers requests that come while it closes, in place of 503.",
      "`forceCloseConnections: true` ends what is left at once, and cuts it."
    ],
    packages: ["fastify", "@fastify/websocket"]
  }),
  onNode({
    name: "fastify-quiesce",
    title: "**quiesce** on fastify",
    group: "frameworks",
    file: "node/fastifyQuiesce.mjs",
    tls: "http2",
    stop: "`quiesce(app, { signals: true })`",
    documentation: withoutEffect,
    notes: quiesceNotes,
    packages: ["quiesce", "fastify", "@fastify/websocket"]
  }),
  onNode({
    name: "nest",
    title: "NestJS",
    group: "frameworks",
    file: "node/nest.mjs",
    tls: "http1",
    stop: "`app.enableShutdownHooks()`",
    documentation: "https://docs.nestjs.com/fundamentals/lifecycle-events#application-shutdown",
    notes: [
      "`return503OnClosing` answers requests that come while it closes with 503; `forceCloseConnections` cuts what is left.",
      "`useProcessExit` of `enableShutdownHooks` ends it with exit code 0. By default, the signal ends it."
    ],
    packages: ["@nestjs/core", "@nestjs/platform-express", "@nestjs/platform-ws"]
  }),
  onNode({
    name: "nest-quiesce",
    title: "**quiesce** on NestJS",
    group: "frameworks",
    file: "node/nestQuiesce.mjs",
    tls: "http1",
    stop: "`quiesce(app.getHttpServer(), { signals: true, finally: () => app.close() })`",
    documentation: withoutEffect,
    notes: quiesceNotes,
    packages: ["quiesce", "@nestjs/core", "@nestjs/platform-express", "@nestjs/platform-ws"]
  }),
  onNode({
    name: "next",
    title: "Next.js",
    group: "frameworks",
    file: "node/node_modules/next/dist/bin/next",
    args: ["start", here("node/next"), "--hostname", "127.0.0.1"],
    stop: "`next start`, which listens for SIGTERM",
    documentation: "https://nextjs.org/docs/app/guides/self-hosting#after",
    notes: ["With `NEXT_MANUAL_SIG_HANDLE` the app handles the signal itself."],
    packages: ["next"],
    webSockets: false
  }),
  onNode({
    name: "next-quiesce",
    title: "**quiesce** on Next.js",
    group: "frameworks",
    file: "node/nextQuiesce.mjs",
    stop: "a custom server, and `quiesce(server, { signals: true, finally: () => app.close() })`",
    documentation: withoutEffect,
    notes: quiesceNotes,
    packages: ["quiesce", "next"],
    webSockets: false
  })
]

const noEffect4 = (): string | undefined => {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number)
  return major > 22 || (major === 22 && minor >= 19)
    ? undefined
    : `Effect 4 needs Node 22.19, and this is ${process.version}`
}

const effect: ReadonlyArray<Checked> = [
  onNode({
    name: "effect3",
    title: "Effect 3",
    group: "effect",
    file: "node/effect3.mjs",
    tls: "http1",
    stop: "`NodeRuntime.runMain`, which listens for SIGTERM",
    documentation: "https://github.com/Effect-TS/effect/tree/v3/packages/platform#http-server",
    notes: [],
    packages: installedIn(root, "effect", "@effect/platform", "@effect/platform-node")
  }),
  onNode({
    name: "effect3-quiesce",
    title: "**quiesce** on Effect 3",
    group: "effect",
    file: "node/effect3Quiesce.mjs",
    tls: "http2",
    stop: "one import changed, and `Signals.teardown`",
    documentation: "../README.md#quickstart",
    notes: [
      ...quiesceNotes,
      "`runMain` of Effect 3 listens for one signal, and the next ends the process at once. `Signals.handle()` in the "
      + "program keeps `signal-twice`."
    ],
    packages: ["quiesce", ...installedIn(root, "effect", "@effect/platform", "@effect/platform-node")]
  }),
  onNode({
    name: "effect4",
    title: "Effect 4",
    group: "effect",
    file: "effect4/effect4.mjs",
    tls: "http1",
    stop: "`NodeRuntime.runMain`, which listens for SIGTERM",
    documentation: "https://github.com/Effect-TS/effect/tree/main/packages/platform-node",
    notes: [
      "`gracefulShutdownTimeout` is 20 s by default: what takes longer is interrupted.",
      "A `teardown` of `runMain` says another exit code."
    ],
    packages: installedIn(effect4, "effect", "@effect/platform-node"),
    whyNot: noEffect4
  }),
  onNode({
    name: "effect4-quiesce",
    title: "**quiesce** on Effect 4",
    group: "effect",
    file: "effect4/effect4Quiesce.mjs",
    tls: "http2",
    stop: "one import changed, and `Signals.teardown`",
    documentation: "../README.md#quickstart",
    notes: quiesceNotes,
    packages: installedIn(effect4, "quiesce", "effect", "@effect/platform-node"),
    whyNot: noEffect4
  })
]

export const nodeServers: ReadonlyArray<Checked> = [...plain, ...frameworks, ...effect]
