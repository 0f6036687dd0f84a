// Shutdowns in company, and what was lost in them: nothing, or exit code 1.
//   npm run soak:company -- [--shutdowns 100] [--seed 1] [--at-once 2]
import { parseArgs } from "node:util"
import { allCompanions, playCompany } from "./company.js"

const { values } = parseArgs({
  options: {
    shutdowns: { type: "string", default: "100" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    "at-once": { type: "string", default: "2" }
  }
})
const seed = Number(values.seed)
const played = await playCompany(Number(values.shutdowns), seed, Number(values["at-once"]), (shutdown) => {
  if (shutdown.failures.length > 0) console.log(JSON.stringify(shutdown))
})
const failed = played.filter(({ failures }) => failures.length > 0)
const sum = (of: (shutdown: typeof played[number]) => number) => played.reduce((all, each) => all + of(each), 0)
console.log([
  `${played.length} shutdowns in company, seed ${seed}`,
  ...allCompanions.map((name) =>
    `  with ${name}: ${played.filter(({ companions }) => companions.includes(name)).length}`
  ),
  `  orders answered: ${sum(({ answered }) => answered)}; of floods: ${sum(({ flooded }) => flooded)}`,
  `  slowest end: ${Math.max(...played.map(({ endedAfterMillis }) => endedAfterMillis))} ms after SIGTERM`,
  `  in which something was lost or late: ${failed.length}`
].join("\n"))
process.exitCode = failed.length === 0 ? 0 : 1
