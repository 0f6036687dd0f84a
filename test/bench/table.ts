export const median = (values: ReadonlyArray<number>): number => {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

/** The median, and from the lowest to the highest. */
export const spread = (values: ReadonlyArray<number>, digits: number): string => {
  const print = (value: number) => value.toFixed(digits)
  return `${print(median(values))} (${print(Math.min(...values))} to ${print(Math.max(...values))})`
}

/** Prints a Markdown table. */
export const table = (
  title: string,
  head: ReadonlyArray<string>,
  rows: ReadonlyArray<ReadonlyArray<string | number>>
): void => {
  const line = (cells: ReadonlyArray<string | number>) => `| ${cells.join(" | ")} |`
  console.log(`\n${title}\n`)
  console.log(line(head))
  console.log(line(head.map((_, column) => column === 0 ? "---" : "---:")))
  for (const row of rows) console.log(line(row))
}
