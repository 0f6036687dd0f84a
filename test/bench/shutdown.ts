/**
 * What a shutdown takes with idle connections, and what those have taken before: time to start, memory and CPU time a
 * connection. Each sample is a process of its own, with its clients in others.
 */
import * as Fs from "node:fs"
import { count as counted, headline, median, middle, note, spread, table } from "../support/table.js"
import { attempt, bounded, client, rotated, sleep, start } from "./running.js"
import { all, type Measured, stockNode } from "./servers.js"

interface Sample {
  readonly startedMs: number
  readonly heap: number
  readonly rss: number
  readonly openMicros: number
  readonly closedMs: number
  readonly exitedMs: number
  readonly stallMs: number
  readonly cpuMs: number
  readonly how: string
}

/** How many of them one client process opens, from an address of its own: there are 28,232 ports to one. */
const aClient = 10_000

/** A process needs a descriptor for each connection, and a few for itself; the kernel has the last word. */
const mostConnections = (): number => {
  try {
    const limit = /^Max open files\s+\S+\s+(\S+)/m.exec(Fs.readFileSync("/proc/self/limits", "utf8"))?.[1]
    return limit === "unlimited" ? Infinity : Math.max(0, Number(limit) - 1000)
  } catch {
    return 8000
  }
}

/** Longer idle than any grace of those that are measured. */
const settleMs = 800

const sample = async (which: Measured, connections: number): Promise<Sample> => {
  const server = await start(which, { BENCH_KEEP_ALIVE: "120000" })
  const before = await server.memory()
  const cpuBefore = await server.cpuMicros()
  const counts = Array.from(
    { length: Math.ceil(connections / aClient) },
    (_, i) => Math.min(aClient, connections - i * aClient)
  )
  const clients = counts.map((count, i) => client("idle.mjs", server.port, count, `127.0.0.${i + 2}`))
  await Promise.all(clients.map((_) => _.message()))
  const openMicros = await server.cpuMicros() - cpuBefore
  await sleep(settleMs)
  const after = await server.memory()
  // a collection has just held up the event loop
  await sleep(50)
  const signalledAt = await server.signal()
  const { closedAt, cpuMs, exitedAt, how, stallMs } = await server.ended()
  await Promise.all(clients.map((_) => _.ended()))
  return {
    startedMs: server.startedMs,
    heap: (after.heap - before.heap) / connections,
    rss: (after.rss - before.rss) / connections,
    openMicros: openMicros / connections,
    closedMs: closedAt - signalledAt,
    exitedMs: exitedAt - signalledAt,
    stallMs,
    cpuMs,
    how
  }
}

export interface Options {
  readonly quick?: boolean
  readonly rounds?: number
  readonly servers?: ReadonlyArray<Measured>
}

/** How many connections, in how many rounds, and after how many minutes no further round begins. */
const plan = [
  { connections: 0, rounds: 5, minutes: 1 },
  { connections: 100, rounds: 3, minutes: 1 },
  { connections: 1000, rounds: 3, minutes: 1 },
  { connections: 10_000, rounds: 3, minutes: 2 },
  { connections: 50_000, rounds: 3, minutes: 3 }
]
const quickPlan = [{ connections: 0, rounds: 1, minutes: 1 }, { connections: 1000, rounds: 1, minutes: 1 }]

export const run = async ({ quick = false, rounds, servers = all() }: Options = {}): Promise<void> => {
  const most = mostConnections()
  const planned = (quick ? quickPlan : plan).map((_) => ({
    ..._,
    connections: _.connections <= most ? _.connections : Math.floor(most / 1000) * 1000
  })).filter(({ connections }, i, all) => connections !== all[i - 1]?.connections)
  const counts = planned.map((_) => _.connections)
  const samples = new Map<number, Map<Measured, Array<Sample>>>()
  for (const { connections, minutes, rounds: most } of planned) {
    const of = new Map<Measured, Array<Sample>>(servers.map((which) => [which, []]))
    samples.set(connections, of)
    let times = 0
    for (const round of bounded(rounds ?? most, rounds === undefined ? minutes : Infinity)) {
      times = round + 1
      for (const which of rotated(servers, round)) {
        of.get(which)?.push(...await attempt(which, sample(which, connections)))
      }
    }
    table(
      `SIGTERM with ${connections.toLocaleString("en")} idle connections, ${counted(times, "round")}`,
      ["server", "to closed, ms", "to exit, ms", "longest stall of the event loop, ms", "CPU time, ms", "how it ended"],
      servers.map((which) => {
        const own = of.get(which) ?? []
        return [
          which.name,
          spread(own.map((_) => _.closedMs), 0),
          spread(own.map((_) => _.exitedMs), 0),
          spread(own.map((_) => _.stallMs), 0),
          spread(own.map((_) => _.cpuMs), 0),
          [...new Set(own.map((_) => _.how))].join(", ")
        ]
      })
    )
  }
  const highest = Math.max(...counts)
  const wanted = plan.at(-1)?.connections ?? 0
  if (!quick && highest < wanted) {
    note(
      `This machine lets a process open ${most + 1000} files, and does not let us raise that: ` +
        `${highest.toLocaleString("en")} connections take the place of ${wanted.toLocaleString("en")}.`
    )
  }

  const opened = counts.filter((count) => count > 0)
  const growth = (title: string, pick: (sample: Sample) => number, digits: number) =>
    table(
      title,
      ["server", ...opened.map((count) => `${count.toLocaleString("en")} connections`)],
      servers.map((which) => [
        which.name,
        ...opened.map((count) => spread((samples.get(count)?.get(which) ?? []).map(pick), digits))
      ])
    )
  growth("Heap an idle connection, bytes", (_) => _.heap, 0)
  growth("Resident memory an idle connection, bytes", (_) => _.rss, 0)
  growth("CPU time to accept a connection and answer its first request, µs", (_) => _.openMicros, 0)

  const started = (which: Measured) => (samples.get(0)?.get(which) ?? []).map((_) => _.startedMs)
  table(
    "From the start of the process to its first answer",
    ["server", "ms", "against `node:http`, per round"],
    servers.map((which) => [
      which.name,
      spread(started(which), 0),
      // of rounds in which one is missing, nothing can be said
      started(which).length === started(stockNode).length
        ? spread(started(which).map((ms, round) => ms / (started(stockNode)[round] ?? Number.NaN)), 2)
        : "–"
    ])
  )

  const shown = [...new Set([Math.min(10_000, highest), highest])]
  headline.table(
    "SIGTERM with idle connections, in ms, and what each has cost before; bold is the lowest of each column",
    [
      "server",
      "no connection: to exit",
      ...shown.map((count) => count.toLocaleString("en")).flatMap((count) => [
        `${count}: to exit`,
        `${count}: longest stall`
      ]),
      "heap a connection, bytes",
      "to start"
    ],
    servers.map((which) => {
      const of = (count: number) => samples.get(count)?.get(which) ?? []
      return [
        which.name,
        middle(of(0).map((_) => _.exitedMs), 0),
        ...shown.flatMap((count) => [
          middle(of(count).map((_) => _.exitedMs), 0),
          middle(of(count).map((_) => _.stallMs), 0)
        ]),
        middle(of(highest).map((_) => _.heap), 0),
        middle(started(which), 0)
      ]
    })
  )
  if (Number.isNaN(median(started(stockNode)))) throw new Error("node:http was not measured")
}
