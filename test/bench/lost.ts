/**
 * What a shutdown loses: requests that were sent and not answered whole, and how many of those the server has executed.
 */
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { count, headline, note, table } from "../support/table.js"
import { attempt, bounded, client, rotated, start } from "./running.js"
import { allThatLose, type Measured } from "./servers.js"

const scenarios = {
  recent: "200 connections, idle for 100 ms, that each send within 20 ms of the signal",
  idle: "200 connections, idle for 700 ms, that each send within 20 ms of the signal",
  busy: "8 keep-alive clients in a tight loop",
  perRequest: "32 clients with a connection for each request",
  posts: "32 POSTs, the second half of their bodies sent 50 ms after the signal",
  slow: "a response of 50 MB to a client that reads 20 MB/s"
} as const
type Scenario = keyof typeof scenarios

const short: Readonly<Record<Scenario, string>> = {
  recent: "idle for 100 ms",
  idle: "idle for 700 ms",
  busy: "busy",
  perRequest: "connection a request",
  posts: "POST in flight",
  slow: "50 MB, slow reader"
}

interface Played {
  readonly sent: number
  readonly answered: number
  readonly refused: number
  readonly lost: ReadonlyArray<number>
  readonly notSent: number
  readonly bytes: number
}

interface Outcome extends Played {
  readonly executed: number
  readonly how: string
}

const play = async (which: Measured, scenario: Scenario): Promise<Outcome> => {
  const directory = Fs.mkdtempSync(Path.join(Os.tmpdir(), "quiesce-bench-"))
  const notes = Path.join(directory, "executed")
  Fs.writeFileSync(notes, "")
  try {
    const server = await start(which, { BENCH_EXECUTED: notes })
    const clients = client("lost.ts", scenario, server.port, 1)
    await clients.message<"ready">()
    await server.signal()
    clients.say("signalled")
    const played = await clients.message<Played>()
    await clients.ended()
    const { how } = await server.ended(10_000)
    const executed = new Set(Fs.readFileSync(notes, "utf8").split("\n").map(Number))
    return { ...played, executed: played.lost.filter((id) => executed.has(id)).length, how }
  } finally {
    Fs.rmSync(directory, { recursive: true })
  }
}

const sum = (values: ReadonlyArray<number>) => values.reduce((a, b) => a + b, 0)
const range = (shutdowns: ReadonlyArray<number>) => {
  const [fewest, most] = [Math.min(...shutdowns), Math.max(...shutdowns)]
  return fewest === most ? count(most, "shutdown") : `${fewest} to ${count(most, "shutdown")}`
}
const megabytes = (bytes: ReadonlyArray<number>) =>
  `${(Math.min(...bytes) / 1e6).toFixed(1)} to ${(Math.max(...bytes) / 1e6).toFixed(1)}`

export const run = async (
  { quick = false, rounds, servers = allThatLose() }: {
    readonly quick?: boolean
    readonly rounds?: number | undefined
    readonly servers?: ReadonlyArray<Measured>
  } = {}
): Promise<void> => {
  const names = Object.keys(scenarios) as Array<Scenario>
  const outcomes = new Map<Scenario, Map<Measured, Array<Outcome>>>(
    names.map((name) => [name, new Map(servers.map((which) => [which, []]))])
  )
  const shutdowns: Array<number> = []
  for (const name of names) {
    let done = 0
    for (const round of bounded(rounds ?? (quick ? 1 : 3), rounds === undefined ? 1 : Infinity)) {
      done = round + 1
      for (const which of rotated(servers, round)) {
        outcomes.get(name)?.get(which)?.push(...await attempt(which, play(which, name)))
      }
    }
    shutdowns.push(done)
    table(
      `${scenarios[name]}; ${count(done, "shutdown")}, summed up`,
      [
        "server",
        "sent",
        "answered whole",
        "refused with 503",
        "**lost**",
        "of these, executed",
        ...name === "slow" ? ["MB received"] : ["closed before it could be sent"],
        "how the process ended"
      ],
      servers.map((which) => {
        const of = outcomes.get(name)?.get(which) ?? []
        return [
          of.length === done ? which.name : `${which.name} (${count(done - of.length, "shutdown")} missing)`,
          sum(of.map((_) => _.sent)),
          sum(of.map((_) => _.answered)),
          sum(of.map((_) => _.refused)),
          sum(of.map((_) => _.lost.length)),
          sum(of.map((_) => _.executed)),
          name === "slow" ? megabytes(of.map((_) => _.bytes)) : sum(of.map((_) => _.notSent)),
          [...new Set(of.map((_) => _.how))].join(", ")
        ]
      })
    )
  }
  note(
    "*Sent* are requests written, wholly or in part, to a connection that the client knew as open; where clients " +
      "loop, those in flight at the signal and after. *Lost* are those whose connection ended before the whole response, or that had none within 10 s."
  )
  headline.table(
    `Requests lost, of those sent, over ${range(shutdowns)} each; in brackets those refused with 503`,
    ["server", ...names.map((name) => short[name])],
    servers.map((which) => [
      which.name,
      ...names.map((name) => {
        const of = outcomes.get(name)?.get(which) ?? []
        const refused = sum(of.map((_) => _.refused))
        if (of.length === 0) return "–"
        const lost = `${sum(of.map((_) => _.lost.length))} of ${sum(of.map((_) => _.sent))}`
        return refused === 0 ? lost : `${lost} (${refused})`
      })
    ])
  )
}
