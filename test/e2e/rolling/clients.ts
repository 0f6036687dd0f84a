/**
 * A steady load through a proxy, and an account of it.
 */
import { type BusyClients, type Load, startBusyClients } from "../../support/busyClient.js"

const between = (low: number, high: number) => () => low + Math.random() * (high - low)

const orders = { method: "POST", path: "/orders" } as const

const mix: ReadonlyArray<Load> = [
  { ...orders, clients: 8, thinkMs: between(10, 30) },
  // nginx sends a GET again without a word, so that alone it shows nothing
  { clients: 4, thinkMs: between(10, 30) },
  { ...orders, clients: 4, connections: "perRequest", thinkMs: between(20, 80) },
  // they come back to connections that both sides have kept for a while
  { ...orders, clients: 16, thinkMs: between(0, 4000) }
]

export interface Account {
  readonly requests: number
  readonly posts: number
  /** Answered with anything but 200, by status. */
  readonly statuses: Readonly<Record<number, number>>
  /** The connection was reset before the answer was whole. */
  readonly reset: number
  /** The connection was closed before the answer was whole. */
  readonly closed: number
  readonly refused: number
  readonly unanswered: number
  /** How those ended that were reset or closed, or could not be opened. */
  readonly lost: ReadonlyArray<string>
  /** All of them. */
  readonly failed: number
  /** POSTs that were answered with 200. */
  readonly accepted: number
  readonly slowestMs: number
}

export interface Clients {
  readonly account: () => Account
  readonly stop: () => Promise<Account>
}

export const startClients = (port: number): Clients => {
  const groups = mix.map((load) => ({ load, clients: startBusyClients({ port }, load) }))
  const account = () => accountOf(groups)
  return {
    account,
    stop: async () => {
      await Promise.all(groups.map(({ clients }) => clients.stop(10_000)))
      return account()
    }
  }
}

const sum = (values: ReadonlyArray<number>): number => values.reduce((all, one) => all + one, 0)

const accountOf = (groups: ReadonlyArray<{ readonly load: Load; readonly clients: BusyClients }>): Account => {
  const tallies = groups.map(({ clients }) => clients.tally)
  const posts = groups.filter(({ load }) => load.method === "POST").map(({ clients }) => clients.tally)
  const statuses: Record<number, number> = {}
  for (const tally of tallies) {
    for (const [status, count] of Object.entries(tally.statuses)) {
      if (status !== "200") statuses[Number(status)] = (statuses[Number(status)] ?? 0) + count
    }
  }
  const reset = sum(tallies.map(({ lost }) => lost.filter(({ how }) => how === "reset").length))
  const lost = sum(tallies.map(({ lostEstablished, lostOpening }) => lostEstablished + lostOpening))
  const refused = sum(tallies.map((tally) => tally.refused))
  const unanswered = sum(tallies.map((tally) => tally.unanswered))
  return {
    requests: sum(tallies.map(({ sent }) => sent)),
    posts: sum(posts.map(({ sent }) => sent)),
    statuses,
    reset,
    closed: lost - reset,
    refused,
    lost: tallies.flatMap(({ lost, notOpened }) => [
      ...lost.map(({ ageMs, how, idleMs, lostAfterMs, opening }) =>
        `${how} ${Math.round(lostAfterMs)} ms after the request, on a connection ${Math.round(ageMs)} ms old`
        + (opening ? " that had answered nothing" : `, idle for ${Math.round(idleMs)} ms before`)
      ),
      ...notOpened.map((code) => `not opened: ${code}`)
    ]),
    unanswered,
    failed: sum(Object.values(statuses)) + lost + refused + unanswered,
    accepted: sum(posts.map((tally) => tally.statuses[200] ?? 0)),
    slowestMs: Math.max(...tallies.map((tally) => tally.slowestMs))
  }
}
