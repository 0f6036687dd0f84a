/** The scenarios of the table in docs/guarantees.md: what stock `@effect/platform-node` does when SIGTERM comes, and what we do. */
import { cellText, rowsOf } from "../conformance/stock/rows.js"
import { makeFixturesFolder } from "../support/fixturesFolder.js"
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

export const runTable = async (withStock: boolean): Promise<Table> => {
  makeFixturesFolder()
  const servers = withStock ? ["quiesce", "stock"] as const : ["quiesce"] as const
  const [rows, seconds] = await timed(() => rowsOf(servers, (what) => progress(`  ${what}`)))
  const keptBy = (nth: number) => `${rows.filter(({ cells }) => cells[nth]?.kept).length} of ${rows.length}`
  return {
    rows: rows.map(({ cells: [quiesce, stock], title }) => ({
      title,
      stock: stock === undefined ? "–" : cellText(stock),
      quiesce: quiesce === undefined ? "–" : cellText(quiesce)
    })),
    outcome: {
      how: withStock ? "stock @effect/platform-node and quiesce, at SIGTERM" : "quiesce, at SIGTERM",
      often: `${rows.length} scenarios`,
      result: `lost nothing and ended: quiesce ${keptBy(0)}${withStock ? `, stock ${keptBy(1)}` : ""}`,
      seconds,
      failures: rows.flatMap(({ cells: [quiesce], title }) =>
        quiesce?.kept === true ? [] : [`${title}: ${quiesce?.saw}`]
      )
    }
  }
}
