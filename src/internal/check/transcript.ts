/**
 * What happened at the clients of one scenario, in order, for those who want to see it byte by byte.
 */
import type { TranscriptEntry } from "./model.js"
import { now } from "./wait.js"

/** The first and the last of so many are kept. */
const maxEntries = 600
const maxBytes = 400

interface Noted extends Omit<TranscriptEntry, "at"> {
  readonly time: number
}

export class Transcript {
  readonly #first: Array<Noted> = []
  #last: Array<Noted> = []
  #left = 0
  #signalAt: number | undefined

  add(who: string, what: TranscriptEntry["what"], content?: Buffer | string): void {
    const time = now()
    if (what === "signal") this.#signalAt ??= time
    const noted: Noted = { time, who, what, ...described(content) }
    if (this.#first.length < maxEntries / 2) this.#first.push(noted)
    else this.#last.push(noted)
    if (this.#last.length > maxEntries) {
      this.#left += maxEntries / 2
      this.#last = this.#last.slice(maxEntries / 2)
    }
  }

  entries(): ReadonlyArray<TranscriptEntry> {
    const from = this.#signalAt ?? this.#first[0]?.time ?? 0
    const entry = ({ time, ...rest }: Noted): TranscriptEntry => ({ at: Math.round((time - from) * 10) / 10, ...rest })
    const left = this.#left === 0 || this.#last[0] === undefined
      ? []
      : [{ ...entry(this.#last[0]), who: "check", what: "note" as const, text: `${this.#left} events left out` }]
    return [...this.#first.map(entry), ...left, ...this.#last.map(entry)]
  }
}

const described = (content: Buffer | string | undefined): { readonly bytes?: number; readonly text?: string } => {
  if (content === undefined) return {}
  if (typeof content === "string") return { text: content }
  const more = content.length > maxBytes ? `… (${content.length - maxBytes} more)` : ""
  return { bytes: content.length, text: escaped(content.subarray(0, maxBytes)) + more }
}

/** Printable on one line: what servers send must not steer a terminal. */
export const escaped = (bytes: Buffer): string =>
  bytes.toString("latin1").replaceAll("\\", "\\\\").replaceAll("\r", "\\r").replaceAll("\n", "\\n").replaceAll(
    /[^\x20-\x7e]/g,
    (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`
  )
