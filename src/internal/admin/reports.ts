/**
 * The reports of several servers that have shut down together, as one.
 */
import * as Duration from "effect/Duration"
import type { Report } from "../model/report.js"

const worstFirst: ReadonlyArray<Report["outcome"]> = ["DeadlineExceeded", "Cut", "Closed", "Drained"]

export const asOne = (reports: readonly [Report, ...Array<Report>]): Report => {
  const [first, ...rest] = reports
  if (rest.length === 0) return first
  const sum = (of: (report: Report) => number) => reports.reduce((all, report) => all + of(report), 0)
  const longest = (of: (report: Report) => Duration.Duration) => reports.map(of).reduce((a, b) => Duration.max(a, b))
  return {
    outcome: worstFirst.find((each) => reports.some(({ outcome }) => outcome === each)) ?? first.outcome,
    startedAt: Math.min(...reports.map(({ startedAt }) => startedAt)),
    duration: longest(({ duration }) => duration),
    lameDuck: longest(({ lameDuck }) => lameDuck),
    draining: longest(({ draining }) => draining),
    killing: longest(({ killing }) => killing),
    served: sum(({ served }) => served),
    connections: {
      open: sum(({ connections }) => connections.open),
      accepted: sum(({ connections }) => connections.accepted),
      completed: sum(({ connections }) => connections.completed),
      idleClosed: sum(({ connections }) => connections.idleClosed),
      cut: sum(({ connections }) => connections.cut)
    },
    cut: reports.flatMap(({ cut }) => cut),
    endedStreams: reports.flatMap(({ endedStreams }) => endedStreams),
    forceClosed: reports.flatMap(({ forceClosed }) => forceClosed),
    handlers: {
      interrupted: sum(({ handlers }) => handlers.interrupted),
      abandoned: sum(({ handlers }) => handlers.abandoned)
    },
    hooks: reports.flatMap(({ hooks }) => hooks),
    background: reports.flatMap(({ background }) => background)
  }
}
