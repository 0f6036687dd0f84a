/** What is put on a container before it is stopped, and what became of it. */
import { type BusyClients, startBusyClients, type Tally } from "../support/busyClient.js"
import { pace, waitFor } from "../support/wait.js"

/** Those of examples/deploy/server.ts, which are the engine's own: nobody else has its loopback interface. */
const port = 3000
const admin = 9000

export interface Got {
  readonly answered: number
  /** Answered by 503. */
  readonly interrupted: number
  /** Sent, and not answered: the connection was reset or closed. */
  readonly lost: number
}

export interface Clients {
  /** Without what a stopped server refuses: nothing was sent. Fails where a client has something else than these. */
  readonly end: () => Promise<Got>
}

/** The status of a probe; `undefined` where nobody answers. */
export const probe = async (path: string): Promise<number | undefined> => {
  try {
    const response = await fetch(`http://127.0.0.1:${admin}${path}`, { signal: AbortSignal.timeout(1000) })
    await response.text()
    return response.status
  } catch {
    return undefined
  }
}

/** As a kubelet does: once a second, or sooner. */
export const started = async (seconds: number, everyMs = 100): Promise<void> => {
  const before = performance.now() + seconds * 1000
  while (await probe("/startupz") !== 200) {
    if (performance.now() > before) throw new Error(`/startupz was not 200 within ${seconds} s`)
    await pace(everyMs)
  }
}

/** As the API server of Kubernetes, a server that is not ready answers 500. */
export const inLameDuck = async (readyz = "/readyz", livez = "/livez"): Promise<ReadonlyArray<string>> => {
  const seen = { ready: await probe(readyz), alive: await probe(livez) }
  return seen.ready === 500 && seen.alive === 200 ? [] : [`in the lame duck: ${JSON.stringify(seen)}`]
}

const got = (tallies: ReadonlyArray<Tally>): Got => {
  const sum = (of: (tally: Tally) => number) => tallies.reduce((all, tally) => all + of(tally), 0)
  const ok = sum(({ statuses }) => statuses[200] ?? 0)
  const interrupted = sum(({ statuses }) => statuses[503] ?? 0)
  const answered = sum((tally) => tally.answered)
  if (ok + interrupted !== answered) {
    throw new Error(`other answers than 200 and 503: ${JSON.stringify(tallies.map(({ statuses }) => statuses))}`)
  }
  return {
    answered: ok,
    interrupted,
    lost: sum(({ lostEstablished, lostOpening, unanswered }) => lostEstablished + lostOpening + unanswered)
  }
}

const counts = ({ tally: { answered, refused, sent, statuses } }: BusyClients) => ({
  answered,
  refused,
  sent,
  statuses
})

/** Eight wait for an answer that takes two seconds, and four ask a hundred times a second. */
export const startClients = async (): Promise<Clients> => {
  const slow = startBusyClients({ port }, { clients: 8, method: "POST", path: "/slow" })
  const quick = startBusyClients({ port }, { clients: 4, thinkMs: () => 10 })
  const all: ReadonlyArray<BusyClients> = [slow, quick]
  const said = () => `all clients to be served: ${slow.inFlight()} slow ones, ${JSON.stringify(all.map(counts))}`
  try {
    await waitFor(said, () => slow.inFlight() === 8 && quick.tally.answered >= 40, 20_000)
  } catch (cause) {
    await Promise.all(all.map(({ stop }) => stop(0)))
    throw cause
  }
  return {
    end: async () => got(await Promise.all(all.map(({ stop }) => stop(5000))))
  }
}
