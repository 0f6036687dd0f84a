/**
 * What programs without types may pass in place of options and functions.
 */
import { InvalidPolicy } from "../Shutdown.js"

/** Looks at the names of `options`: one that nobody reads is a typing error. */
export const names = (field: string, options: unknown, known: ReadonlyArray<string>, of = ""): void => {
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    throw new InvalidPolicy({
      field,
      value: options,
      expected: `an object of options, such as { timeout: "8 seconds" }`
    })
  }
  for (const [name, value] of Object.entries(options)) {
    if (known.includes(name)) continue
    const nearest = known
      .map((other) => ({ other, away: distance(name.toLowerCase(), other.toLowerCase()) }))
      .sort((a, b) => a.away - b.away)
    throw new InvalidPolicy({
      field: `${name}${of}`,
      value,
      expected: `left out, as there is no such option; there is ${nearest.map(({ other }) => other).join(", ")}`
    })
  }
}

/** Looks at what must be a function, if it is given. */
export const aFunction = (field: string, value: unknown, expected = "a function"): void => {
  if (typeof value !== "function") throw new InvalidPolicy({ field, value, expected })
}

/** How many letters have to be typed, left out or replaced to make `b` of `a` (Levenshtein). */
const distance = (a: string, b: string): number => {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (const [i, letter] of [...a].entries()) {
    const next = [i + 1]
    for (let j = 0; j < b.length; j++) {
      next.push(Math.min(next[j]! + 1, row[j + 1]! + 1, row[j]! + (letter === b[j] ? 0 : 1)))
    }
    row = next
  }
  return row[b.length]!
}
