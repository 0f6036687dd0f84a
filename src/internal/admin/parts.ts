/**
 * The parts of the page that change, as HTML: the server writes each of them, for the first answer and for the event
 * stream alike, so that the page says the same with and without JavaScript.
 */
import type { Phase } from "../model/policy.js"
import { isFailure } from "../model/report.js"
import { timeLeft } from "../telemetry/progress.js"
import { address, age, type Html, html, nothing, table, word } from "./html.js"
import type { Overview, Seen } from "./overview.js"
import { reportPart, verdict } from "./reportPart.js"

/** What the page says that it sees: the phase of the server, or that nobody answers any more. */
export type Shown = Phase | "Gone"

export interface PageState {
  readonly phase: Shown
  /** Something was lost. */
  readonly failed: boolean
  readonly title: string
  readonly icon: string
  /** By the `id` of the element that has it. */
  readonly parts: { readonly [id in PartId]: string }
}

export const partIds = [
  "status",
  "time",
  "numbers",
  "connections",
  "requests",
  "hooks",
  "background",
  "report"
] as const

type PartId = (typeof partIds)[number]

export const names: Readonly<Record<Shown, string>> = {
  Serving: "Serving",
  LameDuck: "Lame duck",
  Draining: "Draining",
  Closed: "Closed",
  Gone: "Gone"
}

const colors: Readonly<Record<Shown, string>> = {
  Serving: "1a7f4b",
  LameDuck: "b26a00",
  Draining: "b26a00",
  Closed: "5d6670",
  Gone: "5d6670"
}

/** A dot in the color of the phase: a tab in the background says how far the server is. */
const iconOf = (color: string): string =>
  `data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E`
  + `%3Ccircle cx='8' cy='8' r='6' fill='%23${color}'/%3E%3C/svg%3E`

/** `isOver`: it is the last that this listener answers. */
export const stateOf = (overview: Overview, isOver: boolean): PageState => {
  const { phase, seen } = overview
  const shown = isOver ? "Gone" : phase
  const failed = seen?.report !== undefined && isFailure(seen.report)
  return {
    phase: shown,
    failed,
    title: `${names[shown]} · ${overview.process}`,
    icon: iconOf(failed ? "b3261e" : colors[shown]),
    parts: {
      status: status(overview, shown).html,
      time: (seen === undefined ? nothing : time(seen, phase)).html,
      numbers: (seen === undefined ? nothing : numbers(seen)).html,
      connections: (seen === undefined || phase === "Closed" ? nothing : connections(seen)).html,
      requests: (seen === undefined || phase === "Closed" ? nothing : requests(seen)).html,
      hooks: (seen === undefined ? nothing : hooks(seen)).html,
      background: (seen === undefined || phase === "Closed" ? nothing : background(seen)).html,
      report: (seen?.report === undefined ? nothing : reportPart(seen.report)).html
    }
  }
}

/** What is announced as it changes: it has no time in it. */
const status = ({ phase, process, seen }: Overview, shown: Shown): Html =>
  html`<h1>${names[shown]}</h1><p>${sentence(phase, shown, process, seen)}</p>`

const sentence = (phase: Phase, shown: Shown, process: string, seen: Seen | undefined): string => {
  const end = seen?.report === undefined ? "" : ` ${verdict(seen.report)}`
  if (shown === "Gone") {
    return phase === "Closed"
      ? `The ${process} answers no more.${end}`
      : `This page is answered no more: its server is ${names[phase].toLowerCase()}, and takes no new request.`
  }
  switch (phase) {
    case "Serving":
      return "Accepting connections, and answering."
    case "LameDuck":
      return "Still answering. Clients are asked to connect elsewhere."
    case "Draining":
      return "Accepting nothing new. Waiting for what is in flight."
    case "Closed":
      return `Nothing is open any more, and the process is about to end.${end}`
  }
}

const time = ({ policy, progress, report, stoppingMillis = 0 }: Seen, phase: Phase): Html => {
  if (report !== undefined) return nothing
  if (phase === "Serving") return html`<p>${bound(policy)}</p>`
  const words = `${timeLeft(progress, age) ?? "No deadline"}. The shutdown has lasted ${age(stoppingMillis)}.`
  const max = progress.then === undefined ? policy.timeout : policy.lameDuck
  const label = progress.then === undefined ? "Time left until the deadline" : "Time left of the lame duck"
  const value = Math.round(Math.min(max, Math.max(0, progress.left)))
  const bar = Number.isFinite(max) && max > 0
    ? html`<progress aria-label="${label}" max="${max}" value="${value}"></progress>`
    : nothing
  return html`${bar}<p>${words}</p>`
}

/** How long a shutdown takes at the most. */
const bound = ({ killTimeout, lameDuck, timeout }: Seen["policy"]): string =>
  Number.isFinite(timeout)
    ? `A shutdown takes ${age(lameDuck + timeout + killTimeout)} at the most: ${
      lameDuck > 0 ? `${age(lameDuck)} of a lame duck, ` : ""
    }${age(timeout)} to drain, ${age(killTimeout)} to interrupt what is left.`
    : "A shutdown has no deadline."

const numbers = ({ accepted, backgroundRunning, progress, report, served }: Seen): Html => {
  const now = report === undefined
    ? [
      ["Connections", progress.connections],
      ["Requests in flight", progress.inFlight],
      ["Background work", backgroundRunning]
    ] as const
    : [["Connections since the start", accepted] as const]
  const all = [...now, ["Answered since the start", served] as const]
  return html`<dl>${all.map(([name, n]) => html`<div><dt>${name}</dt><dd>${n.toLocaleString("en")}</dd></div>`)}</dl>`
}

const states = ["New", "Active", "Idle", "Hijacked"] as const

const connections = ({ groups, progress }: Seen): Html => {
  if (progress.connections === 0) return html`<h2>Connections</h2><p>Nobody is connected.</p>`
  const protocols = [...new Set(groups.map(({ protocol }) => protocol))].sort()
  const count = (protocol: string, state: string) =>
    groups.find((group) => group.protocol === protocol && group.state === state)?.count ?? 0
  return html`<h2>Connections</h2>${
    table(
      "Open connections by protocol and state",
      ["Protocol", ...states],
      protocols.map((protocol) => [protocol, ...states.map((state) => count(protocol, state))]),
      "counts"
    )
  }`
}

const requests = ({ progress }: Seen): Html => {
  const more = progress.inFlight - progress.oldest.length
  if (progress.inFlight === 0) return html`<h2>Requests in flight</h2><p>None.</p>`
  return html`<h2>Requests in flight</h2>${
    table(
      "The oldest first",
      ["Request", "Client", "Age"],
      progress.oldest.map(({ ageMillis, method, path, remoteAddress }) => [
        html`<b>${method}</b> <code>${path}</code>`,
        address(remoteAddress),
        html`<span class="t">${age(ageMillis)}</span>`
      ])
    )
  }${andMore(more)}`
}

const andMore = (more: number): Html => more > 0 ? html`<p>And ${more.toLocaleString("en")} more.</p>` : nothing

const hooks = ({ hooks, moreHooks }: Seen): Html =>
  hooks.length === 0 ? nothing : html`<h2>Hooks</h2>${
    table(
      "What runs when draining starts",
      ["Hook", "State", "Time"],
      hooks.map(({ millis, name, state }) => [
        name,
        word(state),
        html`<span class="t">${state === "Waiting" ? "" : age(millis)}</span>`
      ])
    )
  }${andMore(moreHooks)}`

const background = ({ background, backgroundRunning }: Seen): Html =>
  background.length === 0 ? nothing : html`<h2>Background work</h2>${
    table(
      "A shutdown waits for it",
      ["Work", "Running"],
      background.map(({ count, name }) => [name, count])
    )
  }${andMore(background.reduce((rest, { count }) => rest - count, backgroundRunning))}`
