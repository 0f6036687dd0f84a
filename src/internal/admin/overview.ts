/**
 * What the page of an admin listener shows, as data: where the server is, and what it does and waits for. Its size is
 * bounded, whatever is open.
 */
import * as Effect from "effect/Effect"
import * as Os from "node:os"
import { printAddress } from "../model/listener.js"
import type { Phase } from "../model/policy.js"
import type { Report } from "../model/report.js"
import { Server } from "../model/server.js"
import { clip } from "../model/text.js"
import { type BackgroundWork, type Progress, progressOf } from "../telemetry/progress.js"
import { protocolLabel } from "../telemetry/sampler.js"
import { viewOf, type WatchedServer } from "../telemetry/telemetry.js"

/** How many requests, hooks, names of background work and listeners are listed. */
export const listed = 20

/** How many connections are in a state and speak a protocol. */
export interface Group {
  readonly protocol: string
  readonly state: string
  readonly count: number
}

export interface HookState {
  readonly name: string
  readonly state: string
  readonly millis: number
}

export interface Overview {
  readonly phase: Phase
  /** The machine, and the process on it. */
  readonly process: string
  /** A stand-in for a server has nothing more to show. */
  readonly seen: Seen | undefined
}

export interface Seen {
  readonly listeners: ReadonlyArray<string>
  readonly policy: Pick<WatchedServer["policy"], "killTimeout" | "lameDuck" | "timeout">
  readonly served: number
  readonly accepted: number
  readonly groups: ReadonlyArray<Group>
  readonly progress: Progress
  readonly hooks: ReadonlyArray<HookState>
  /** How many hooks are not listed. */
  readonly moreHooks: number
  readonly background: ReadonlyArray<BackgroundWork>
  /** How much background work runs in all. */
  readonly backgroundRunning: number
  /** Milliseconds since the shutdown began. */
  readonly stoppingMillis: number | undefined
  readonly report: Report | undefined
}

export const overview = (show: (path: string) => string): Effect.Effect<Overview, never, Server> =>
  Effect.flatMap(Server, (server) =>
    Effect.map(server.phase.get, (phase) => {
      const view = viewOf(server)
      return {
        phase,
        process: `process ${process.pid} on ${Os.hostname()}`,
        seen: view === undefined ? undefined : seenOf(view, show)
      }
    }))

const seenOf = (view: WatchedServer, show: (path: string) => string): Seen => {
  const { background, hooks, listeners, policy, registry, telemetry } = view
  const progress = progressOf(view, listed)
  const states = hooks.progress
  return {
    listeners: Array.from(listeners, ({ address }) => clip(printAddress(address))).slice(0, listed),
    policy,
    served: registry.served,
    accepted: registry.accepted,
    groups: groupsOf(view),
    progress: { ...progress, oldest: progress.oldest.map((request) => ({ ...request, path: show(request.path) })) },
    moreHooks: Math.max(0, states.length - listed),
    hooks: states.slice(0, listed).map(({ name, ...hook }) => ({ name: clip(name, 64), ...hook })),
    background: Array.from(background.running).slice(0, listed).map(([name, count]) => ({
      name: clip(name, 64),
      count
    })),
    backgroundRunning: background.size,
    stoppingMillis: telemetry.startedAt === undefined ? undefined : registry.now() - telemetry.startedAt,
    report: telemetry.lastReport === undefined ? undefined : reportOf(telemetry.lastReport, show)
  }
}

const reportOf = (report: Report, show: (path: string) => string): Report => ({
  ...report,
  cut: report.cut.map((request) => ({ ...request, path: show(request.path) }))
})

const groupsOf = ({ registry }: WatchedServer): ReadonlyArray<Group> => {
  const groups = new Map<string, { protocol: string; state: string; count: number }>()
  for (const { protocol: { name }, state } of registry.connections) {
    const protocol = protocolLabel(name)
    const key = `${protocol} ${state}`
    const group = groups.get(key)
    if (group === undefined) groups.set(key, { protocol, state, count: 1 })
    else group.count++
  }
  return Array.from(groups.values())
}
