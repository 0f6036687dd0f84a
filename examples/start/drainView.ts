/**
 * Tells of a server that stops: what was answered, and then the report. What it waits for says `Status`, or the log. It
 * needs nothing but the server's public `events` and `closed`.
 */
import { Clock, Effect, Fiber, Layer, Stream } from "effect"
import { type Connection, Server, type Shutdown } from "quiesce"
import type { Screen } from "./screen.js"
import { byState, details, seconds, verdict } from "./words.js"

export const layer = (screen: Screen): Layer.Layer<never, never, Server.Server> =>
  Layer.scopedDiscard(Effect.gen(function*() {
    const server = yield* Server.Server
    // It is released when the server has shut down, and not before it has shown the end.
    yield* Effect.acquireRelease(
      Effect.forkDaemon(Effect.interruptible(show(server, screen))),
      Fiber.await
    )
  }))

const show = Effect.fnUntraced(function*(server: Server.ServerService, screen: Screen) {
  let beganAt: number | undefined
  const known = new Map<number, Connection.Connection>()
  const since = (now: number) => screen.dim(`+${seconds(now - (beganAt ?? now))}`.padStart(8))

  const entered = (phase: Shutdown.Phase, at: number) => {
    beganAt ??= at
    // what the events have told, and not `server.connections`, which may be ahead of them
    if (phase !== "Closed") screen.line(`${since(at)}  ${screen.bold(phase)}, ${byState([...known.values()])}`)
  }

  /** Says which requests a connection has done with. */
  const changed = (connection: Connection.Connection, now: number) => {
    const { id, remoteAddress, served, inFlight, state } = connection
    const before = known.get(id)
    if (state === "Closed") known.delete(id)
    else known.set(id, connection)
    if (beganAt === undefined || before === undefined) return
    const gone = before.inFlight.filter(({ since }) => !inFlight.some((other) => other.since === since))
    const open = state === "Closed" ? inFlight : []
    // requests are answered in the order in which they came
    const answered = gone.splice(0, served - before.served)
    const tell = (outcome: string) => ({ method, path, since: began }: Connection.Connection["inFlight"][number]) =>
      screen.line(`${since(now)}  ${outcome} ${method} ${path} from ${remoteAddress}, ${seconds(now - began)}`)
    answered.forEach(tell(screen.green("done")))
    for (const request of [...gone, ...open]) tell(screen.red("not answered in full"))(request)
  }

  yield* Stream.runForEach(server.events, (event) =>
    Effect.gen(function*() {
      if (event._tag === "PhaseChanged") entered(event.phase, event.at)
      if (event._tag === "ConnectionChanged") changed(event.connection, yield* Clock.currentTimeMillis)
    }))
  const report = yield* server.closed.pipe(Effect.catchTag("DeadlineExceeded", ({ report }) => Effect.succeed(report)))
  const tone = report.cut.length === 0 ? screen.green : screen.red
  screen.line("")
  screen.line(tone(screen.bold(verdict(report))))
  for (const line of details(report)) screen.line(`  ${line}`)
  if (report.outcome === "DeadlineExceeded") screen.line("  The process exits with 1, so that its supervisor knows.")
})
