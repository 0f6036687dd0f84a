// Puts real traffic on an app, sends SIGTERM, and prints what each client got and when: first with quiesce, then with
// stock `@effect/platform-node`. Every number is from this run. It ends by itself, within a minute.
//
//   npm run demo
import * as Screen from "../../examples/start/screen.js"
import { withChild } from "../support/child.js"
import { now, pace } from "../support/wait.js"
import { type Client, type Got, traffic } from "./traffic.js"

type Which = "quiesce" | "stock"

const names: Record<Which, string> = { quiesce: "quiesce", stock: "stock @effect/platform-node" }

/** What `docker stop` allows between SIGTERM and SIGKILL. */
const patienceMs = 10_000

const screen = Screen.make(process.stdout)
const { bold, dim, green, line, red } = screen

interface Run {
  readonly got: ReadonlyArray<readonly [Client, Got]>
  readonly exit: string
  readonly clean: boolean
}

const run = (which: Which): Promise<Run> =>
  withChild(new URL("./app.ts", import.meta.url), [which], async (child) => {
    line(bold(`\n${names[which]}`))
    const target = await child.listening()
    const clients = traffic()
    for (const client of clients) await client.begin(target)
    await pace(500)

    const signalledAt = now()
    const tell = (what: string, at = now()) =>
      line(`${dim(`+${((at - signalledAt) / 1000).toFixed(3)} s`.padStart(10))}  ${what}`)
    child.signal("SIGTERM")
    tell("SIGTERM", signalledAt)
    const phases = async () => {
      for (let nth = child.linesOf("phase").length + 1;; nth++) {
        const { at, phase } = await child.line("phase", 2 * patienceMs, nth)
        tell(`phase ${String(phase)}`, Number(at))
      }
    }
    // it ends with the child, one way or the other
    phases().catch(() => {})
    const going = clients.map((client) => client.afterSignal(tell))

    const exit = await child.exitWithin(patienceMs)
    if (exit === undefined) {
      tell(red(`still running: SIGKILL, as \`docker stop\` does after ${patienceMs / 1000} s`))
      await child.kill()
    }
    await Promise.all(going)
    if (exit !== undefined) tell(`the process has ended with exit code ${String(exit.code)}`, exit.at)
    const log = child.stdout().split("\n").filter((text) => text !== "" && !text.startsWith("{"))
    if (log.length > 0) line(dim(`\nwhat it logged:\n${log.join("\n")}`))

    const got: Array<readonly [Client, Got]> = []
    for (const client of clients) got.push([client, await client.got(child)])
    return {
      got,
      exit: exit === undefined
        ? `SIGKILL after ${patienceMs / 1000} s`
        : `exit ${String(exit.code)} after ${((exit.msSinceSignal ?? 0) / 1000).toFixed(1)} s`,
      clean: exit?.code === 0
    }
  })

line("Two apps that differ in one import get the same traffic, and then SIGTERM.")
const quiesce = await run("quiesce")
const stock = await run("stock")

const mark = (good: boolean, text: string) => good ? green(`✓ ${text}`) : red(`✗ ${text}`)
const side = (title: string, ours: string, theirs: string) => {
  line(`\n${title}`)
  line(`  quiesce  ${ours}`)
  line(`  stock    ${theirs}`)
}
line(bold("\nWhat each client got"))
for (const [index, [client, ours]] of quiesce.got.entries()) {
  const theirs = stock.got[index]![1]
  side(client.title, mark(ours.whole, ours.text), mark(theirs.whole, theirs.text))
}
side("the process", mark(quiesce.clean, quiesce.exit), mark(stock.clean, stock.exit))

// So that a script can tell: everybody got everything from quiesce.
process.exitCode = quiesce.clean && quiesce.got.every(([, got]) => got.whole) ? 0 : 1
