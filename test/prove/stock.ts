/** The scenarios of the table in docs/guarantees.md: what stock `@effect/platform-node` does when SIGTERM comes, and what we do. */
import { scenarios } from "../conformance/stock/scenarios/all.js"
import { type Outcome, progress, timed } from "./outcome.js"

export interface Row {
  readonly title: string
  readonly stock: string
  readonly quiesce: string
}

export interface Table {
  readonly outcome: Outcome
  readonly rows: ReadonlyArray<Row>
}

/** The patience of `docker stop`: that of the table. */
const patience = 10_000

export const runTable = async (withStock: boolean): Promise<Table> => {
  const rows: Array<Row> = []
  const failures: Array<string> = []
  const kept = { stock: 0, quiesce: 0 }
  const cell = async (which: "stock" | "quiesce", scenario: typeof scenarios[number]): Promise<string> => {
    const outcome = await scenario.run(which, patience)
    if (outcome.kept) kept[which]++
    else if (which === "quiesce") failures.push(`${scenario.title}: ${outcome.saw}`)
    return `${outcome.kept ? "✓" : "✗"} ${outcome.saw}`
  }
  const [, seconds] = await timed(async () => {
    // one after the other: what is measured must not depend on what runs beside it
    for (const scenario of scenarios) {
      const stock = withStock ? await cell("stock", scenario) : "–"
      rows.push({ title: scenario.title, stock, quiesce: await cell("quiesce", scenario) })
      progress(`  ${rows.length} of ${scenarios.length}: ${scenario.title}`)
    }
  })
  const of = (count: number) => `${count} of ${scenarios.length}`
  return {
    rows,
    outcome: {
      how: withStock ? "stock @effect/platform-node and quiesce, at SIGTERM" : "quiesce, at SIGTERM",
      often: `${scenarios.length} scenarios`,
      result: `lost nothing and ended: quiesce ${of(kept.quiesce)}${withStock ? `, stock ${of(kept.stock)}` : ""}`,
      seconds,
      failures
    }
  }
}
