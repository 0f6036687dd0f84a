/**
 * What a line of a log, or the message of an error, is made of: text that may come from anybody, and durations.
 */
import * as Duration from "effect/Duration"

/**
 * What would end a line, be obeyed by a terminal, or turn around what is beside it: control characters, line and
 * paragraph separators, marks of direction, halves of characters.
 */
const unfit = /[\p{Cc}\p{Cs}\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/gu

const names: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" }

const name = (character: string): string => {
  const code = character.charCodeAt(0)
  return names[character] ?? (code > 0xff ? `\\u${hex(code, 4)}` : `\\x${hex(code, 2)}`)
}

const hex = (code: number, digits: number): string => code.toString(16).padStart(digits, "0")

/** One line, with escapes as in JavaScript. */
export const escaped = (text: string): string => text.replaceAll(unfit, name)

/** A path may be as long as a request head. */
const pathLimit = 200

/** One line that is short, too. */
export const clip = (text: string, limit = pathLimit): string =>
  escaped(text.length <= limit ? text : `${text.slice(0, limit - 1)}…`)

/** `Duration.format` throws where the nanoseconds are more than a number can be. */
export const formatted = (duration: Duration.Duration): string => {
  const millis = Duration.toMillis(duration)
  return Number.isFinite(millis) && millis > Number.MAX_SAFE_INTEGER ? `${millis}ms` : Duration.format(duration)
}

/** `Duration.format` says "0" of nothing, and goes down to the nanosecond. */
export const printMillis = (n: number): string =>
  Math.round(n) === 0 ? "0ms" : formatted(Duration.millis(Math.round(n)))

export const printDuration = (duration: Duration.Duration): string => printMillis(Duration.toMillis(duration))
