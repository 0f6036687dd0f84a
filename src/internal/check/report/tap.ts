/**
 * A report in the Test Anything Protocol, version 14.
 */
import type { Report, Result } from "../model.js"

/** `#` begins a directive, and is escaped in what is not one. */
const escape = (text: string): string => text.replaceAll("\\", "\\\\").replaceAll("#", "\\#").replaceAll("\n", " ")

const point = (result: Result, nth: number): string => {
  const name = `${nth} - ${escape(`${result.name}: ${result.sentence}`)}`
  if (result.verdict === "kept") return `ok ${name}`
  if (result.verdict === "notAsked") return `ok ${name} # SKIP ${escape(result.saw)}`
  const detail = { saw: result.saw, rule: result.rule.text, remedy: result.advice?.remedy ?? "" }
  const lines = Object.entries(detail).map(([key, value]) => `  ${key}: ${JSON.stringify(value)}`)
  return [`not ok ${name}`, "  ---", ...lines, "  ..."].join("\n")
}

export const toTap = (reports: ReadonlyArray<Report>): string => {
  const results = reports.flatMap((report) => report.results)
  const points = results.map((result, index) => point(result, index + 1))
  return ["TAP version 14", `1..${results.length}`, ...points].join("\n") + "\n"
}
