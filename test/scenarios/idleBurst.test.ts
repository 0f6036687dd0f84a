import { describe, expect, it } from "vitest"
import { connect, type RawClient, type Target } from "../support/rawClient.js"
import { pace } from "../support/wait.js"
import { withApp } from "./inProcess.js"
import { overShutdowns } from "./shutdowns.js"

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

/** Every client sends one more, `sendsAfter(i)` ms from now. */
const sendAgain = (clients: ReadonlyArray<RawClient>, sendsAfter: (i: number) => number) =>
  Promise.all(clients.map(async (client, i) => {
    await pace(sendsAfter(i))
    await client.write(order(`second-${i}`))
    const { responses } = await client.untilResponses(2, 5000)
    await client.untilEnded(2000)
    const second = responses[1]!
    return { status: second.status, id: second.body.toString(), ending: client.ending }
  }))

const served = (count: number) =>
  Array.from({ length: count }, (_, i) => ({ status: 200, id: `second-${i}`, ending: "fin" }))

describe("200 idle keep-alive connections", () => {
  it("are all answered when each sends within 20 ms of a signal", { timeout: 30_000 }, async () => {
    await overShutdowns(6, {}, async ({ ended, signal, target }) => {
      const clients = await idleClients(target, 200)
      signal()
      expect(await sendAgain(clients, (i) => i / 10)).toEqual(served(200))
      expect(await ended()).toMatchObject({
        outcome: "Drained",
        cut: 0,
        connections: { open: 200, cut: 0 }
      })
    })
  })

  it("are all answered when all send in the turn in which the shutdown begins", async () => {
    await withApp(async ({ interrupt, report, target }) => {
      const clients = await idleClients(target, 200)
      const answers = sendAgain(clients, () => 0)
      setTimeout(interrupt, 0)
      expect(await answers).toEqual(served(200))
      expect(await report()).toMatchObject({ outcome: "Drained", cut: [], connections: { cut: 0 } })
    })
  })

  it("are closed without a word when they stay idle", async () => {
    await withApp(async ({ interrupt, report, target }) => {
      const clients = await idleClients(target, 200)
      interrupt()
      await Promise.all(clients.map((client) => client.untilEnded(2000)))
      expect(clients.every((client) => client.parsed().responses.length === 1)).toBe(true)
      expect(await report()).toMatchObject({
        outcome: "Drained",
        served: 0,
        connections: { open: 200, dismissed: 200 }
      })
    })
  })
})
