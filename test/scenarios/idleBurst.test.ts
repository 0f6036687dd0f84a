import { describe, expect, it } from "vitest"
import { sendWithin } from "../support/burst.js"
import { connect, type RawClient, type Target } from "../support/rawClient.js"
import { pace } from "../support/wait.js"
import { withApp } from "./appInProcess.js"
import { executedUnanswered, repeatShutdowns } from "./repeatedShutdowns.js"

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

const idOf = (round: number, client: number) => `second-${round}-${client}`

/** Whether a busy machine has let all clients send within 20 ms of the signal. */
const sendsInTime = (signal: () => void, clients: ReadonlyArray<RawClient>, ms: number, round: number): boolean => {
  const signalledAt = performance.now()
  signal()
  sendWithin(clients, ms, (i) => order(idOf(round, i)))
  return performance.now() - signalledAt <= 20
}

/** What each got for its second request; a connection that ended without it has lost it. */
const untilAnswered = (clients: ReadonlyArray<RawClient>) =>
  Promise.all(clients.map(async (client) => {
    await client.untilEnded(10_000)
    const second = client.parsed().responses[1]
    return { status: second?.status, id: second?.body.toString(), ending: client.ending }
  }))

const served = (count: number, round: number) =>
  Array.from({ length: count }, (_, i) => ({ status: 200, id: idOf(round, i), ending: "fin" }))

const limit = { timeout: 60_000 }

const drained = { outcome: "Drained", cut: 0 }

/**
 * All are answered in `inTime` rounds in which the clients send in time. A busy machine may keep them from it in at most
 * `late` rounds: in those, whatever was executed is answered, and no more was promised.
 */
const areAnswered =
  ({ idle, inTime, late }: { readonly inTime: number; readonly late: number; readonly idle?: number }) => async () => {
    let played = 0
    await repeatShutdowns(inTime + late, {}, async ({ ended, executed, round, signal, target }) => {
      const clients = await idleClients(target, 200)
      if (idle !== undefined) await pace(idle)
      const isInTime = sendsInTime(signal, clients, 15, round)
      const answers = await untilAnswered(clients)
      expect(await ended()).toMatchObject({ ...drained, connections: { open: 200, cut: 0 } })
      const answered = new Set(answers.flatMap(({ id }) => id ?? []))
      const ofThisRound = new Set([...executed()].filter((id) => id.startsWith(`second-${round}-`)))
      expect(executedUnanswered(ofThisRound, answered)).toEqual([])
      if (!isInTime) return
      expect(answers).toEqual(served(200, round))
      return ++played === inTime ? "enough" : undefined
    })
    expect(played, `rounds in time; more than ${late} were late`).toBe(inTime)
  }

describe("200 idle keep-alive connections", () => {
  it(
    "are all answered when they were used a moment ago, and each sends within 20 ms of a signal",
    limit,
    areAnswered({ inTime: 6, late: 24 })
  )

  // Longer than the grace: what saves them is that a request may be on its way.
  it(
    "are all answered when they have been idle for long, and each sends within 20 ms of a signal",
    limit,
    areAnswered({ inTime: 4, late: 16, idle: 700 })
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
