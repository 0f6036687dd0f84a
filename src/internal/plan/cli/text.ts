/**
 * A plan as text.
 */
import type { Plan, Row } from "../plan.js"

/** 4,200 and 0.03. */
const number = (value: number): string =>
  value === 0 ? "0" : value >= 10 ? Math.round(value).toLocaleString("en") : value.toPrecision(value >= 1 ? 2 : 1)

export const time = (millis: number): string => {
  const seconds = millis / 1000
  if (seconds < 1) return `${Math.round(millis)} ms`
  if (seconds < 100) return `${Number(seconds.toFixed(1))} s`
  const minutes = Math.round(seconds / 60)
  return minutes < 120 ? `${minutes} min` : `${Number((minutes / 60).toFixed(1))} h`
}

const table = (rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  return rows.map((row) =>
    `  ${
      row.map((cell, column) => column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)).join(
        "  "
      )
    }`
      .trimEnd()
  ).join("\n")
}

/** With nothing lost, the upper bound alone says something. */
const lostOf = ({ lost: { high, low, mean } }: Row): string =>
  mean === 0 ? `0 (at most ${number(high)})` : `${number(mean)} (${number(low)} to ${number(high)})`

const whyOf = ({ crossed, cut, lost, refused }: Row): string => {
  if (lost.mean === 0) return ""
  const percent = (share: number) => share > 0 && share < 0.01 ? "<1%" : `${Math.round(share * 100)}%`
  return [[refused, "refused"] as const, [crossed, "crossed"] as const, [cut, "cut"] as const]
    .filter(([share]) => share > 0)
    .map(([share, why]) => `${percent(share)} ${why}`)
    .join(", ")
}

const shell = (environment: Readonly<Record<string, string>>): string =>
  Object.entries(environment).map(([name, value]) => `  ${name}=${/\s/.test(value) ? JSON.stringify(value) : value}`)
    .join("\n")

const verdict = (plan: Plan): string => {
  const { recommended: { fits, needed, sum } } = plan
  const lost = plan.rows.find(({ isRecommended }) => isRecommended)?.lost.mean ?? 0
  if (!fits) {
    return `No policy is without loss within ${time(plan.grace)}: it takes ${
      time(needed)
    } (${sum}).\nRaise the time of the supervisor:`
  }
  if (lost > 0 && plan.balancer === "none") {
    return "No policy is without loss where an instance is restarted in its place, and clients go nowhere else: nobody listens\n"
      + "meanwhile. Hand over (Handoff), or let systemd hold the socket (Systemd.socket). Of the rest, the least loses:"
  }
  if (lost > 0 && plan.instances === 1) {
    return "No policy is without loss where the only instance is restarted in its place: nobody listens meanwhile.\n"
      + "Hand over (Handoff), let systemd hold the socket (Systemd.socket), or run two. Of the rest, the least loses:"
  }
  return `It takes ${time(needed)} of ${time(plan.grace)} (${sum}):`
}

export const text = (plan: Plan): string => {
  const { environment, facts, recommended, rows } = plan
  const { code, keepAlive, settings } = recommended
  const server = keepAlive === 5000 ? "createServer()" : `createServer({ keepAliveTimeout: ${keepAlive} })`
  const restarts = Math.min(...rows.map(({ restarts }) => restarts))
  return [
    `quiesce plan: ${plan.instances} instances under ${plan.supervisor}, behind ${plan.balancer}, ${
      number(plan.requestsPerSecond)
    } requests a second, up to ${time(plan.longestRequest)} each`,
    "",
    verdict(plan),
    "",
    `  NodeHttpServer.layer(() => ${server}, {`,
    ...["port: 3000", ...code].map((field, nth, all) => `    ${field}${nth === all.length - 1 ? "" : ","}`),
    "  })",
    "",
    "or in the environment:",
    "",
    shell(environment),
    "",
    "and beside it:",
    "",
    ...settings.map((setting) => `  ${setting}`),
    "",
    "A deploy:",
    "",
    table([
      ["", "requests lost (95 %)", "why", "takes", "slowest stop", "killed"],
      ...rows.map((row) => [
        row.name,
        lostOf(row),
        whyOf(row),
        time(row.duration),
        time(row.slowestStop),
        row.killed === 0 ? "" : String(row.killed)
      ])
    ]),
    "",
    `  refused: nobody accepted the connection; crossed: sent on a connection that was being closed; cut: in flight at the end`,
    `  simulated: ${number(restarts)} restarts or more of each, seed ${plan.seed}`,
    "",
    "Assumed:",
    "",
    ...facts.map(({ says, source }) => `  - ${says}${source === undefined ? "" : `\n    ${source}`}`),
    ""
  ].join("\n")
}
