/**
 * What the server does and what it did, in plain words.
 */
import { Duration } from "effect"
import type { Connection, Shutdown } from "quiesce"

export const count = (n: number, one: string, many = `${one}s`): string => `${n} ${n === 1 ? one : many}`

export const seconds = (millis: number): string => `${(Math.max(0, millis) / 1000).toFixed(1)} s`

const took = (duration: Duration.Duration): string => {
  const millis = Math.round(Duration.toMillis(duration))
  return millis < 1000 ? `${millis} ms` : seconds(millis)
}

export const byState = (connections: ReadonlyArray<Connection.Connection>): string => {
  const states = new Map<string, number>()
  for (const { state } of connections) states.set(state, (states.get(state) ?? 0) + 1)
  return [
    count(connections.length, "connection"),
    ...(states.size === 0 ? [] : [Array.from(states, ([state, n]) => `${n} ${state}`).join(", ")])
  ].join(": ")
}

const answers: Record<Shutdown.CutRequest["clientReceived"], string> = {
  "503": "its client was told 503: come back later",
  truncated: "its client got a part of the answer",
  none: "its client got no answer"
}

export const verdict = (report: Shutdown.Report): string => {
  const lost = report.cut.length === 0
    ? "every request got its whole response"
    : `${count(report.cut.length, "request")} did not get the whole response`
  return `${report.outcome === "Closed" ? "Closed at once" : `Shut down in ${took(report.duration)}`}: ${lost}.`
}

export const details = (report: Shutdown.Report): ReadonlyArray<string> => {
  const { accepted, cut, idleClosed, completed, open } = report.connections
  return [
    `${count(report.served, "request")} answered since the shutdown began.`,
    `${count(open + accepted, "connection")}: ${completed} left with their last answer or by themselves, `
    + `${idleClosed} closed because idle or never used, ${cut} cut.`,
    ...report.cut.map(({ age, clientReceived, method, path, remoteAddress }) =>
      `Cut: ${method} ${path} from ${remoteAddress} after ${took(age)}; ${answers[clientReceived]}.`
    ),
    ...(report.handlers.abandoned > 0
      ? [`${count(report.handlers.abandoned, "handler")} ignored interruption and was left behind.`]
      : []),
    ...report.hooks.map(({ duration, name, outcome }) => `Hook "${name}": ${outcome} after ${took(duration)}.`)
  ]
}
