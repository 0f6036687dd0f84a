/**
 * What the page of an admin listener shows, as JSON.
 */
import * as Effect from "effect/Effect"
import type { AdminStatus } from "../model/adminStatus.js"
import type { PlainReport } from "../model/plainReport.js"
import type { Report } from "../model/report.js"
import { plainReport } from "../telemetry/plainReport.js"
import type { Administered } from "./administered.js"
import { type Overview, overview } from "./overview.js"

export const status = (of: Administered, show: (path: string) => string): Effect.Effect<AdminStatus> =>
  Effect.map(overview(of, show), statusOf)

const statusOf = ({ phase, seen }: Overview): AdminStatus => {
  if (seen === undefined) {
    return { phase, listeners: [], connections: 0, inFlight: 0, served: 0, accepted: 0, hooks: [], background: [] }
  }
  const { accepted, background, backgroundRunning, hooks, listeners, moreHooks, progress, report, served } = seen
  const moreBackground = background.reduce((rest, { count }) => rest - count, backgroundRunning)
  const isStopping = report === undefined && (phase === "LameDuck" || phase === "Draining")
  return {
    phase,
    listeners,
    connections: progress.connections,
    inFlight: progress.inFlight,
    served,
    accepted,
    ...(isStopping && Number.isFinite(progress.left) ? { leftMillis: progress.left } : undefined),
    ...(isStopping && progress.then !== undefined && Number.isFinite(progress.then)
      ? { timeoutMillis: progress.then }
      : undefined),
    ...(isStopping && seen.stoppingMillis !== undefined ? { shutdownMillis: seen.stoppingMillis } : undefined),
    hooks: hooks.map(({ millis, name, state }) => ({
      name,
      state,
      ...(state === "Waiting" ? undefined : { durationMillis: millis })
    })),
    ...(moreHooks > 0 ? { moreHooks } : undefined),
    background,
    ...(moreBackground > 0 ? { moreBackground } : undefined),
    ...(report === undefined ? undefined : { report: printable(report) })
  }
}

/** JSON has nothing for an error. */
const printable = (report: Report): PlainReport => {
  const plain = plainReport(report)
  return { ...plain, hooks: plain.hooks.map(withMessage), background: plain.background.map(withMessage) }
}

const withMessage = <A extends { readonly error?: unknown }>(ended: A): A =>
  "error" in ended ? { ...ended, error: messageOf(ended.error) } : ended

/** What fails may fail with anything. */
const messageOf = (error: unknown): string => {
  try {
    return error instanceof Error ? error.message : String(error)
  } catch {
    return "it cannot be printed"
  }
}
