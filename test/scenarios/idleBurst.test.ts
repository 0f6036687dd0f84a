import { describe, expect, it } from "vitest"
import { sendWithin } from "../support/burst.js"
import { connect, type RawClient, type Target } from "../support/rawClient.js"
import { pace } from "../support/wait.js"
import { withApp } from "./appInProcess.js"
import { repeatShutdowns } from "./repeatedShutdowns.js"

// A keep-alive client that was active a moment ago is about to send again, and does not know that the server is
// stopping. Its next request crosses the shutdown, and is owed an answer.

const order = (id: string) =>
  `POST /orders HTTP/1.1\r\nHost: test\r\nContent-Length: ${Buffer.byteLength(id)}\r\n\r\n${id}`

const idleClients = async (target: Target, count: number): Promise<ReadonlyArray<RawClient>> => {
  const clients = await Promise.all(Array.from({ length: count }, () => connect(target)))
  await Promise.all(clients.map(async (client, i) => {
    await client.write(order(`first-${i}`))
    await client.untilResponses(1, 10_000)
  }))
  return clients
}

/** Where a busy machine has kept the clients from sending in time, nothing was promised: such a round does not count. */
const sendsInTime = (signal: () => void, clients: ReadonlyArray<RawClient>, ms: number): boolean => {
  const signalledAt = performance.now()
  signal()
  sendWithin(clients, ms, (i) => order(`second-${i}`))
  return performance.now() - signalledAt <= 20
}

/** What each got for its second request; a connection that ended without it has lost it. */
const untilAnswered = (clients: ReadonlyArray<RawClient>) =>
  Promise.all(clients.map(async (client) => {
    await client.untilEnded(10_000)
    const second = client.parsed().responses[1]
    return { status: second?.status, id: second?.body.toString(), ending: client.ending }
  }))

const served = (count: number) =>
  Array.from({ length: count }, (_, i) => ({ status: 200, id: `second-${i}`, ending: "fin" }))

const limit = { timeout: 60_000 }

const drained = { outcome: "Drained", cut: 0 }

/** In as many rounds as are `enough`, of those in which the clients have sent in time. */
const areAnswered =
  ({ enough, idle, rounds }: { readonly rounds: number; readonly enough: number; readonly idle?: number }) =>
  async () => {
    let inTime = 0
    await repeatShutdowns(rounds, {}, async ({ ended, signal, target }) => {
      const clients = await idleClients(target, 200)
      if (idle !== undefined) await pace(idle)
      const isInTime = sendsInTime(signal, clients, 15)
      const answers = await untilAnswered(clients)
      const report = await ended()
      if (!isInTime) return
      expect(answers).toEqual(served(200))
      expect(report).toMatchObject({ ...drained, connections: { open: 200, cut: 0 } })
      return ++inTime === enough ? "enough" : undefined
    })
    expect(inTime).toBe(enough)
  }

describe("200 idle keep-alive connections", () => {
  it(
    "are all answered when they were used a moment ago, and each sends within 20 ms of a signal",
    limit,
    areAnswered({ rounds: 30, enough: 6 })
  )

  // Longer than the grace: what saves them is that a request may be on its way.
  it(
    "are all answered when they have been idle for long, and each sends within 20 ms of a signal",
    limit,
    areAnswered({ rounds: 20, enough: 4, idle: 700 })
  )

  it("are closed without a word when they stay idle", async () => {
    await withApp(async ({ interrupt, report, target }) => {
      const clients = await idleClients(target, 200)
      interrupt()
      await Promise.all(clients.map((client) => client.untilEnded(2000)))
      expect(clients.every((client) => client.parsed().responses.length === 1)).toBe(true)
      expect(await report()).toMatchObject({
        outcome: "Drained",
        served: 0,
        connections: { open: 200, idleClosed: 200 }
      })
    })
  })
})
