/**
 * Shows a server while it serves and, above all, while it stops: what it waits for, what was answered, and then the
 * report. It needs nothing but the server's public `phase`, `events`, `connections` and `closed`.
 */
import { Clock, Effect, Fiber, Layer, Runtime, Schedule, Stream } from "effect"
import { type Connection, Server, type Shutdown } from "quiesce"
import type { Screen } from "./screen.js"
import { byState, count, details, seconds, verdict, waitingFor } from "./words.js"

/** npm sends its child a second SIGINT for each Ctrl-C, at once; a person takes longer. */
const sameSignalMillis = 500

type Serving = Connection.Connection["serving"]

export const layer = (screen: Screen, timeoutMillis: number): Layer.Layer<never, never, Server.Server> =>
  Layer.scopedDiscard(Effect.gen(function*() {
    const server = yield* Server.Server
    // It is released when the server has shut down, and not before it has shown the end.
    yield* Effect.acquireRelease(
      Effect.forkDaemon(Effect.interruptible(show(server, screen, timeoutMillis))),
      Fiber.await
    )
    yield* closeOnSecondSignal(server, screen)
  }))

const show = Effect.fnUntraced(function*(server: Server.ServerService, screen: Screen, timeoutMillis: number) {
  let beganAt: number | undefined
  const serving = new Map<number, Serving>()
  const since = (now: number) => screen.dim(`+${seconds(now - (beganAt ?? now))}`.padStart(8))

  const entered = Effect.fnUntraced(function*(phase: Shutdown.Phase, at: number) {
    beganAt ??= at
    if (phase === "Closed") return
    const connections = yield* server.connections
    for (const { id, serving: requests } of connections) serving.set(id, requests)
    screen.line(`${since(at)}  ${screen.bold(phase)}, ${byState(connections)}`)
  })

  /** Says which requests a connection has done with. */
  const changed = ({ id, remoteAddress, serving: requests, state }: Connection.Connection, now: number) => {
    const before = serving.get(id) ?? []
    if (state === "Closed") serving.delete(id)
    else serving.set(id, requests)
    if (beganAt === undefined) return
    for (const request of before.filter(({ since }) => !requests.some((other) => other.since === since))) {
      const what = `${request.method} ${request.path} from ${remoteAddress}, ${seconds(now - request.since)}`
      // at the deadline it may have been answered with 503, which only the report knows
      const late = now > beganAt + timeoutMillis
      screen.line(`${since(now)}  ${late ? screen.yellow("ended") : screen.green("done")} ${what}`)
    }
    if (state !== "Closed") return
    for (const request of requests) {
      const what = `${request.method} ${request.path} from ${remoteAddress}, ${seconds(now - request.since)}`
      screen.line(`${since(now)}  ${screen.red("not answered in full")} ${what}`)
    }
  }

  const watch = Stream.runForEach(server.events, (event) =>
    Effect.gen(function*() {
      if (event._tag === "PhaseChanged") yield* entered(event.phase, event.at)
      if (event._tag === "ConnectionChanged") changed(event.connection, yield* Clock.currentTimeMillis)
    }))

  const status = Effect.gen(function*() {
    const phase = yield* server.phase.get
    const connections = yield* server.connections
    const now = yield* Clock.currentTimeMillis
    if (beganAt === undefined) {
      return [
        screen.dim(`${phase}, ${byState(connections)}, ${count(requestsIn(connections), "request")}. Ctrl-C stops.`)
      ]
    }
    const left = beganAt + timeoutMillis - now
    const limit = left > 0 ? `${seconds(left)} left` : "the deadline has passed: interrupting"
    return [
      screen.yellow(`${phase}, ${limit}, ${byState(connections)}`),
      ...waitingFor(connections, now).map((what) => `  waiting for ${what}`)
    ]
  })

  const draw = screen.live
    ? Effect.repeat(Effect.map(status, screen.status), Schedule.spaced("100 millis"))
    : server.shuttingDown.pipe(
      Effect.zipRight(Effect.sleep("1 second")),
      Effect.zipRight(Effect.repeat(
        Effect.map(status, (lines) => lines.forEach((line) => screen.line(line))),
        Schedule.spaced("1 second")
      ))
    )

  yield* Effect.raceFirst(watch, draw)
  screen.status([])
  const report = yield* server.closed.pipe(Effect.catchTag("DeadlineExceeded", ({ report }) => Effect.succeed(report)))
  const tone = report.cut.length === 0 ? screen.green : screen.red
  screen.line("")
  screen.line(tone(screen.bold(verdict(report))))
  for (const line of details(report)) screen.line(`  ${line}`)
  if (report.outcome === "DeadlineExceeded") screen.line("  The process exits with 1, so that its supervisor knows.")
})

const requestsIn = (connections: ReadonlyArray<Connection.Connection>): number =>
  connections.reduce((sum, { serving }) => sum + serving.length, 0)

/**
 * The second signal of a person who will not wait. That there is a listener at all matters: `runMain` takes its own
 * away with the first signal, and Node ends a process that has none.
 */
const closeOnSecondSignal = Effect.fnUntraced(function*(server: Server.ServerService, screen: Screen) {
  const runtime = yield* Effect.runtime()
  let first: number | undefined
  const onSignal = () => {
    const now = performance.now()
    first ??= now
    if (now - first < sameSignalMillis) return
    screen.line("A second signal: closing at once.")
    Runtime.runFork(runtime)(server.close)
  }
  yield* Effect.acquireRelease(
    Effect.sync(() => process.on("SIGINT", onSignal).on("SIGTERM", onSignal)),
    () => Effect.sync(() => process.off("SIGINT", onSignal).off("SIGTERM", onSignal))
  )
})
