// Runs the scenarios and prints what happened as a Markdown table:
//   node --import tsx test/conformance/stock/table.ts [stock] [quiesce] [--only=id,id] [--patience=10000]
import type { Which } from "./app.js"
import { dockerPatienceMs, type Outcome } from "./scenario.js"
import { scenarios } from "./scenarios/all.js"

const args = process.argv.slice(2)
const option = (name: string) => args.find((arg) => arg.startsWith(`--${name}=`))?.slice(name.length + 3)
const named = (["stock", "quiesce"] as const).filter((which) => args.includes(which))
const servers: ReadonlyArray<Which> = named.length > 0 ? named : ["stock", "quiesce"]
const only = option("only")?.split(",")
const patienceMs = Number(option("patience") ?? dockerPatienceMs)

const cell = ({ kept, saw }: Outcome<unknown>) => `${kept ? "✓" : "✗"} ${saw}`

console.log(`| | ${servers.join(" | ")} |`)
console.log(`|---|${servers.map(() => "---|").join("")}`)
for (const scenario of scenarios.filter(({ id }) => only?.includes(id) ?? true)) {
  const cells: Array<string> = []
  // One after the other: what is measured must not depend on what runs beside it.
  for (const which of servers) cells.push(cell(await scenario.run(which, patienceMs)))
  console.log(`| ${scenario.title} | ${cells.join(" | ")} |`)
}
