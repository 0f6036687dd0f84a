/**
 * What a server is doing and waiting for, as data, and in words: for the log, a terminal, and metrics. Its size is
 * bounded, whatever is open.
 */
import { remoteAddressOf, type TrackedConnection } from "../core/connection.js"
import type { Exchange } from "../core/exchange.js"
import type { Phase } from "../model/policy.js"
import { clip, printMillis } from "../model/text.js"
import type { WatchedServer } from "./telemetry.js"

/** A request that has not got its whole response. */
export interface InFlight {
  readonly method: string
  readonly path: string
  readonly remoteAddress: string
  readonly ageMillis: number
}

export interface BackgroundWork {
  readonly name: string
  readonly count: number
}

export interface Progress {
  readonly connections: number
  readonly byState: { readonly [state: string]: number }
  /** The oldest requests, oldest first. */
  readonly oldest: ReadonlyArray<InFlight>
  /** How many there are in all. */
  readonly inFlight: number
  /** Request fibers that are alive. */
  readonly handlers: number
  /** Finalizers of connections' scopes that still run, and close frames that are on their way. */
  readonly finalizers: number
  /** Hooks that still run, the first of them. */
  readonly hooks: ReadonlyArray<string>
  /** How many run in all. */
  readonly hooksRunning: number
  /** How much background work is waited for, by name: the first names. */
  readonly background: ReadonlyArray<BackgroundWork>
  /** How many names there are in all. */
  readonly backgroundNames: number
  /** Milliseconds that the phase has left: until the lame duck is over, or until the deadline. `Infinity`: no end. */
  readonly left: number
  /** Milliseconds that are left after the lame duck, while it lasts. */
  readonly then: number | undefined
  /** That of the server. */
  readonly phase: Phase
}

/** Looks at all connections, and at the oldest `limit` requests more closely. */
export const progressOf = (server: WatchedServer, limit: number): Progress => {
  const { background, handlers, hooks, policy, registry, telemetry } = server
  const now = registry.now()
  const byState: Record<string, number> = {}
  const oldest: Array<readonly [TrackedConnection, Exchange]> = []
  let inFlight = 0
  for (const connection of registry.connections) {
    byState[connection.state] = (byState[connection.state] ?? 0) + 1
    inFlight += connection.exchanges.size
    for (const exchange of connection.exchanges) {
      let at = oldest.length
      while (at > 0 && oldest[at - 1]![1].since > exchange.since) at--
      // those behind it are younger
      if (at === limit) break
      oldest.splice(at, 0, [connection, exchange])
      if (oldest.length > limit) oldest.pop()
    }
  }
  const { phase, phaseSince } = telemetry
  // a lame duck waits for neither
  const hooksRunning = phase === "Draining" ? hooks.running : []
  const running = phase === "Draining" ? Array.from(background.running) : []
  const isLameDuck = phase === "LameDuck"
  return {
    connections: registry.connections.size,
    byState,
    oldest: oldest.map(([connection, { method, path, since }]) => ({
      method: clip(method, 32),
      path: clip(path),
      remoteAddress: remoteAddressOf(connection.socket),
      ageMillis: now - since
    })),
    inFlight,
    handlers: handlers.fibers.size,
    finalizers: handlers.backgroundFibers,
    hooks: hooksRunning.slice(0, limit).map((name) => clip(name, 64)),
    hooksRunning: hooksRunning.length,
    background: running.slice(0, limit).map(([name, count]) => ({ name: clip(name, 64), count })),
    backgroundNames: running.length,
    left: isLameDuck || phase === "Draining"
      ? (isLameDuck ? phaseSince + policy.lameDuck : Math.max(phaseSince, server.boundedSince()) + policy.timeout) - now
      : Number.POSITIVE_INFINITY,
    then: isLameDuck ? policy.timeout : undefined,
    phase
  }
}

/** What several servers do, as one: their time is that of those which are in `phase`. */
export const allProgress = (all: ReadonlyArray<Progress>, phase: Phase, limit: number): Progress => {
  const sum = (of: (progress: Progress) => number) => all.reduce((sum, progress) => sum + of(progress), 0)
  const byState: Record<string, number> = {}
  for (const [state, n] of all.flatMap((progress) => Object.entries(progress.byState))) {
    byState[state] = (byState[state] ?? 0) + n
  }
  const inPhase = all.filter((progress) => progress.phase === phase)
  const timed = inPhase.length > 0 ? inPhase : all
  return {
    connections: sum(({ connections }) => connections),
    byState,
    oldest: all.flatMap(({ oldest }) => oldest).sort((a, b) => b.ageMillis - a.ageMillis).slice(0, limit),
    inFlight: sum(({ inFlight }) => inFlight),
    handlers: sum(({ handlers }) => handlers),
    finalizers: sum(({ finalizers }) => finalizers),
    hooks: all.flatMap(({ hooks }) => hooks).slice(0, limit),
    hooksRunning: sum(({ hooksRunning }) => hooksRunning),
    background: all.flatMap(({ background }) => background).slice(0, limit),
    backgroundNames: sum(({ backgroundNames }) => backgroundNames),
    left: Math.max(...timed.map(({ left }) => left)),
    then: timed.find(({ then }) => then !== undefined)?.then,
    phase
  }
}

export const count = (n: number, one: string): string => `${n} ${one}${n === 1 ? "" : "s"}`

/** `3 connections (1 Active, 2 Idle)` */
export const connections = ({ byState, connections }: Pick<Progress, "byState" | "connections">): string => {
  const states = Object.entries(byState)
  const listed = states.length === 0 ? "" : ` (${states.map(([state, n]) => `${n} ${state}`).join(", ")})`
  return `${count(connections, "connection")}${listed}`
}

/** `GET /slow from 127.0.0.1:50000 (2s)` */
export const request = ({ ageMillis, method, path, remoteAddress }: InFlight, print = printMillis): string =>
  `${method} ${path} from ${remoteAddress} (${print(ageMillis)})`

/** How many requests, hooks, or names of background work a line names. */
export const named = 5

/** What is waited for apart from requests. */
export const otherWork = (
  { background, backgroundNames, finalizers, handlers, hooks, hooksRunning, inFlight }: Progress
): ReadonlyArray<string> => [
  ...(handlers > inFlight ? [count(handlers, "handler")] : []),
  ...(finalizers > 0 ? [`${count(finalizers, "finalizer")} of connections' scopes`] : []),
  ...(hooks.length > 0 ? [`${hooksRunning === 1 ? "hook" : "hooks"}: ${namesOf(hooks, hooksRunning)}`] : []),
  ...(background.length > 0 ? [`background work: ${namesOf(background.map(work), backgroundNames)}`] : [])
]

/** The first, and how many more there are. */
export const namesOf = (names: ReadonlyArray<string>, all: number): string => {
  const shown = names.slice(0, named)
  return `${shown.join(", ")}${all > shown.length ? `, and ${all - shown.length} more` : ""}`
}

const work = ({ count, name }: BackgroundWork): string => count === 1 ? name : `${name} (${count})`

export const timeLeft = ({ left, then }: Progress, print = printMillis): string | undefined => {
  if (!Number.isFinite(left)) return undefined
  if (then === undefined) return left < 0 ? "past the deadline" : `${print(left)} left`
  const after = Number.isFinite(then) ? `then up to ${print(then)}` : "then no deadline"
  return `${print(Math.max(0, left))} of the lame duck left, ${after}`
}
