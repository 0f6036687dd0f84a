/**
 * A report for people: a row for each scenario, and what its losses mean.
 */
import type { Advice, Offer, Report, Result, TranscriptEntry, Verdict } from "../model.js"
import { seconds } from "../run/stage.js"
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
  return `${host}${offer.separate ? ", on a port of its own each time" : `:${target.port}`}; it ${answers}`
}

export const repeats = ({ counts, verdict }: Result): string => {
  const all = counts.kept + counts.lost + counts.notAsked
  return all > 1 && verdict === "lost" ? ` (${counts.lost} of ${all} times)` : ""
}

export const row = (style: Style, result: Result): string => {
  const mark = painted(style, result.verdict, marks[result.verdict])
  const saw = result.verdict === "notAsked" ? style.dim(`not asked: ${result.saw}`) : result.saw + repeats(result)
  return `${mark} ${result.name.padEnd(nameWidth)} ${saw}`
}

/** What was not asked, by what would make it possible; what failed has a row. */
export const unasked = (style: Style, report: Report, width: number): string => {
  const byReason = new Map<string, Array<string>>()
  for (const { name, saw, unasked: why } of report.results) {
    if (why === "notOffered") byReason.set(saw, [...byReason.get(saw) ?? [], name])
  }
  const indent = "    "
  return [...byReason].map(([saw, names]) => {
    const line = wrap(`${saw} (${names.join(", ")})`, Math.max(40, width - indent.length), indent)
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
    `  ${style.dim(label.padEnd(11))} ${wrap(text, Math.max(40, width - indent.length), indent)}`
  const rules = [...new Map(results.map(({ rule }) => [rule.text, rule])).values()]
  return [
    ...results.flatMap((result) => [
      `${style.red("✗")} ${style.bold(result.name)}: ${
        wrap(result.sentence, Math.max(40, width - result.name.length - 4), "  ")
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
