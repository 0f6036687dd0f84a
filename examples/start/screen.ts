/**
 * Lines, and below them a status that is drawn again and again on a terminal. Elsewhere there are only lines.
 */
import type { WriteStream } from "node:tty"
import { stripVTControlCharacters } from "node:util"

export interface Screen {
  readonly live: boolean
  readonly line: (text: string) => void
  /** Replaces the status; nothing is drawn where there is no terminal. */
  readonly status: (lines: ReadonlyArray<string>) => void
  readonly bold: (text: string) => string
  readonly dim: (text: string) => string
  readonly green: (text: string) => string
  readonly yellow: (text: string) => string
  readonly red: (text: string) => string
}

export const make = (out: WriteStream): Screen => {
  const live = out.isTTY
  const style = (code: number) => (text: string) => live && out.hasColors() ? `\u001b[${code}m${text}\u001b[0m` : text
  let drawn: ReadonlyArray<string> = []

  /** Back to the first line of the status, and clears from there. */
  const erase = () => {
    const rows = drawn.length
    drawn = []
    return rows === 0 ? "" : `\r\u001b[${rows}A\u001b[J`
  }
  /** A line that wraps would take two rows, and be erased by half. */
  const fit = (text: string) => {
    const plain = stripVTControlCharacters(text)
    // a terminal that does not know its size says 0
    const columns = out.columns || 80
    return plain.length < columns ? text : `${plain.slice(0, Math.max(1, columns - 2))}…`
  }

  return {
    live,
    line: (text) => {
      const status = drawn
      const cleared = erase()
      drawn = status
      out.write(`${cleared}${text}\n${status.map((line) => `${line}\n`).join("")}`)
    },
    status: (lines) => {
      if (!live) return
      const fitting = lines.slice(0, Math.max(1, (out.rows || 24) - 2)).map(fit)
      const cleared = erase()
      drawn = fitting
      out.write(cleared + fitting.map((line) => `${line}\n`).join(""))
    },
    bold: style(1),
    dim: style(2),
    green: style(32),
    yellow: style(33),
    red: style(31)
  }
}
