/**
 * Lines, in colours where there are any.
 */
import type { WriteStream } from "node:tty"

export interface Screen {
  readonly line: (text: string) => void
  readonly bold: (text: string) => string
  readonly dim: (text: string) => string
  readonly green: (text: string) => string
  readonly yellow: (text: string) => string
  readonly red: (text: string) => string
}

export const make = (out: WriteStream): Screen => {
  const style = (code: number) => (text: string) =>
    out.isTTY && out.hasColors() ? `\u001b[${code}m${text}\u001b[0m` : text
  return {
    line: (text) => void out.write(`${text}\n`),
    bold: style(1),
    dim: style(2),
    green: style(32),
    yellow: style(33),
    red: style(31)
  }
}
