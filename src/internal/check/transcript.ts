/**
 * What happened at the clients of one scenario, in order, for those who want to see it byte by byte.
 */
import type { TranscriptEntry } from "./model.js"
import { now } from "./wait.js"

/** Of each client, the last so many events are kept. */
const maxEvents = 24
const maxBytes = 400

interface Noted extends Omit<TranscriptEntry, "at"> {
  readonly time: number
}

export class Transcript {
  readonly #events = new Map<string, Array<Noted>>()
  readonly #left = new Map<string, number>()
  #signalAt: number | undefined

  add(who: string, what: TranscriptEntry["what"], content?: Buffer | string): void {
    const time = now()
    if (what === "signal") this.#signalAt ??= time
    const events = this.#events.get(who) ?? []
    this.#events.set(who, events)
    events.push({ time, who, what, ...described(content) })
    if (events.length <= maxEvents) return
    events.shift()
    this.#left.set(who, (this.#left.get(who) ?? 0) + 1)
  }

  entries(): ReadonlyArray<TranscriptEntry> {
    const all = [...this.#events.values()].flat().toSorted((one, other) => one.time - other.time)
    const from = this.#signalAt ?? all[0]?.time ?? 0
    const seen = new Set<string>()
    return all.flatMap(({ time, ...rest }) => {
      const at = Math.round((time - from) * 10) / 10
      const left = seen.has(rest.who) ? 0 : this.#left.get(rest.who) ?? 0
      seen.add(rest.who)
      const before: ReadonlyArray<TranscriptEntry> = left === 0
        ? []
        : [{ at, who: rest.who, what: "note", text: `${left} events before are left out` }]
      return [...before, { at, ...rest }]
    })
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
