/**
 * Shutdowns in company: each a process of its own, which is sent SIGTERM while clients are served and something else
 * takes part: handlers for the same signal, fake timers, a log whose reader dies, a library that closes the server, a
 * client that floods. Chosen by a seed, so that a shutdown that went wrong can be played again.
 */
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { startBusyClients } from "../support/busyClient.js"
import { start } from "../support/child.js"
import { connect } from "../support/rawClient.js"
import { get } from "../support/running.js"
import { pace, waitFor } from "../support/wait.js"

export const allCompanions = ["listener", "job", "clock", "log", "closer", "flood"] as const

export type Companion = typeof allCompanions[number]

export interface CompanyOptions {
  readonly api: "plain" | "effect"
  readonly companions: ReadonlyArray<Companion>
  /** Where the program writes what has happened. */
  readonly file: string
  readonly policy: { readonly timeout: number; readonly killTimeout: number }
}

export interface Shutdown {
  readonly seed: number
  readonly api: CompanyOptions["api"]
  readonly companions: ReadonlyArray<Companion>
  readonly answered: number
  readonly flooded: number
  readonly endedAfterMillis: number
  /** What a client has lost, and what came too late. */
  readonly failures: ReadonlyArray<string>
}

const policy = { timeout: 8000, killTimeout: 500 }

/** Beyond the policy: the process has to be scheduled, and may give others a second of its own. */
const lateMillis = 3000

const floods = 5000

/** Before the signal. */
const busyAnswers = 20

/** The choices of one shutdown (mulberry32). */
const choices = (seed: number) => {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

export const playShutdown = async (seed: number): Promise<Shutdown> => {
  const random = choices(seed)
  const api = random() < 0.5 ? "plain" : "effect"
  const drawn = allCompanions.filter(() => random() < 0.4)
  // `runMain` keeps the process alive by a timer (platform-node-shared, runtime.ts), and stops it with a `clearInterval`
  // that has been faked by then: such a process ends where Signals ends it, and not where others decide when it ends
  const companions = api === "effect" && drawn.includes("clock")
    ? drawn.filter((name) => !["job", "closer"].includes(name))
    : drawn
  const untilSignalMillis = 100 + random() * 300
  const directory = Fs.mkdtempSync(Path.join(Os.tmpdir(), "quiesce-company-"))
  const file = Path.join(directory, "said")
  Fs.writeFileSync(file, "")
  const options: CompanyOptions = { api, companions, file, policy }
  const child = start(new URL("fixtures/company.ts", import.meta.url), [JSON.stringify(options)])
  const failures: Array<string> = []
  const said = () =>
    Fs.readFileSync(file, "utf8").split("\n").filter((line) => line !== "")
      .map((line) => JSON.parse(line) as { readonly event: string; readonly [key: string]: unknown })
  try {
    const target = await child.listening()
    const busy = startBusyClients(target, { clients: 4, method: "POST", path: "/order", thinkMs: () => 2 })
    const [reader, flood] = await Promise.all([connect(target, { bytesPerSecond: 8 * 1024 * 1024 }), connect(target)])
    await waitFor("answers to the busy clients", () => busy.tally.answered >= busyAnswers, 20_000)
    await pace(untilSignalMillis)
    // its answer is on its way when the signal comes
    const slow = await connect(target)
    await Promise.all([slow.write(get("/slow")), reader.write(get("/big"))])
    if (companions.includes("flood")) void flood.write(get("/ok").repeat(floods))
    await pace(20)
    if (companions.includes("log")) child.closeOutput()
    child.signal("SIGTERM")
    const exit = await child.exitWithin(policy.timeout + policy.killTimeout + 20_000)

    const tally = await busy.stop(5000)
    const whole = async (what: string, body: number, client: typeof slow) => {
      const parsed = await client.untilResponses(1, 1000).catch(() => client.parsed())
      const length = parsed.responses[0]?.body.length
      if (length !== body) failures.push(`${what} had ${length ?? "no answer"}, and not ${body} bytes`)
    }
    await Promise.all([whole("the slow request", 4, slow), whole("the slow reader", 4 * 1024 * 1024, reader)])
    const executed = said().filter(({ event }) => event === "executed").map(({ id }) => String(id))
    const unanswered = executed.filter((id) => !tally.answeredIds.has(id))
    if (unanswered.length > 0) failures.push(`${unanswered.length} orders were executed and not answered`)
    if (tally.lostEstablished > 0) failures.push(`${tally.lostEstablished} requests lost on connections of their own`)
    if (tally.lostOpening > 0) failures.push(`${tally.lostOpening} connections lost before their first answer`)
    const reports = said().filter(({ event }) => event === "report")
    if (reports.length !== 1 || reports[0]?.["outcome"] !== "Drained" || reports[0]["cut"] !== 0) {
      failures.push(`it reported ${JSON.stringify(reports)}`)
    }
    const endedAfter = exit?.msSinceSignal ?? Number.POSITIVE_INFINITY
    if (exit !== undefined && exit.code !== 0) failures.push(`it ended with ${exit.signal ?? `exit code ${exit.code}`}`)
    const bound = policy.timeout + policy.killTimeout + lateMillis
    if (endedAfter > bound) failures.push(`it ended ${endedAfter} ms after SIGTERM`)
    if (companions.includes("job") && !said().some(({ event }) => event === "job done")) {
      failures.push("the job was lost")
    }
    if (companions.includes("closer") && !said().some(({ event }) => event === "closed")) {
      failures.push("the library that closed the server was never called back")
    }
    const flooded = flood.parsed().responses.length
    for (const client of [reader, slow, flood]) client.leave()
    return {
      seed,
      api,
      companions,
      answered: tally.answered,
      flooded,
      endedAfterMillis: Math.round(endedAfter),
      failures: failures.map((failure) =>
        `${failure}; log:\n${child.stdout().slice(-600)}${child.stderr().slice(-600)}`
      )
    }
  } finally {
    await child.kill()
    Fs.rmSync(directory, { recursive: true, force: true })
  }
}

/** Plays `count` shutdowns, some of them at once. */
export const playCompany = async (
  count: number,
  seed: number,
  atOnce = 2,
  onShutdown: (shutdown: Shutdown) => void = () => {}
): Promise<ReadonlyArray<Shutdown>> => {
  const played: Array<Shutdown> = []
  let next = 0
  await Promise.all(Array.from({ length: atOnce }, async () => {
    while (next < count) {
      const shutdown = await waitFor("a shutdown in company", playShutdown(seed + next++), 90_000)
      played.push(shutdown)
      onShutdown(shutdown)
    }
  }))
  return played
}
