/**
 * A report for people: a row for each scenario, and what its losses mean.
 */
import type { Advice, Offer, Report, Result, TranscriptEntry, Verdict } from "../model.js"
import { seconds } from "../run/stage.js"
import { commandLine } from "./commandLine.js"
import { type Style, wrap } from "./style.js"

const nameWidth = 23

const marks: Readonly<Record<Verdict, string>> = { kept: "✓", lost: "✗", notAsked: "-" }

const painted = (style: Style, verdict: Verdict, text: string): string =>
  verdict === "kept" ? style.green(text) : verdict === "lost" ? style.red(text) : style.dim(text)

/** Where it listens and what it answers. */
export const offerLine = (offer: Offer): string => {
  const { target } = offer
  const answers = `answers ${offer.status} ${seconds(offer.startMillis)} after its start`
  if ("path" in target) return `${target.path}; it ${answers}`
  const host = target.host.includes(":") ? `[${target.host}]` : target.host
  const others = offer.otherPorts.length === 0 ? "" : ` (and on ${offer.otherPorts.join(", ")}: one start at a time)`
  return `${host}${offer.separate ? ", on a port of its own each time" : `:${target.port}${others}`}; it ${answers}`
}

export const repeats = ({ counts, verdict }: Result): string => {
  const all = counts.kept + counts.lost + counts.notAsked
  return all > 1 && verdict === "lost" ? ` (${counts.lost} of ${all} times)` : ""
}

/** Without a width it is one line. */
export const row = (style: Style, result: Result, width = Number.POSITIVE_INFINITY): string => {
  const mark = painted(style, result.verdict, marks[result.verdict])
  // where what it saw has no room beside the name, it is below
  const isNarrow = width < 2.5 * nameWidth
  const indent = " ".repeat(isNarrow ? 4 : nameWidth + 3)
  const saw = wrap(
    result.verdict === "notAsked" ? `not asked: ${result.saw}` : result.saw + repeats(result),
    roomIn(width, indent),
    indent
  )
  const name = isNarrow ? `${result.name}\n${indent}` : `${result.name.padEnd(nameWidth)} `
  return `${mark} ${name}${result.verdict === "notAsked" ? style.dim(saw) : saw}`
}

/** What is left of a line behind its indent; the terminal breaks what does not fit into even less. */
const roomIn = (width: number, indent: string): number => Math.max(20, width - indent.length)

/** What was not asked, by what would make it possible; what failed has a row. */
export const unasked = (style: Style, report: Report, width: number): string => {
  const byReason = new Map<string, Array<string>>()
  for (const { name, saw, unasked: why } of report.results) {
    if (why === "notOffered") byReason.set(saw, [...byReason.get(saw) ?? [], name])
  }
  const indent = "    "
  return [...byReason].map(([saw, names]) => {
    const line = wrap(`${saw} (${names.join(", ")})`, roomIn(width, indent), indent)
    return style.dim(`${marks.notAsked} ${line}`)
  }).join("\n")
}

export const summary = (style: Style, report: Report): string => {
  const parts = [
    `${report.kept} kept`,
    report.lost === 0 ? "none lost" : style.red(`${report.lost} lost`),
    ...(report.notAsked === 0 ? [] : [`${report.notAsked} not asked`])
  ]
  return `${style.bold(parts.join(", "))}, in ${seconds(report.millis)}`
}

/** What most of the losses come from, where that is one thing. */
export const cause = ({ results }: Report): string | undefined => {
  const signal = results.find(({ name, verdict }) => name === "exit-code" && verdict === "lost")?.end?.signal ?? null
  return signal === null || results.filter(({ verdict }) => verdict === "lost").length === 1
    ? undefined
    : `It has no handler for ${signal}, and dies of it at once, with all that is in flight. Most of the losses are due to `
      + "that: begin there."
}

/** What does all of the remedies in a Node server, and how to see that. */
export const remedyOf = (command: ReadonlyArray<string>): string | undefined => {
  const [program = "", ...rest] = commandLine(command).split(" ")
  if (!/(^|\/)node$/.test(program) || rest.join(" ").includes("quiesce/register")) return undefined
  const registered = [program, "--import quiesce/register", ...rest].join(" ")
  return `In a Node server, one call does all of this: quiesce(server, { signals: true }) of "quiesce/promise". Without a `
    + `change of its code, try:\n  quiesce check -- ${registered}`
}

/** Each kind of loss once, with the scenarios that showed it. */
export const losses = (style: Style, report: Report, width: number): string => {
  const byAdvice = new Map<Advice, Array<Result>>()
  for (const result of report.results) {
    if (result.advice === undefined) continue
    byAdvice.set(result.advice, [...byAdvice.get(result.advice) ?? [], result])
  }
  return [...byAdvice].map(([advice, results]) => lossOf(style, advice, results, width)).join("\n\n")
}

const lossOf = (style: Style, advice: Advice, results: ReadonlyArray<Result>, width: number): string => {
  const indent = " ".repeat(14)
  const line = (label: string, text: string) =>
    `  ${style.dim(label.padEnd(11))} ${wrap(text, roomIn(width, indent), indent)}`
  const rules = [...new Map(results.map(({ rule }) => [rule.text, rule])).values()]
  return [
    ...results.flatMap((result) => [
      `${style.red("✗")} ${
        wrap(`${result.name}: ${result.sentence}`, roomIn(width, "  "), "  ").replace(result.name, style.bold)
      }`,
      line("saw", result.saw + repeats(result))
    ]),
    ...rules.map(({ text, url }) => line("rule", `${text} ${url}`)),
    line("nginx", advice.nginx),
    line("HAProxy", advice.haproxy),
    line("Kubernetes", advice.kubernetes),
    line("remedy", advice.remedy)
  ].join("\n")
}

/** What each client sent and got, byte by byte. */
export const transcriptOf = (style: Style, result: Result): string =>
  [`${style.bold(result.name)}, milliseconds since the signal:`, ...result.transcript.map(entryLine)].join("\n")

const entryLine = ({ at, bytes, text, what, who }: TranscriptEntry): string =>
  `  ${at.toFixed(1).padStart(9)}  ${who.padEnd(10)} ${what.padEnd(8)}${bytes === undefined ? "" : ` ${bytes} bytes`}${
    text === undefined ? "" : ` ${text}`
  }`
