/**
 * Hand-overs under load over TCP and a Unix socket, with SIGKILL of either side at a moment that the seed draws: before the
 * successor listens, as it takes over, and while the predecessor drains.
 */
import * as Path from "node:path"
import { type Random, seeded } from "../../../src/internal/plan/random.js"
import type { Mode } from "../../e2e/handoff/fixtures/app.js"
import {
  ask,
  type HandoffProcesses,
  limit,
  type Load,
  startLoad,
  withHandoffProcesses
} from "../../e2e/handoff/handoffProcesses.js"
import type { Target } from "../../support/rawClient.js"
import { pace, waitFor } from "../../support/wait.js"
import type { Done, Proof } from "./proof.js"

const handOvers = 10

/** Of each kind of address. */
const clients = 3

/** A successor that starts takes about as long from its first line until it has taken over, in milliseconds. */
const starting = 400

interface Kill {
  readonly name: string
  readonly whom: "successor" | "predecessor" | "nobody"
  /** What the successor does while it starts. */
  readonly mode: Mode
  /** Waits for the moment, with the pid of the successor. */
  readonly moment: (app: HandoffProcesses, successor: number, random: Random) => Promise<unknown>
  /** A process that nobody was connected to was killed: no request may be lost. */
  readonly isLossless: boolean
}

const takenOver = (app: HandoffProcesses, successor: number) =>
  app.child.stdout().includes(`Process ${successor} accepts from now on`)

const within = (millis: number): Kill["moment"] => (_, __, random) => pace(random.between(0, millis))

const kills: ReadonlyArray<Kill> = [
  { name: "nobody", whom: "nobody", mode: "starts", moment: () => Promise.resolve(), isLossless: true },
  {
    name: "the successor before it is ready",
    whom: "successor",
    mode: "slow",
    moment: within(starting / 2),
    isLossless: true
  },
  { name: "the successor at any time", whom: "successor", mode: "starts", moment: within(starting), isLossless: false },
  {
    name: "the predecessor at any time",
    whom: "predecessor",
    mode: "starts",
    moment: within(starting),
    isLossless: false
  },
  {
    name: "the predecessor before the successor is ready",
    whom: "predecessor",
    mode: "slow",
    moment: within(starting / 2),
    isLossless: false
  },
  {
    name: "the predecessor while it drains",
    whom: "predecessor",
    mode: "starts",
    moment: async (app, successor, random) => {
      await waitFor("the successor to take over", () => takenOver(app, successor), limit)
      await pace(random.between(0, 20))
    },
    isLossless: false
  }
]

const kill = (pid: number): boolean => {
  try {
    return process.kill(pid, "SIGKILL")
  } catch {
    // it has ended in time
    return false
  }
}

const pidAt = (target: Target): Promise<number> =>
  ask(target, "POST", "/work").then(({ body, status }) => status === 200 ? Number(body) : 0, () => 0)

const targetsOf = (app: HandoffProcesses): readonly [Target, Target] => [
  app.target,
  { path: Path.join(app.directory, "app.sock") }
]

/** The one process that answers, by either address: while a predecessor drains, there may be two. 0 where `isInVain`. */
const serving = (app: HandoffProcesses, wanted?: number, isInVain = () => false): Promise<number> => {
  let isOver = false
  const asking = async (): Promise<number> => {
    while (!isOver && !isInVain()) {
      const [tcp = 0, unix] = await Promise.all(targetsOf(app).map(pidAt))
      if (tcp > 0 && tcp === unix && (wanted === undefined || tcp === wanted)) return tcp
      await pace(10)
    }
    return 0
  }
  return waitFor(wanted === undefined ? "somebody to serve" : `process ${wanted} to serve`, asking(), limit).finally(
    () => {
      isOver = true
    }
  )
}

interface HandedOver {
  readonly kill: string
  readonly failures: ReadonlyArray<string>
  /** The successor was killed after its predecessor had closed its sockets: nobody is left who serves. */
  readonly isEnd: boolean
}

/** How many of those that were lost are told of. */
const told = 5

const handOver = async (app: HandoffProcesses, load: Load, random: Random): Promise<HandedOver> => {
  const chosen = kills[random.below(kills.length)] ?? kills[0]!
  const predecessor = await serving(app)
  const started = app.child.linesOf("started").length
  const lostBefore = load.failures.length
  app.next(chosen.mode)
  process.kill(predecessor, "SIGUSR2")
  const successor = Number((await app.child.line("started", limit, started + 1))["pid"])
  await chosen.moment(app, successor, random)
  // from then on it is the only one, and whoever kills it has ended the service
  const isTooLate = () => chosen.whom === "successor" && takenOver(app, successor)
  const killed = chosen.whom !== "nobody" && !isTooLate() && kill(chosen.whom === "successor" ? successor : predecessor)
  const left = killed && chosen.whom === "successor" ? predecessor : successor
  const name = killed ? chosen.name : kills[0]!.name
  const failures: Array<string> = []
  try {
    await serving(app, left, () => killed && isTooLate())
    // what the predecessor has written may be read later than it is true
    if (killed && isTooLate()) return { kill: "the successor that had taken over", failures: [], isEnd: true }
    await waitFor("each client to be served", load.eachAgain(), limit)
  } catch (error) {
    failures.push(`${name} was killed: ${String(error)}`)
  }
  const lost = load.failures.slice(lostBefore)
  // what a process was doing that is killed is lost with it: one request of each client
  const allowed = killed && !chosen.isLossless ? 2 * clients : 0
  if (lost.length > allowed) {
    failures.push(`${name} was killed, and ${lost.length} requests lost: ${lost.slice(0, told).join()}`)
  }
  return { kill: name, failures, isEnd: failures.length > 0 }
}

const run = async (seed: number): Promise<Done> => {
  const random = seeded(seed)
  const done: Array<HandedOver> = []
  let answered = 0
  await withHandoffProcesses((directory) => ({ unix: Path.join(directory, "app.sock") }), async (app) => {
    await serving(app)
    const load = startLoad(Array.from({ length: clients }, () => targetsOf(app)).flat())
    try {
      while (done.length < handOvers && done.at(-1)?.isEnd !== true) done.push(await handOver(app, load, random))
    } finally {
      await load.stop()
      answered = load.answered()
    }
  })()
  const counts: Record<string, number> = { requests: answered }
  for (const { kill } of done) counts[`killed: ${kill}`] = (counts[`killed: ${kill}`] ?? 0) + 1
  return {
    units: done.length,
    trials: done.length,
    failures: done.flatMap(({ failures }) => failures.length === 0 ? [] : [failures.join("; ")]),
    counts
  }
}

export const handovers: Proof = {
  what: "hand-overs under load over TCP and a Unix socket, with kill -9 of either side at a moment that the seed draws",
  unit: "hand-overs",
  goal: 1000,
  trial: "hand-over",
  step: (seed) => run(seed)
}
