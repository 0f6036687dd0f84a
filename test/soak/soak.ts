/**
 * Cycle after cycle in one process: servers start, everything that clients do goes on, and in the middle of it the
 * servers shut down. Nothing of a cycle may be left in the next; the heap is looked into, early and at the end.
 */
import { recordProcessErrors } from "../adversarial/support/processErrors.js"
import { fiberClass } from "../support/effect/fibers.js"
import { growth, heapAfterGc, snapshot, untilNoGrowth } from "../support/leaks.js"
import { now, pace } from "../support/wait.js"
import { growers, type Growth, measureHeap } from "./heap.js"
import { makeTally, startLoad, type Tally } from "./load.js"
import { startServers } from "./servers.js"

/** Ours, Node's and Effect's: what a server, a connection, a request, a fiber, a scope or a timer is made of. */
export const watched: ReadonlyArray<string> = [
  "TrackedConnection",
  "ConnectionRegistry",
  "RequestFibers",
  "Hooks",
  "Telemetry",
  "Session",
  "Request",
  "Stream",
  "Server",
  "Http2Server",
  "Socket",
  "TCP",
  "Pipe",
  "WebSocket",
  "WebSocketServer",
  "IncomingMessage",
  "ServerResponse",
  "ServerHttp2Session",
  "ClientHttp2Session",
  "ServerHttp2Stream",
  "ClientHttp2Stream",
  "Http2Session",
  "Http2Stream",
  "Http2ServerRequest",
  "Http2ServerResponse",
  "Timeout",
  "AbortController",
  "AbortSignal",
  fiberClass,
  "Latch",
  "ServerRequestImpl"
]

export interface Options {
  readonly seconds: number
  /** How long the clients go on before the servers stop. */
  readonly cycleMillis?: number
  readonly onCycle?: (cycle: number) => void
}

export interface Result {
  readonly cycles: number
  readonly seconds: number
  readonly tally: Tally
  readonly outcomes: Readonly<Record<string, number>>
  readonly slowestShutdownMillis: number
  /** Between these two cycles the heap is compared. */
  readonly between: readonly [early: number, late: number]
  readonly heapBytes: readonly [early: number, late: number]
  readonly leaked: ReadonlyArray<Growth>
  readonly growers: ReadonlyArray<Growth>
  /** Active handles and listeners on the process that were not there before. */
  readonly handles: Readonly<Record<string, number>>
  readonly processErrors: ReadonlyArray<string>
  readonly failures: ReadonlyArray<string>
}

/** What is pooled may grow by some objects; what leaks grows with every cycle. */
const allowed = 3

/** Once all servers have stopped, there is none of these. */
const ours: ReadonlyArray<string> = [
  "TrackedConnection",
  "ConnectionRegistry",
  "RequestFibers",
  "Hooks",
  "Telemetry",
  "ServerRequestImpl"
]

/** A server that is kept is some 100 KB. */
const allowedBytesPerCycle = 64 * 1024

export const soak = async ({ cycleMillis = 1500, onCycle, seconds }: Options): Promise<Result> => {
  const { processErrors, stop } = recordProcessErrors()
  // Node makes it when it is first looked at
  void process.stdin.fd
  const tally = makeTally()
  const outcomes: Record<string, number> = {}
  const failures: Array<string> = []
  let slowestShutdownMillis = 0
  let cycles = 0
  const startedAt = now()
  const elapsed = () => (now() - startedAt) / 1000

  const cycle = async (meanwhile = () => Promise.resolve()) => {
    const servers = await startServers()
    const load = startLoad(servers, tally)
    await pace(cycleMillis / 2)
    await meanwhile()
    await pace(cycleMillis / 2)
    load.closing()
    const stoppedAt = now()
    const reports = await Promise.all([servers.effect, servers.adopted, servers.http2].map(async ({ name, stop }) => {
      const report = await stop()
      outcomes[report.outcome] = (outcomes[report.outcome] ?? 0) + 1
      if (report.outcome !== "Drained") failures.push(`${name}, cycle ${cycles}: ${JSON.stringify(report)}`)
      return report
    }))
    slowestShutdownMillis = Math.max(slowestShutdownMillis, now() - stoppedAt)
    if (reports.length !== 3) failures.push("a server has no report")
    await load.ended()
    cycles++
    onCycle?.(cycles)
  }

  // what is compiled, cached and pooled on the way is no leak
  await cycle(async () => {
    const { objects } = await measureHeap()
    const unknown = watched.filter((name) => !objects.has(name))
    if (unknown.length > 0) failures.push(`nothing in use is called ${unknown.join(", ")}: what is watched has moved`)
  })
  const held = snapshot()
  while (cycles < 3 || elapsed() < seconds * 0.4) await cycle()
  await untilNoGrowth(held, 10_000)
  await heapAfterGc()
  const early = await measureHeap()
  const earlyCycle = cycles
  while (cycles < earlyCycle + 4 || elapsed() < seconds) await cycle()
  await untilNoGrowth(held, 10_000).catch((error: unknown) => failures.push(String(error)))
  const handles = growth(held, snapshot())
  await heapAfterGc()
  const late = await measureHeap()
  stop()

  const all = growers(early, late)
  const leaked = all.filter(({ after, before, name }) => watched.includes(name) && after - before > allowed)
  const perCycle = (late.bytes - early.bytes) / (cycles - earlyCycle)
  if (perCycle > allowedBytesPerCycle) failures.push(`the heap has grown by ${Math.round(perCycle)} bytes a cycle`)
  for (const name of ours) {
    const kept = late.objects.get(name) ?? 0
    if (kept > 0) failures.push(`${kept} of ${name} are kept although every server has stopped`)
  }
  for (const { after, before, name } of leaked) failures.push(`${name}: ${before} have become ${after}`)
  failures.push(...tally.wronged, ...processErrors)
  return {
    cycles,
    seconds: elapsed(),
    tally,
    outcomes,
    slowestShutdownMillis,
    between: [earlyCycle, cycles],
    heapBytes: [early.bytes, late.bytes],
    leaked,
    growers: all.slice(0, 12),
    handles,
    processErrors,
    failures
  }
}
