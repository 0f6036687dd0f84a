/**
 * What the page of an admin listener shows, as data: where the server is, and what it does and waits for. Its size is
 * bounded, whatever is open.
 */
import * as Effect from "effect/Effect"
import * as Os from "node:os"
import type { AdminStatus as Status } from "../model/adminStatus.js"
import { printAddress } from "../model/listener.js"
import type { Phase } from "../model/policy.js"
import type { Report } from "../model/report.js"
import { clip } from "../model/text.js"
import { allProgress, type BackgroundWork, type Progress, progressOf } from "../telemetry/progress.js"
import { protocolLabel } from "../telemetry/sampler.js"
import { viewOf, type WatchedServer } from "../telemetry/telemetry.js"
import type { Administered } from "./administered.js"
import { asOne } from "./reports.js"

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
  readonly state: Status["hooks"][number]["state"]
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

/** `show`: how a path is shown. */
export const overview = (of: Administered, show: (path: string) => string): Effect.Effect<Overview> =>
  Effect.map(of.phase, (phase) => {
    const views = of.servers().flatMap((server) => viewOf(server) ?? [])
    const [first, ...rest] = views
    return {
      phase,
      process: `process ${process.pid} on ${Os.hostname()}`,
      seen: first === undefined ? undefined : seenOf([first, ...rest], phase, of.earlier, show)
    }
  })

const seenOf = (
  views: readonly [WatchedServer, ...Array<WatchedServer>],
  phase: Phase,
  earlier: Administered["earlier"],
  show: (path: string) => string
): Seen => {
  const progress = allProgress(views.map((view) => progressOf(view, listed)), phase, listed)
  const states = views.flatMap(({ hooks }) => hooks.progress)
  const running = views.flatMap(({ background }) => Array.from(background.running))
  const now = (view: WatchedServer) => view.registry.now()
  const sum = (of: (view: WatchedServer) => number) => views.reduce((all, view) => all + of(view), 0)
  const stopping = views.flatMap((view) =>
    view.telemetry.startedAt === undefined ? [] : now(view) - view.telemetry.startedAt
  )
  const [report, ...reports] = views.flatMap(({ telemetry }) => telemetry.lastReport ?? [])
  const isOver = views.every(({ telemetry }) => telemetry.lastReport !== undefined)
  return {
    listeners: views.flatMap(({ listeners }) => Array.from(listeners, ({ address }) => clip(printAddress(address))))
      .slice(0, listed),
    policy: views[0].policy,
    served: earlier.served + sum(({ registry }) => registry.served),
    accepted: earlier.accepted + sum(({ registry }) => registry.accepted),
    groups: groupsOf(views),
    progress: { ...progress, oldest: progress.oldest.map((request) => ({ ...request, path: show(request.path) })) },
    moreHooks: Math.max(0, states.length - listed),
    hooks: states.slice(0, listed).map(({ name, ...hook }) => ({ name: clip(name, 64), ...hook })),
    background: running.slice(0, listed).map(([name, count]) => ({ name: clip(name, 64), count })),
    backgroundRunning: sum(({ background }) => background.size),
    stoppingMillis: stopping.length === 0 ? undefined : Math.max(...stopping),
    report: report === undefined || !isOver ? undefined : reportOf(asOne([report, ...reports]), show)
  }
}

const reportOf = (report: Report, show: (path: string) => string): Report => ({
  ...report,
  cut: report.cut.map((request) => ({ ...request, path: show(request.path) })),
  endedStreams: report.endedStreams.map((stream) => ({ ...stream, path: show(stream.path) })),
  forceClosed: report.forceClosed.map((connection) => ({
    ...connection,
    inFlight: connection.inFlight.map((request) => ({ ...request, path: show(request.path) }))
  }))
})

const groupsOf = (views: ReadonlyArray<WatchedServer>): ReadonlyArray<Group> => {
  const groups = new Map<string, { protocol: string; state: string; count: number }>()
  for (const { registry } of views) {
    for (const { protocol: { name }, state } of registry.connections) {
      const protocol = protocolLabel(name)
      const key = `${protocol} ${state}`
      const group = groups.get(key)
      if (group === undefined) groups.set(key, { protocol, state, count: 1 })
      else group.count++
    }
  }
  return Array.from(groups.values())
}
