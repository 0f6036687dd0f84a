/**
 * Reports side by side.
 */
import type { Report, Verdict } from "../model.js"
import { commandLine } from "./commandLine.js"
import type { Style } from "./style.js"

const words: Readonly<Record<Verdict, string>> = { kept: "✓ kept", lost: "✗ lost", notAsked: "- not asked" }

const nameWidth = 24
const leastWidth = 13
const mostWidth = 40

/** The end of a command says more than its beginning. */
const shortened = (command: string, width: number): string =>
  command.length <= width ? command : `…${command.slice(1 - width)}`

/** Where there is no room for commands and words, the columns have numbers and marks. */
export const comparison = (style: Style, reports: ReadonlyArray<Report>, width: number): string => {
  const names = reports[0]?.results.map(({ name }) => name) ?? []
  const room = Math.min(mostWidth, Math.floor((width - nameWidth) / reports.length) - 2)
  const isNarrow = room < leastWidth
  const commands = reports.map(({ command }, n) =>
    isNarrow
      ? `${n + 1} ${shortened(commandLine(command), Math.max(leastWidth, width - 2))}`
      : shortened(commandLine(command), room)
  )
  const titles = isNarrow ? reports.map((_, n) => String(n + 1)) : commands
  const widths = titles.map((title) => isNarrow ? title.length : Math.max(leastWidth, title.length))
  const line = (name: string, cells: ReadonlyArray<string>) => `${name.padEnd(nameWidth)} ${cells.join("  ")}`
  const rows = names.map((name) =>
    line(
      name,
      reports.map(({ results }, n) => {
        const verdict = results.find((result) => result.name === name)?.verdict ?? "notAsked"
        const cell = (isNarrow ? words[verdict].slice(0, 1) : words[verdict]).padEnd(widths[n] ?? 0)
        return verdict === "lost" ? style.red(cell) : verdict === "kept" ? style.green(cell) : style.dim(cell)
      })
    )
  )
  const head = style.bold(line("", titles.map((title, n) => title.padEnd(widths[n] ?? 0))))
  return [...(isNarrow ? commands : []), head, ...rows].map((text) => text.trimEnd()).join("\n")
}
