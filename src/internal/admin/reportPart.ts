/**
 * The report of a shutdown, as HTML.
 */
import * as Duration from "effect/Duration"
import { clientHasReceived, isLost, type Report } from "../model/report.js"
import { clip } from "../model/text.js"
import { count } from "../telemetry/progress.js"
import { address, age, type Html, html, nothing, table, word } from "./html.js"
import { listed } from "./overview.js"

const lostWork = ({ background }: Report): number =>
  background.filter(isLost).reduce((all, { count }) => all + count, 0)

/** The report in one sentence. */
export const verdict = (report: Report): string => {
  const work = lostWork(report)
  const lost = [
    ...(report.cut.length > 0 ? [`${count(report.cut.length, "request")} did not get the whole response`] : []),
    ...(work > 0 ? [`${count(work, "background task")} did not finish`] : [])
  ]
  const all = lost.length === 0 ? "every request got its whole response" : lost.join(", and ")
  const took = age(Duration.toMillis(report.duration))
  return report.outcome === "Closed" ? `Closed by choice in ${took}: ${all}.` : `Shut down in ${took}: ${all}.`
}

export const reportPart = (report: Report): Html =>
  html`<h2>Report</h2>${facts(report)}${cut(report)}${background(report)}`

const facts = (report: Report): Html => {
  const { connections, endedStreams, forceClosed, handlers, served } = report
  const millis = (duration: Duration.Duration) => age(Duration.toMillis(duration))
  const rows: ReadonlyArray<readonly [string, string]> = [
    ["Outcome", report.outcome],
    [
      "Took",
      `${millis(report.duration)}: lame duck ${millis(report.lameDuck)}, draining ${
        millis(report.draining)
      }, after the deadline ${millis(report.killing)}`
    ],
    ["Answered meanwhile", `${count(served, "request")}, ${count(report.cut.length, "request")} cut`],
    [
      "Connections",
      `${connections.open} open at the start, ${connections.accepted} accepted since; ${connections.completed} left by `
      + `themselves or with their last response, ${connections.idleClosed} closed as idle, ${connections.cut} cut`
    ],
    ...(forceClosed.length > 0 ? [["Force-closed", count(forceClosed.length, "connection")] as const] : []),
    ...(endedStreams.length > 0 ? [["Event streams ended", String(endedStreams.length)] as const] : []),
    ...(handlers.interrupted > 0
      ? [["Handlers", `${handlers.interrupted} interrupted, ${handlers.abandoned} left behind`] as const]
      : [])
  ]
  return html`<table class="facts"><caption>What the shutdown did</caption><tbody>${
    rows.map(([name, value]) => html`<tr><th scope="row">${name}</th><td>${value}</td></tr>`)
  }</tbody></table>`
}

const cut = ({ cut }: Report): Html =>
  cut.length === 0 ? nothing : html`${
    table(
      "Requests that did not get their whole response",
      ["Request", "Client", "Cut after"],
      cut.slice(0, listed).map((request) => [
        html`<b>${clip(request.method, 32)}</b> <code>${clip(request.path)}</code>`,
        html`${address(request.remoteAddress)}: ${clientHasReceived[request.clientReceived]}`,
        html`<span class="t">${age(Duration.toMillis(request.age))}</span>`
      ])
    )
  }${cut.length > listed ? html`<p>And ${(cut.length - listed).toLocaleString("en")} more.</p>` : nothing}`

const background = ({ background }: Report): Html =>
  background.length === 0 ? nothing : table(
    "Background work",
    ["Work", "How it ended", "How many", "Time"],
    background.slice(0, listed).map(({ count, duration, name, outcome }) => [
      clip(name, 64),
      word(outcome),
      count,
      html`<span class="t">${age(Duration.toMillis(duration))}</span>`
    ])
  )
