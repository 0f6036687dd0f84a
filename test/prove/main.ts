/**
 * Everything that is claimed, tried on this machine: `npm run prove`. Prints one page, and ends with 1 if anything failed.
 */
import { parseArgs } from "node:util"
import { runModel } from "./model.js"
import { progress, timed } from "./outcome.js"
import { failuresOf, page } from "./page.js"
import { runTable } from "./stock.js"
import { runSuite } from "./suites.js"

const usage = `npm run prove -- [options]

  --histories N   how many histories the model plays; default: 10000
  --seed S        with which they are drawn; default: another one each time
  --quick         300 histories, no stock server, no list of Go's rules: some 3 minutes instead of some 10

The page is on stdout, what is being done on stderr.`

const { values } = parseArgs({
  options: {
    histories: { type: "string" },
    seed: { type: "string" },
    quick: { type: "boolean", default: false },
    help: { type: "boolean", default: false }
  }
})

const number = (name: "histories" | "seed", otherwise: number): number => {
  const value = Number(values[name] ?? otherwise)
  if (!Number.isSafeInteger(value) || value < 0) throw new Error(`--${name} is ${values[name]}\n\n${usage}`)
  return value
}

const prove = async (): Promise<void> => {
  const { quick } = values
  const histories = number("histories", quick ? 300 : 10_000)
  const seed = number("seed", Math.floor(Math.random() * 2 ** 31))
  const startedAt = new Date()
  const [tried, seconds] = await timed(async () => {
    progress("the rules, one by one")
    const rules = await runSuite("the rules, one by one", ["test/conformance/guarantees"])
    progress("hostile clients")
    const hostile = await runSuite("hostile clients, and attacks on HTTP/2, TLS and WebSockets", [
      "test/adversarial/http1",
      "test/adversarial/resources",
      ...(quick ? [] : ["test/adversarial/http2"])
    ])
    progress("when SIGTERM comes")
    const table = await runTable(!quick)
    const suites = [rules, hostile]
    if (!quick) {
      progress("Go's net/http, rule by rule")
      suites.push(await runSuite("Go's net/http, rule by rule", ["test/conformance/go"]))
    }
    progress(`${histories} histories`)
    return { suites, table, model: await runModel(histories, seed) }
  })
  const proof = {
    command: `npm run prove -- ${quick ? "--quick " : ""}--histories ${histories} --seed ${seed}`,
    startedAt,
    seconds,
    outcomes: [tried.model, ...tried.suites.map(({ outcome }) => outcome), tried.table.outcome],
    tests: tried.suites.flatMap(({ tests }) => tests),
    histories: tried.model,
    rows: tried.table.rows
  }
  console.log(page(proof))
  process.exitCode = failuresOf(proof).length === 0 ? 0 : 1
}

if (values.help) console.log(usage)
else await prove()
