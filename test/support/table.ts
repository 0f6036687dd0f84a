/** Of an even number of values, the mean of the two in the middle. */
export const median = (values: ReadonlyArray<number>): number => {
  const sorted = values.toSorted((a, b) => a - b)
  const half = Math.floor(sorted.length / 2)
  const upper = sorted[half] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[half - 1] ?? upper)) / 2
}

const print = (value: number, digits: number): string => {
  const text = value.toFixed(digits)
  return Math.abs(value) < 10_000 ? text : text.replaceAll(/\B(?=(\d{3})+(?!\d))/g, ",")
}

/** The median, and from the lowest to the highest; of a single value, the value. */
export const spread = (values: ReadonlyArray<number>, digits: number): string => {
  const known = values.filter((value) => !Number.isNaN(value))
  if (known.length === 0) return "–"
  const middle = print(median(known), digits)
  return known.length === 1
    ? middle
    : `${middle} (${print(Math.min(...known), digits)} to ${print(Math.max(...known), digits)})`
}

/** The median alone, where the spread is in another table. */
export const middle = (values: ReadonlyArray<number>, digits: number): string => {
  const known = values.filter((value) => !Number.isNaN(value))
  return known.length === 0 ? "–" : print(median(known), digits)
}

export const markdown = (
  title: string,
  head: ReadonlyArray<string>,
  rows: ReadonlyArray<ReadonlyArray<string | number>>
): string => {
  const line = (cells: ReadonlyArray<string | number>) => `| ${cells.join(" | ")} |`
  return [
    title,
    "",
    line(head),
    line(head.map((_, column) => column === 0 ? "---" : "---:")),
    ...rows.map(line)
  ].join("\n")
}

let full: Array<string> = []
let headlines: Array<string> = []

/** Prints a Markdown table, and keeps it for `test/bench/RESULTS.md`. */
export const table = (
  title: string,
  head: ReadonlyArray<string>,
  rows: ReadonlyArray<ReadonlyArray<string | number>>
): void => {
  const text = markdown(title, head, rows)
  console.log(`\n${text}`)
  full.push(text)
}

/** A sentence beside the tables. */
export const note = (text: string): void => {
  console.log(`\n${text}`)
  full.push(text)
}

/** In every column but the first, the lowest of the numbers that its cells begin with is bold. */
const emphasized = (rows: ReadonlyArray<ReadonlyArray<string>>): ReadonlyArray<ReadonlyArray<string>> => {
  const value = (cell: string | undefined) => Number.parseFloat((cell ?? "").replaceAll(",", ""))
  return rows.map((row) =>
    row.map((cell, column) => {
      const known = rows.map((other) => value(other[column])).filter((number) => !Number.isNaN(number))
      return column > 0 && value(cell) === Math.min(...known) ? `**${cell}**` : cell
    })
  )
}

/** `3 rounds`, `1 round`. */
export const count = (number: number, what: string): string =>
  `${number.toLocaleString("en")} ${what}${number === 1 ? "" : "s"}`

/** What docs/benchmarks.md says of this benchmark. */
export const headline = {
  /** The lowest number of each column is the best, and bold. */
  table: (title: string, head: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string>>): void => {
    headlines.push(markdown(title, head, emphasized(rows)))
  },
  note: (text: string): void => {
    headlines.push(text)
  }
}

/** What was printed since this was last called. */
export const taken = (): { readonly full: string; readonly headline: string } => {
  const text = { full: full.join("\n\n"), headline: headlines.join("\n\n") }
  full = []
  headlines = []
  return text
}
