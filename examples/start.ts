// An app to play with: start it, use it with a browser or curl, press Ctrl-C, and see how it stops.
//
//   npm start       (PORT=3001 npm start, if 3000 is taken)
import { HttpLayerRouter, HttpServer, HttpServerResponse } from "@effect/platform"
import { NodeRuntime } from "@effect/platform-node"
import { Cause, Clock, Console, Effect, Layer, Logger, LogLevel, Option, Schedule, Stream } from "effect"
import { createServer } from "node:http"
import { fileURLToPath } from "node:url"
import { NodeHttpServer, Server, Signals, Status } from "quiesce"
import * as DrainView from "./start/drainView.js"
import * as Screen from "./start/screen.js"
import { work } from "./start/work.js"

const port = Number(process.env["PORT"] ?? 3000)
const timeoutMillis = 10_000
const screen = Screen.make(process.stdout)

const Routes = Layer.unwrapEffect(Effect.map(Server.Server, (server) => {
  const snapshot = Effect.all({
    phase: server.phase.get,
    now: Clock.currentTimeMillis,
    connections: server.connections
  })
  // What the page shows, as it happens. While the server stops it goes on for as long as others are served, but
  // not until it is cut itself.
  const live = Stream.merge(Stream.fromSchedule(Schedule.spaced("250 millis")), server.events).pipe(
    Stream.throttle({ cost: () => 1, units: 1, duration: "50 millis", strategy: "shape" }),
    Stream.mapEffect(() => snapshot),
    Stream.takeUntil(({ connections, phase }) =>
      phase !== "Serving" && !connections.some(({ inFlight }) => inFlight.some(({ path }) => path !== "/live"))
    ),
    Stream.interruptWhen(Effect.zipRight(server.shuttingDown, Effect.sleep(timeoutMillis - 500))),
    Stream.map((seen) => `data: ${JSON.stringify(seen)}\n\n`),
    Stream.encodeText
  )
  return Layer.mergeAll(
    work({ streamsEnd: server.shuttingDown }),
    HttpLayerRouter.add(
      "GET",
      "/",
      HttpServerResponse.file(fileURLToPath(new URL("./start/page.html", import.meta.url)))
    ),
    HttpLayerRouter.add("GET", "/live", HttpServerResponse.stream(live, { contentType: "text/event-stream" })),
    HttpLayerRouter.add("GET", "/connections", Effect.flatMap(snapshot, (seen) => HttpServerResponse.json(seen)))
  )
}))

const whatToTry = Effect.flatMap(HttpServer.HttpServer, ({ address }) => {
  const url = HttpServer.formatAddress(address).replace("127.0.0.1", "localhost")
  return Console.log(`
${screen.bold(`Serving on ${url}`)} (process ${process.pid})

Open it in a browser, or try in another terminal:

  curl '${url}/slow?seconds=5'
  curl -N ${url}/stream
  curl --limit-rate 10M -o /dev/null '${url}/download?mb=50'
  curl ${url}/connections

and press Ctrl-C here while they run: they get their whole responses, within ${timeoutMillis / 1000} s.
Try /slow?seconds=30 for one that does not make it. A second Ctrl-C closes at once.
`)
})

const Hooks = Layer.scopedDiscard(Effect.flatMap(
  Server.Server,
  (server) => server.onShutdown("flush metrics", Effect.sleep("200 millis"))
))

Layer.effectDiscard(whatToTry).pipe(
  Layer.provide(HttpLayerRouter.serve(Routes, { disableListenLog: true, disableLogger: true })),
  Layer.provide(Hooks),
  Layer.provide([DrainView.layer(screen), Status.layer({ serving: true })]),
  Layer.provide(NodeHttpServer.layer(() => createServer(), {
    host: "127.0.0.1",
    port,
    timeout: timeoutMillis,
    // `/live` shows the drain to a browser, and ends with it
    endEventStreams: false
  })),
  // on a terminal the status says what the log would, except for what is wrong
  Layer.provide(Logger.replace(
    Logger.defaultLogger,
    Logger.make(({ logLevel, message }) => screen.line(`log: ${logLevel.label} ${String(message)}`))
  )),
  Layer.provide(Logger.minimumLogLevel(process.stderr.isTTY ? LogLevel.Warning : LogLevel.Info)),
  Layer.launch,
  Effect.tapErrorCause((cause) =>
    Console.error(Option.match(Cause.failureOption(cause), {
      onNone: () => Cause.pretty(cause),
      onSome: ({ message }) => `${message} Or choose another one: PORT=3001 npm start`
    }))
  ),
  Signals.handle(),
  NodeRuntime.runMain({ disableErrorReporting: true, disablePrettyLogger: true, teardown: Signals.teardown })
)
