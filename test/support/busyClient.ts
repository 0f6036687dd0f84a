/**
 * Clients that keep a server busy, and an account of every request they sent. Each client has one connection at a time,
 * closes it when told to, opens the next, and ends when the server refuses it.
 */
import { promisedKeepAlive, saysClose } from "./httpResponses.js"
import type { Target } from "./rawClient.js"
import { pace, within } from "./wait.js"
import { type Exchange, open, type Wire } from "./wire.js"

export interface Load {
  readonly clients: number
  readonly method?: "GET" | "POST"
  /** A POST carries the id of its request as its body. */
  readonly path?: string
  /** `keepAlive`: as many requests on a connection as the server allows. `perRequest`: one. */
  readonly connections?: "keepAlive" | "perRequest"
  /** Time between an answer and the next request; none makes a tight loop. */
  readonly thinkMs?: () => number
  /**
   * Honour `Keep-Alive: timeout`: never send on a connection that has been idle for longer than the server promised,
   * less this margin (a round trip: the promise was made one way ago, and the request takes another).
   */
  readonly promiseMarginMs?: number
  /** Whether a client may open another connection; without it, until it is refused. */
  readonly mayOpen?: () => boolean
  /** See `DelayProxy.refused`. */
  readonly wasRefused?: (localPort: number) => boolean
}

export interface LostRequest {
  readonly id: string
  readonly how: "reset" | "fin"
  /** The connection had answered nothing before: it may never have been accepted. */
  readonly opening: boolean
  /** Since its connection was established. */
  readonly ageMs: number
  /** How long its connection had been idle when it was sent. */
  readonly idleMs: number
  /** From then until it was known to be lost. */
  readonly lostAfterMs: number
}

export interface Tally {
  connections: number
  sent: number
  answered: number
  statuses: Record<number, number>
  /** Requests lost on a connection that had answered before. The number that must be 0. */
  lostEstablished: number
  /** Requests lost on a connection that had not answered anything yet. */
  lostOpening: number
  /** Sent, the connection still open, and not answered when we gave up. */
  unanswered: number
  /** Connections refused before they were established: nothing was lost, the client knows. */
  refused: number
  /** Closed by the server between two requests without having said so, before we sent: nothing was lost. */
  closedIdle: number
  /** Answers that said `Connection: close`. */
  toldToClose: number
  /** The longest that a request took until it was answered, or known to be lost. */
  slowestMs: number
  readonly lost: Array<LostRequest>
  /** Why connections could not be opened, but for those that were refused; each counts as `lostOpening`. */
  readonly notOpened: Array<string>
  readonly sentIds: Set<string>
  readonly answeredIds: Set<string>
}

export interface BusyClients {
  readonly tally: Tally
  /** Clients that have a request out now. */
  readonly inFlight: () => number
  /** Clients that have an established connection now. */
  readonly connected: () => number
  /** Clients whose connection is being opened, or has answered nothing yet. */
  readonly opening: () => number
  /** Every client has ended: the server refused it, or it had no business any more. */
  readonly ended: Promise<void>
  /** No new requests; gives those in flight until the limit, then leaves. */
  readonly stop: (limitMs: number) => Promise<Tally>
}

let loads = 0

export const startBusyClients = (target: Target, load: Load): BusyClients => {
  const name = `${process.pid}-${++loads}`
  const tally = makeTally()
  const wires = new Set<Wire>()
  let inFlight = 0
  let opening = 0
  const stopping = new AbortController()

  const opened = async (): Promise<Wire | undefined> => {
    if (load.mayOpen?.() === false) return undefined
    opening++
    const result = await open(target)
    opening--
    if (result._tag === "Connected") {
      tally.connections++
      wires.add(result.wire)
      return result.wire
    }
    if (result._tag === "Refused") tally.refused++
    else {
      tally.lostOpening++
      tally.notOpened.push(result.code)
    }
    return undefined
  }
  const leave = (wire: Wire) => {
    wire.leave()
    wires.delete(wire)
  }
  /** Whether the client goes on. */
  const account = (id: string, wire: Wire, outcome: Exchange, sentAt: number, idleMs: number): boolean => {
    tally.slowestMs = Math.max(tally.slowestMs, performance.now() - sentAt)
    switch (outcome._tag) {
      case "Answered": {
        tally.answered++
        tally.answeredIds.add(id)
        tally.statuses[outcome.response.status] = (tally.statuses[outcome.response.status] ?? 0) + 1
        return true
      }
      case "Left": {
        tally.unanswered++
        return false
      }
      case "Lost": {
        const opening = wire.answered === 0
        if (opening && wire.localPort !== undefined && load.wasRefused?.(wire.localPort) === true) {
          tally.refused++
          return false
        }
        const now = performance.now()
        tally.lost.push({
          id,
          how: outcome.how,
          opening,
          ageMs: now - wire.openedAt,
          idleMs,
          lostAfterMs: now - sentAt
        })
        if (opening) tally.lostOpening++
        else tally.lostEstablished++
        return true
      }
    }
  }

  const client = async (index: number): Promise<void> => {
    let wire: Wire | undefined
    let usableUntil = Number.POSITIVE_INFINITY
    let idleSince = 0
    for (let n = 0; !stopping.signal.aborted; n++) {
      if (wire !== undefined && wire.over) {
        tally.closedIdle++
        leave(wire)
        wire = undefined
      }
      if (wire !== undefined && performance.now() > usableUntil) {
        leave(wire)
        wire = undefined
      }
      wire ??= await opened()
      if (wire === undefined) return
      const id = `${name}-${index}-${n}`
      tally.sent++
      tally.sentIds.add(id)
      inFlight++
      const sentAt = performance.now()
      const outcome = await wire.exchange(request(load, id))
      inFlight--
      if (!account(id, wire, outcome, sentAt, sentAt - Math.max(idleSince, wire.openedAt))) return
      idleSince = performance.now()
      const ends = outcome._tag !== "Answered" || saysClose(outcome.response)
      if (ends || load.connections === "perRequest") {
        if (outcome._tag === "Answered" && load.connections !== "perRequest") tally.toldToClose++
        leave(wire)
        wire = undefined
      } else if (load.promiseMarginMs !== undefined) {
        const promised = promisedKeepAlive(outcome.response)
        usableUntil = promised === undefined
          ? Number.POSITIVE_INFINITY
          : performance.now() + promised - load.promiseMarginMs
      }
      const think = load.thinkMs?.() ?? 0
      if (think > 0) await pace(think)
    }
  }

  const ended = Promise.all(Array.from({ length: load.clients }, (_, index) => client(index))).then(() => {})
  return {
    tally,
    inFlight: () => inFlight,
    connected: () => wires.size,
    opening: () => opening + [...wires].filter((wire) => wire.answered === 0).length,
    ended,
    stop: async (limitMs) => {
      stopping.abort()
      await within(ended, limitMs)
      for (const wire of wires) leave(wire)
      await ended
      return tally
    }
  }
}

const request = (load: Load, id: string): string => {
  const connection = load.connections === "perRequest" ? "close" : "keep-alive"
  const head = `${load.method ?? "GET"} ${load.path ?? "/"} HTTP/1.1\r\nHost: test\r\nConnection: ${connection}\r\n`
  return load.method === "POST" ? `${head}Content-Length: ${id.length}\r\n\r\n${id}` : `${head}\r\n`
}

const makeTally = (): Tally => ({
  connections: 0,
  sent: 0,
  answered: 0,
  statuses: {},
  lostEstablished: 0,
  lostOpening: 0,
  unanswered: 0,
  refused: 0,
  closedIdle: 0,
  toldToClose: 0,
  slowestMs: 0,
  lost: [],
  notOpened: [],
  sentIds: new Set(),
  answeredIds: new Set()
})
