/**
 * The table of docs/guarantees.md: what `quiesce check` asks, and what only an Effect app has, of both servers.
 */
import type { Report } from "quiesce/check"
import type { Which } from "./app.js"
import { checkOf } from "./checked.js"
import { effectScenarios } from "./effectScenarios.js"

export interface Cell {
  readonly kept: boolean
  readonly saw: string
}

export interface Row {
  readonly title: string
  readonly cells: ReadonlyArray<Cell>
}

const cellsOf = (report: Report): ReadonlyMap<string, Cell> =>
  new Map(
    report.results.filter(({ unasked }) => unasked !== "notOffered").map(({ saw, sentence, verdict }) => [
      sentence,
      { kept: verdict === "kept", saw: verdict === "notAsked" ? `not asked: ${saw}` : saw }
    ])
  )

/** `onTold` is called with what has been done, for those who wait. */
export const rowsOf = async (
  servers: ReadonlyArray<Which>,
  onTold: (what: string) => void = () => {}
): Promise<ReadonlyArray<Row>> => {
  const columns: Array<ReadonlyMap<string, Cell>> = []
  for (const which of servers) {
    const column = new Map(cellsOf(await checkOf(which)))
    for (const { run, title } of effectScenarios) column.set(title, await run(which))
    columns.push(column)
    onTold(`${which}: ${column.size} scenarios`)
  }
  const unknown: Cell = { kept: false, saw: "not asked" }
  const titles = new Set(columns.flatMap((column) => [...column.keys()]))
  return [...titles].map((title) => ({ title, cells: columns.map((column) => column.get(title) ?? unknown) }))
}

export const cellText = ({ kept, saw }: Cell): string => `${kept ? "✓" : "✗"} ${saw}`
