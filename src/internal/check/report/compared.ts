/**
 * Two reports side by side.
 */
import type { Report, Verdict } from "../model.js"
import type { Style } from "./style.js"

const words: Readonly<Record<Verdict, string>> = { kept: "✓ kept", lost: "✗ lost", notAsked: "- not asked" }

export const comparison = (style: Style, reports: ReadonlyArray<Report>): string => {
  const names = reports[0]?.results.map(({ name }) => name) ?? []
  const widths = reports.map(({ command }) => Math.max(13, Math.min(40, command.join(" ").length)))
  const head = `${"".padEnd(24)} ${
    reports.map(({ command }, n) => command.join(" ").slice(0, 40).padEnd(widths[n] ?? 0)).join("  ")
  }`
  const rows = names.map((name) => {
    const cells = reports.map(({ results }, n) => {
      const verdict = results.find((result) => result.name === name)?.verdict ?? "notAsked"
      const cell = words[verdict].padEnd(widths[n] ?? 0)
      return verdict === "lost" ? style.red(cell) : verdict === "kept" ? style.green(cell) : style.dim(cell)
    })
    return `${name.padEnd(24)} ${cells.join("  ")}`
  })
  return [style.bold(head), ...rows].map((line) => line.trimEnd()).join("\n")
}
