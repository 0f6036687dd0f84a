/**
 * A report for programs without Effect: durations are milliseconds, and causes are errors.
 */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import type { PlainReport } from "../model/plainReport.js"
import type { Report } from "../model/report.js"

export const plainReport = (report: Report): PlainReport => {
  const { background, cut, draining, duration, endedStreams, hooks, killing, lameDuck, ...same } = report
  return {
    ...same,
    durationMillis: Duration.toMillis(duration),
    lameDuckMillis: Duration.toMillis(lameDuck),
    drainingMillis: Duration.toMillis(draining),
    killingMillis: Duration.toMillis(killing),
    cut: cut.map(({ age, ...request }) => ({ ...request, ageMillis: Duration.toMillis(age) })),
    endedStreams: endedStreams.map(({ age, ...stream }) => ({ ...stream, ageMillis: Duration.toMillis(age) })),
    hooks: hooks.map(plain),
    background: background.map(plain)
  }
}

interface Ended {
  readonly duration: Duration.Duration
  readonly cause: Option.Option<Cause.Cause<unknown>>
}

const plain = <A extends Ended>({ cause, duration, ...same }: A) => ({
  ...same,
  durationMillis: Duration.toMillis(duration),
  ...(Option.isSome(cause) ? { error: Cause.squash(cause.value) } : undefined)
})
