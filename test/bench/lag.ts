/**
 * How long a process goes on after its last response: one request in flight as SIGTERM comes, which ends at a random
 * moment, so that no poll can be lucky. The client keeps its connection until the server closes it.
 */
import * as Net from "node:net"
import { count, headline, median, middle, spread, table } from "../support/table.js"
import { attempt, bounded, rotated, sleep, start } from "./running.js"
import { all, type Measured, quiesce } from "./servers.js"

interface Sample {
  readonly closedMs: number
  readonly exitedMs: number
}

const shortestMs = 20
const longestMs = 1220

/** Resolves at the moment at which the whole response is there. */
const ask = (port: number, path: string): Promise<number> =>
  new Promise((resolve, reject) => {
    let text = ""
    const socket = Net.connect(port, "127.0.0.1", () => socket.write(`GET ${path} HTTP/1.1\r\nHost: bench\r\n\r\n`))
    socket.on("data", (chunk: Buffer) => {
      text += chunk.toString()
      if (text.endsWith("\r\n\r\nhello")) resolve(performance.now())
    })
    socket.on("error", reject)
    socket.on("close", () => reject(new Error(`the connection was closed after ${JSON.stringify(text)}`)))
  })

const sample = async (which: Measured, phase: number): Promise<Sample> => {
  const server = await start(which)
  const headStart = 100
  const answered = ask(server.port, `/wait/${headStart + phase}`)
  answered.catch(() => {})
  await sleep(headStart)
  await server.signal()
  const { closedAt, exitedAt } = await server.ended()
  const at = await answered
  return { closedMs: closedAt - at, exitedMs: exitedAt - at }
}

export const run = async (
  { quick = false, rounds, servers = all() }: {
    readonly quick?: boolean
    readonly rounds?: number | undefined
    readonly servers?: ReadonlyArray<Measured>
  } = {}
): Promise<void> => {
  const samples = new Map<Measured, Array<Sample>>(servers.map((which) => [which, []]))
  const of = (which: Measured) => samples.get(which) ?? []
  /** Waits for something else than the last response, each time: more of it would say no more, and takes long. */
  const waits = (which: Measured) => of(which).length >= 3 && of(which).every(({ exitedMs }) => exitedMs > 3000)
  for (const round of bounded(rounds ?? (quick ? 1 : 20), rounds === undefined ? 4 : Infinity)) {
    const phase = shortestMs + Math.floor(Math.random() * (longestMs - shortestMs))
    for (const which of rotated(servers, round)) {
      if (!waits(which)) samples.get(which)?.push(...await attempt(which, sample(which, phase)))
    }
  }
  table(
    "From the last byte of the last response to the end, over random phases, the same for all",
    ["server", "to closed, ms", "to exit, ms", "phases"],
    servers.map((which) => [
      which.name,
      spread(of(which).map((_) => _.closedMs), 1),
      spread(of(which).map((_) => _.exitedMs), 1),
      of(which).length
    ])
  )
  headline.table(
    `How long a process goes on after its last response, in ms (medians of ${
      count(of(quiesce).length, "random phase")
    })`,
    ["server", "to closed", "to exit"],
    servers.map((which) => [
      which.name,
      middle(of(which).map((_) => _.closedMs), 1),
      middle(of(which).map((_) => _.exitedMs), 1)
    ])
  )
  if (Number.isNaN(median(of(quiesce).map((_) => _.exitedMs)))) throw new Error("quiesce has not ended")
}
