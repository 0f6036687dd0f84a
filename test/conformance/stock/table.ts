// Prints what happens at SIGTERM as a Markdown table:
//   node --import tsx test/conformance/stock/table.ts [stock] [quiesce]
import { makeFixturesFolder } from "../../support/fixturesFolder.js"
import type { Which } from "./app.js"
import { cellText, rowsOf } from "./rows.js"

const named = (["stock", "quiesce"] as const).filter((which) => process.argv.includes(which))
const servers: ReadonlyArray<Which> = named.length > 0 ? named : ["stock", "quiesce"]

makeFixturesFolder()
const rows = await rowsOf(servers, (what) => console.error(what))
console.log(`| when SIGTERM comes | ${servers.join(" | ")} |`)
console.log(`|---|${servers.map(() => "---|").join("")}`)
for (const { cells, title } of rows) console.log(`| ${title} | ${cells.map(cellText).join(" | ")} |`)
