/**
 * What a server says about its shutdown, through Effect's own logger.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as LogLevel from "effect/LogLevel"
import * as Option from "effect/Option"
import { TimedLatch } from "../drain/timedLatch.js"
import * as RealTime from "../effect/realTime.js"
import type { Phase } from "../model/policy.js"
import {
  clientHasReceived,
  type CutRequest,
  type EndedStream,
  type HookReport,
  isFailure,
  isLost,
  type Report
} from "../model/report.js"
import { clip, printDuration, printMillis } from "../model/text.js"
import { moreFailed } from "./backgroundLog.js"
import { saysIfFrozen } from "./frozenClock.js"
import { connections, count, named, otherWork, type Progress, progressOf, request, timeLeft } from "./progress.js"
import { listed, say } from "./say.js"
import type { WatchedServer } from "./telemetry.js"

/** A line a second at first, then fewer. */
const firstPause = 1000
const longestPause = 10_000

/** Says that a shutdown begins, what it waits for while it lasts, and how it ended. */
export const withShutdownLog = (server: WatchedServer) => (drain: Effect.Effect<Report>): Effect.Effect<Report> =>
  Effect.gen(function*() {
    const { registry, telemetry } = server
    // where a server has failed to start, that is the more important thing to say
    const isUnused = server.listeners.size === 0 || !server.hasApp()
    if (isUnused && registry.accepted === 0) telemetry.infoLevel = LogLevel.Debug
    yield* begins(server)
    const over = new TimedLatch()
    yield* Effect.fork(progressLog(server, over))
    if (RealTime.isReplaced(yield* Effect.clock)) yield* Effect.fork(saysIfFrozen(server))
    const report = yield* drain
    over.open()
    yield* moreFailed(server)
    yield* backgroundEnded(server, report)
    yield* ended(server, report)
    return report
  })

const begins = (server: WatchedServer) => {
  const timeout = Number.isFinite(server.boundedSince()) ? server.policy.timeout : Number.POSITIVE_INFINITY
  const lameDuck = server.lameDuck()
  const progress = progressOf(server, listed)
  const duck = lameDuck > 0 ? `serving on for ${printMillis(lameDuck)}, then ` : ""
  const limit = Number.isFinite(timeout) ? `draining for up to ${printMillis(timeout)}` : "draining, no deadline"
  const open = connections(progress).replace(/connections?/, "$& open")
  return say(server, server.telemetry.infoLevel, "ShutdownStarted", `Shutting down: ${duck}${limit}; ${open}`, {
    ...seen(progress),
    phase: server.closeCalled.isOpen ? "Closed" : lameDuck > 0 ? "LameDuck" : "Draining",
    ...(lameDuck > 0 ? { lameDuckMillis: lameDuck } : undefined),
    ...(Number.isFinite(timeout) ? { timeoutMillis: timeout } : undefined)
  })
}

/** Says which phase comes, where the line before did not. */
export const enters = (server: WatchedServer, phase: Phase): Effect.Effect<void> => {
  if (phase !== "Draining" || server.lameDuck() === 0) return Effect.void
  const progress = progressOf(server, listed)
  return say(
    server,
    server.telemetry.infoLevel,
    "DrainingStarted",
    `Draining: accepting no more; ${connections(progress)}`,
    {
      ...seen(progress),
      phase
    }
  )
}

const progressLog = Effect.fnUntraced(function*(server: WatchedServer, over: TimedLatch) {
  const say = waiting(server)
  yield* over.within(firstPause)
  for (let pause = firstPause; !over.isOpen; pause = Math.min(pause * 1.5, longestPause)) {
    yield* say
    yield* over.within(pause)
  }
})

/** A lame duck waits for time: without a request in flight it is told once. */
const waiting = (server: WatchedServer): Effect.Effect<void> => {
  let hasToldOfTime = false
  return Effect.suspend(() => {
    const progress = progressOf(server, listed)
    const isQuiet = server.telemetry.phase === "LameDuck" && progress.inFlight === 0 && otherWork(progress).length === 0
    if (isQuiet && hasToldOfTime) return Effect.void
    hasToldOfTime = isQuiet
    return waits(server, progress, isQuiet)
  })
}

const waits = (server: WatchedServer, progress: Progress, isQuiet: boolean) => {
  const { phase, statusShown, infoLevel: usual } = server.telemetry
  const more = progress.inFlight - Math.min(named, progress.oldest.length)
  const work = otherWork(progress)
  const parts = [
    // what is waited for, where no connection is left
    ...(progress.connections > 0 || work.length === 0 ? [connections(progress)] : []),
    ...(progress.inFlight > 0 ? [progress.oldest.slice(0, named).map((each) => request(each)).join(", ")] : []),
    ...(more > 0 ? [`and ${more} more`] : []),
    ...work
  ]
  // what was closed has no time left that anybody could use
  const until = server.closeCalled.isOpen ? undefined : timeLeft(progress)
  return say(
    server,
    statusShown ? LogLevel.Debug : usual,
    "Waiting",
    `${phase}: ${isQuiet ? "still serving, no request in flight; " : "waiting for "}${parts.join("; ")}${
      until === undefined ? "" : `; ${until}`
    }`,
    {
      ...seen(progress),
      phase,
      ...(until !== undefined && Number.isFinite(progress.left)
        ? { leftMillis: Math.max(0, progress.left) }
        : undefined)
    }
  )
}

/** Says that the deadline has passed, or that `close` was called, and what is cut unless it ends now. */
export const cuts = (server: WatchedServer, handlers: number): Effect.Effect<void> => {
  const closing = server.closeCalled.isOpen
  const progress = progressOf(server, listed)
  const parts = [
    ...(progress.inFlight > 0 ? [`${count(progress.inFlight, "request")} in flight`] : []),
    ...(handlers > 0 ? [`${count(handlers, "handler")} interrupted`] : [])
  ]
  if (!server.background.idle) parts.push(`${count(server.background.size, "background task")} not done`)
  if (parts.length === 0) return Effect.void
  return say(
    server,
    closing ? server.telemetry.infoLevel : LogLevel.Warning,
    closing ? "Closing" : "DeadlineExceeded",
    `${closing ? "Closing at once" : "The deadline has passed"}: ${parts.join("; ")}`,
    { ...seen(progress), phase: server.telemetry.phase }
  )
}

export const hookEnded = (server: WatchedServer, { cause, duration, name, outcome }: HookReport): Effect.Effect<void> =>
  say(
    server,
    outcome === "Succeeded" ? server.telemetry.infoLevel : LogLevel.Warning,
    "HookEnded",
    `Shutdown hook "${clip(name)}" ${outcome} after ${printDuration(duration)}`,
    { hook: name, outcome, durationMillis: Duration.toMillis(duration) },
    // that it was interrupted is said by its outcome
    outcome === "TimedOut" ? undefined : Option.getOrUndefined(cause)
  )

/** What has failed was said as it failed. */
const backgroundEnded = (server: WatchedServer, { background }: Report): Effect.Effect<void> =>
  Effect.forEach(
    background.filter(({ outcome }) => outcome !== "Failed").slice(0, listed),
    ({ count: n, duration, name, outcome }) =>
      say(
        server,
        outcome === "Completed" ? server.telemetry.infoLevel : LogLevel.Warning,
        "BackgroundEnded",
        `Background work "${clip(name)}" ${outcome}${n === 1 ? "" : ` (${n})`} after ${printDuration(duration)}`,
        { name, outcome, count: n, durationMillis: Duration.toMillis(duration) }
      ),
    { discard: true }
  )

const why: Readonly<Record<NonNullable<CutRequest["by"]>, string>> = {
  application: "; other code in this process has destroyed its connection",
  noHandler: "; no handler was there for it",
  rpc: "; RPC runs without withDrain of quiesce/rpc"
}

const cutRequest = ({ age, clientReceived, by, method, path, remoteAddress }: CutRequest): string =>
  `${clip(method)} ${clip(path)} from ${remoteAddress} after ${printDuration(age)} (${
    clientHasReceived[clientReceived]
  }${by === undefined ? "" : why[by]})`

const endedStream = ({ age, method, path, remoteAddress }: EndedStream): string =>
  `${clip(method)} ${clip(path)} from ${remoteAddress} after ${printDuration(age)}`

const plain = ({ age, clientReceived, by, method, path, remoteAddress }: CutRequest) => ({
  method: clip(method),
  path: clip(path),
  remoteAddress,
  ageMillis: Duration.toMillis(age),
  clientReceived,
  ...(by === undefined ? undefined : { by })
})

const ended = (server: WatchedServer, report: Report) => {
  const level = isFailure(report)
    ? LogLevel.Error
    : report.handlers.abandoned > 0 || report.cut.length > 0
    ? LogLevel.Warning
    : server.telemetry.infoLevel
  const message = `Shut down in ${printDuration(report.duration)} (${report.outcome}): ${inWords(report).join("; ")}`
  return say(server, level, "ShutdownEnded", message, dataOf(report))
}

const inWords = (
  { background, connections, cut, endedStreams, forceClosed, handlers, served }: Report
): ReadonlyArray<string> => {
  const parts = [`${count(served, "request")} answered since it began`]
  if (endedStreams.length > 0) {
    const more = endedStreams.length > named ? ", …" : ""
    const names = endedStreams.slice(0, named).map(endedStream).join(", ")
    parts.push(`${count(endedStreams.length, "event stream")} ended, to be opened again elsewhere (${names}${more})`)
  }
  if (connections.idleClosed > 0) parts.push(`${count(connections.idleClosed, "idle connection")} closed`)
  if (forceClosed.length > 0) {
    parts.push(`${count(forceClosed.length, "connection")} force-closed with no request in flight`)
  }
  if (handlers.abandoned > 0) {
    parts.push(`${count(handlers.abandoned, "handler")} left behind, which ignored interruption`)
  }
  const lost = background.filter(isLost).reduce((all, { count }) => all + count, 0)
  if (lost > 0) parts.push(`${count(lost, "background task")} lost`)
  if (cut.length > 0) parts.push(`${count(cut.length, "request")} cut`)
  for (const each of cut.slice(0, named)) parts.push(`cut ${cutRequest(each)}`)
  if (cut.length > named) parts.push(`and ${cut.length - named} more`)
  return parts
}

const dataOf = (report: Report) => {
  const { background, connections, cut, endedStreams, forceClosed, handlers, hooks, outcome, served } = report
  return {
    phase: "Closed",
    outcome,
    durationMillis: Duration.toMillis(report.duration),
    lameDuckMillis: Duration.toMillis(report.lameDuck),
    drainingMillis: Duration.toMillis(report.draining),
    killingMillis: Duration.toMillis(report.killing),
    served,
    connections,
    forceClosed: forceClosed.length,
    ...(cut.length === 0 ? undefined : { cut: cut.length, cutRequests: cut.slice(0, listed).map(plain) }),
    ...(endedStreams.length === 0 ? undefined : {
      endedStreams: endedStreams.length,
      endedStreamRequests: endedStreams.slice(0, listed).map(({ age, method, path, remoteAddress }) => ({
        method: clip(method),
        path: clip(path),
        remoteAddress,
        ageMillis: Duration.toMillis(age)
      }))
    }),
    ...(handlers.interrupted === 0 ? undefined : { handlers }),
    ...(background.length === 0 ? undefined : {
      background: background.slice(0, listed).map(({ count, duration, name, outcome: ended }) => ({
        name,
        outcome: ended,
        count,
        durationMillis: Duration.toMillis(duration)
      }))
    }),
    ...(hooks.length === 0 ? undefined : {
      hooks: hooks.slice(0, listed).map(({ duration, name, outcome: ended }) => ({
        name,
        outcome: ended,
        durationMillis: Duration.toMillis(duration)
      }))
    })
  }
}

/** What there is nothing of is left out. */
const seen = (progress: Progress) => ({
  connections: progress.byState,
  ...(progress.inFlight === 0 ? undefined : { inFlight: progress.inFlight, requests: progress.oldest }),
  ...(progress.handlers > progress.inFlight ? { handlers: progress.handlers } : undefined),
  ...(progress.background.length === 0 ? undefined : { background: progress.background }),
  ...(progress.hooks.length === 0 ? undefined : { hooks: progress.hooks })
})
