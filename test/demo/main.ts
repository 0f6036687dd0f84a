// Puts `quiesce check` on two apps that differ in one import, and prints what each client got: with quiesce, and with stock
// `@effect/platform-node`. Every number is from this run. It ends by itself, within a minute.
//
//   npm run demo
import { check, type Report } from "quiesce/check"
import * as Screen from "../../examples/start/screen.js"
import { nodeArgs } from "../support/bundle.js"
import { makeFixturesFolder } from "../support/fixturesFolder.js"

type Which = "quiesce" | "stock"

const names: Record<Which, string> = { quiesce: "quiesce", stock: "stock @effect/platform-node" }

/** What the app has: examples/start/work.ts. */
const paths = {
  path: "/slow?seconds=0",
  post: "/orders",
  slow: "/slow?seconds=2",
  big: "/download?mb=50",
  stream: "/stream"
} as const

const only = ["idle-20ms", "busy", "next-request", "queue", "slow", "big", "never-sends", "stream"]

const { bold, dim, green, line, red } = Screen.make(process.stdout)
const mark = (good: boolean, text: string) => good ? green(`✓ ${text}`) : red(`✗ ${text}`)

const run = (which: Which): Promise<Report> => {
  line(bold(`\n${names[which]}`))
  return check({
    ...paths,
    only,
    command: [process.execPath, ...nodeArgs(new URL("./app.ts", import.meta.url)), which],
    onProgress: (progress) => {
      if (progress._tag === "Offered") {
        line(dim(`  started ${only.length} times, with other clients each time, and stopped with SIGTERM`))
      }
      if (progress._tag === "Finished") line(`  ${mark(progress.result.verdict === "kept", progress.result.name)}`)
    }
  })
}

makeFixturesFolder()
line("Two apps that differ in one import get the same clients, and then SIGTERM.")
const quiesce = await run("quiesce")
const stock = await run("stock")

line(bold("\nWhat each client got"))
for (const [index, ours] of quiesce.results.entries()) {
  const theirs = stock.results[index]!
  line(`\n${ours.sentence}`)
  line(`  quiesce  ${mark(ours.verdict === "kept", ours.saw)}`)
  line(`  stock    ${mark(theirs.verdict === "kept", theirs.saw)}`)
}
line(`\nThe same for a server of your own: ${bold("npx quiesce check -- node server.js")}`)

// So that a script can tell: everybody got everything from quiesce.
process.exitCode = quiesce.kept === only.length ? 0 : 1
