import { describe, expect, it } from "vitest"
import type { AppOptions } from "../conformance/stock/app.js"
import { type LostRequest, startBusyClients } from "../support/busyClient.js"
import { delayProxy } from "../support/delayProxy.js"
import { pace, waitFor } from "../support/wait.js"
import { executedUnanswered, repeatShutdowns } from "./repeatedShutdowns.js"

// A server that says `Keep-Alive: timeout=1` promises to be there for another second. With `idleGrace: "keepAliveTimeout"` it
// keeps that promise while it stops, and a second longer for what is on its way, so that a client that honours it, 20 ms
// away, loses nothing.

/**
 * The server allows a second for the last answer's way to the client and for the next request's way back, and the client
 * leaves 150 ms of it to its own process. Where a busy machine makes one of the two ways take more than half of that, the
 * client may have been too far away to be served: such a round says nothing about losses, and is played again. A server
 * that breaks its promise loses requests that it turns away at once.
 */
const slowMs = 550

interface Losses {
  readonly sent: number
  readonly lost: ReadonlyArray<LostRequest>
  readonly unanswered: number
  readonly executedUnanswered: ReadonlyArray<string>
}

interface Played {
  readonly listen: NonNullable<AppOptions["listen"]>
  /** Whether nothing may be lost, so that only rounds count in which the clients were as near as they say. */
  readonly judge: boolean
}

/** 200 clients post orders through the proxy, each at its own pace, while the server is told to stop. */
const drainsInTurn = async (count: number, { judge, listen }: Played): Promise<Losses> => {
  let sent = 0
  let unanswered = 0
  const lost: Array<LostRequest> = []
  const unheard: Array<string> = []
  let counted = 0
  await repeatShutdowns(
    3 * count,
    { keepAliveTimeoutMs: 1000, listen },
    async ({ ended, executed, signal, target }) => {
      const proxy = await delayProxy(target, 20)
      let stopping = false
      const clients = startBusyClients(proxy.target, {
        clients: 200,
        method: "POST",
        path: "/orders",
        // Some pause for longer than the promise, and must then open another connection.
        thinkMs: () => Math.random() * 1100,
        // The way there and back is 40 ms; the rest is for this process, which plays 200 clients at once.
        promiseMarginMs: 150,
        mayOpen: () => !stopping,
        wasRefused: (port) => proxy.refused.has(port)
      })
      try {
        await waitFor("every client to have been answered", () => clients.tally.answered >= 250, 10_000)
        // the answers that a promise is still running for come after the rush in which all these connections were opened
        clients.tally.slowestMs = 0
        await pace(1000 + Math.random() * 100)
        // A connection that is being opened has been promised nothing.
        stopping = true
        await waitFor("every open connection to have been answered once", () => clients.opening() === 0, 10_000)
        const before = clients.tally.sent
        signal()
        const report = await ended()
        await waitFor("every client to leave", clients.ended, 15_000)
        const { tally } = clients
        unheard.push(...executedUnanswered(executed(), tally.answeredIds).filter((id) => tally.sentIds.has(id)))
        expect(report).toMatchObject({ outcome: "Drained", cut: 0 })
        if (judge && tally.slowestMs > slowMs) return undefined
        sent += tally.sent - before
        unanswered += tally.unanswered
        lost.push(...tally.lost)
        return ++counted === count ? "enough" : undefined
      } finally {
        await clients.stop(0)
        await proxy.close()
      }
    }
  )
  if (counted < count) throw new Error(`only in ${counted} of ${3 * count} rounds was the machine fast enough`)
  return { sent, lost, unanswered, executedUnanswered: unheard }
}

/** Waiting is most of it: two processes go through them at once. */
const drains = async (count: number, played: Played): Promise<Losses> => {
  const [a, b] = await Promise.all([drainsInTurn(count / 2, played), drainsInTurn(count / 2, played)])
  return {
    sent: a.sent + b.sent,
    lost: [...a.lost, ...b.lost],
    unanswered: a.unanswered + b.unanswered,
    executedUnanswered: [...a.executedUnanswered, ...b.executedUnanswered]
  }
}

describe("200 clients that honour Keep-Alive: timeout, 20 ms away", () => {
  it("lose nothing over 20 drains when the server keeps what it promised", { timeout: 180_000 }, async () => {
    const { sent, ...losses } = await drains(20, { judge: true, listen: { idleGrace: "keepAliveTimeout" } })
    expect(losses).toEqual({ lost: [], unanswered: 0, executedUnanswered: [] })
    // They did send while it was stopping, or this shows nothing.
    expect(sent).toBeGreaterThan(1000)
  })

  it(
    "lose requests when the server closes idle connections at once; but none that was executed",
    { timeout: 60_000 },
    async () => {
      const losses = await drains(4, { judge: false, listen: { idleGrace: 0 } })
      expect(losses.lost.length).toBeGreaterThan(0)
      expect(losses.executedUnanswered).toEqual([])
    }
  )
})
