/**
 * What a successor has to take when 5,000 WebSocket clients of a server that stops come back to it: all at once, and over
 * `spread` of the policy.
 *
 *   npm run reconnects
 *   npm run reconnects -- --clients 1000 --spread 5000 --rounds 1
 *
 * The server and its successor are processes of their own, on one port of the loopback interface. Clients are `ws`, in this
 * process. Each connects again as soon as it has been closed, and tries again a moment later where it is refused.
 */
import { type ChildProcess, fork } from "node:child_process"
import { once } from "node:events"
import { cpus } from "node:os"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { WebSocket } from "ws"
import { spread as shown, table } from "../../support/table.js"

const { values } = parseArgs({
  options: {
    clients: { type: "string", default: "5000" },
    spread: { type: "string", default: "10000" },
    rounds: { type: "string", default: "3" }
  }
})
const clients = Number(values.clients)
const rounds = Number(values.rounds)

/** After how long a client that was refused tries again: with some randomness, as well-behaved ones do. */
const againMs = () => 20 + Math.random() * 20

/** How many connect at once, before it begins. */
const atOnce = 50

const limitMs = 120_000

const children = new Set<ChildProcess>()
process.on("exit", () => {
  for (const child of children) child.kill("SIGKILL")
})

const start = (port: number, spread: number): ChildProcess => {
  const child = fork(fileURLToPath(new URL("server.ts", import.meta.url)), [String(port), String(spread)])
  children.add(child)
  child.once("exit", () => children.delete(child))
  return child
}

interface Came {
  readonly cameAt: ReadonlyArray<number>
  readonly cpuMs: number
  readonly stallMs: number
}

interface Sample extends Omit<Came, "cameAt"> {
  /** The most that came in any second, and in any tenth of one. */
  readonly peak: number
  readonly peakTenth: number
  /** From the signal to the last that has come back. */
  readonly allMs: number
  /** From the close of a client to its next connection: of 99 % of them. */
  readonly awayMs: number
}

/** The next message that has this. */
const said = async <A extends object>(child: ChildProcess, name: keyof A): Promise<A> => {
  for (;;) {
    const [message] = await once(child, "message") as [unknown]
    if (typeof message === "object" && message !== null && name in message) return message as A
  }
}

/** The most of these moments in any stretch of that length. */
const most = (sorted: ReadonlyArray<number>, length: number): number => {
  let first = 0
  return sorted.reduce((peak, at, nth) => {
    while (sorted[first]! <= at - length) first++
    return Math.max(peak, nth - first + 1)
  }, 0)
}

const sample = async (spread: number): Promise<Sample> => {
  const old = start(0, spread)
  const { port } = await said<{ readonly port: number }>(old, "port")
  const away: Array<number> = []
  let back = () => {}
  const allBack = new Promise<void>((resolve, reject) => {
    back = () => away.length === clients && resolve()
    setTimeout(() => reject(new Error(`${away.length} of ${clients} are back after ${limitMs} ms`)), limitMs).unref()
  })
  const all: Array<WebSocket> = []
  const connect = (closedAt: number | undefined, opened: () => void): void => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}`, { perMessageDeflate: false })
    let isOpen = false
    socket.once("open", () => {
      isOpen = true
      all.push(socket)
      if (closedAt !== undefined) away.push(performance.now() - closedAt)
      opened()
    })
    socket.on("error", () => {})
    socket.once("close", () => {
      if (isOpen) connect(performance.now(), back)
      else setTimeout(() => connect(closedAt, opened), againMs())
    })
  }
  for (let connected = 0; connected < clients; connected += atOnce) {
    const now = Math.min(atOnce, clients - connected)
    await Promise.all(Array.from({ length: now }, () => new Promise<void>((resolve) => connect(undefined, resolve))))
  }
  const successor = start(port, 0)
  // it is there, and waits for the port
  await once(successor, "message")
  successor.send("begin")
  const stoppedAt = performance.now()
  old.kill("SIGTERM")
  await allBack
  const allMs = performance.now() - stoppedAt
  successor.send("end")
  const came = await said<Came>(successor, "cameAt")
  for (const socket of all) {
    socket.removeAllListeners()
    socket.on("error", () => {}).terminate()
  }
  for (const child of [old, successor]) child.kill("SIGKILL")
  const sorted = came.cameAt.toSorted((a, b) => a - b)
  return {
    peak: most(sorted, 1000),
    peakTenth: most(sorted, 100),
    allMs,
    awayMs: away.toSorted((a, b) => a - b)[Math.floor(away.length * 0.99)] ?? Number.NaN,
    cpuMs: came.cpuMs,
    stallMs: came.stallMs
  }
}

const spreads = [0, Number(values.spread)]
const samples = spreads.map((): Array<Sample> => [])
for (let round = 0; round < rounds; round++) {
  for (const [nth, spread] of spreads.entries()) samples[nth]!.push(await sample(spread))
}
const row = (spread: number, of: ReadonlyArray<Sample>) => [
  spread === 0 ? "none" : `${spread / 1000} s`,
  shown(of.map(({ peak }) => peak), 0),
  shown(of.map(({ peakTenth }) => peakTenth), 0),
  shown(of.map(({ stallMs }) => stallMs), 0),
  shown(of.map(({ awayMs }) => awayMs), 0),
  shown(of.map(({ allMs }) => allMs / 1000), 1)
]
table(
  `${clients} WebSocket clients come back to a successor (npm run reconnects, ${
    new Date().toISOString().slice(0, 10)
  }, Node ${process.version}, ${cpus().length} cores, ${rounds} rounds)`,
  ["spread", "most in a second", "most in 100 ms", "longest stall, ms", "away, 99 %, ms", "all back, s"],
  spreads.map((spread, nth) => row(spread, samples[nth]!))
)
process.exit(0)
