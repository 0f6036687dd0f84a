/**
 * Scenarios about many clients at once.
 */
import { sendWithin } from "../../../support/burst.js"
import { startBusyClients } from "../../../support/busyClient.js"
import { get } from "../../../support/httpRequests.js"
import { connect, withClient } from "../../../support/rawClient.js"
import { pace, waitFor } from "../../../support/wait.js"
import { type RunningApp, scenario } from "../scenario.js"

const executed = ({ child }: RunningApp) => child.linesOf("executed").map((line) => String(line["id"]))

export const busyKeepAlive = scenario({
  id: "busy-keep-alive",
  title: "8 keep-alive clients that send one order after the other",
  clients: async (app) => {
    const clients = startBusyClients(app.target, { clients: 8, method: "POST", path: "/orders" })
    await waitFor("eight busy clients", () => clients.tally.answered > 400, 10_000)
    await app.terminate()
    await app.ended()
    const tally = await clients.stop(1000)
    return {
      answered: tally.answered,
      lost: tally.lostEstablished + tally.unanswered,
      // A client that was told to close opens its next connection while the listener closes.
      lostOpening: tally.lostOpening,
      executedUnanswered: executed(app).filter((id) => !tally.answeredIds.has(id)).length
    }
  },
  saw: ({ executedUnanswered, lost }) =>
    `${lost} of 8 connections lost a request, ${executedUnanswered} orders executed and not answered`,
  kept: ({ executedUnanswered, lost }) => lost === 0 && executedUnanswered === 0
})

export const connectionPerRequest = scenario({
  id: "connection-per-request",
  title: "32 clients that open a connection for each request",
  clients: async ({ ended, target, terminate }) => {
    const clients = startBusyClients(target, { clients: 32, connections: "perRequest" })
    await waitFor("thirty-two busy clients", () => clients.tally.answered > 400, 10_000)
    await terminate()
    await ended()
    const tally = await clients.stop(1000)
    // whom the server closes has been accepted by it; what the kernel gives up is reset
    const closed = tally.lost.filter(({ how, opening }) => opening && how === "fin").length
    return {
      answered: tally.answered,
      lost: tally.lostEstablished + closed + tally.unanswered,
      // A client that still shakes hands as the listener closes may be reset: docs/guarantees.md, "Limits".
      reset: tally.lostOpening - closed
    }
  },
  saw: ({ lost, reset }) => `${lost + reset} of 32 connections reset or never answered`,
  kept: ({ lost, reset }) => lost === 0 && reset <= 1
})

export const idleBurst = scenario({
  id: "idle-burst",
  title: "200 idle keep-alive connections that each send within 20 ms of SIGTERM",
  clients: async ({ target, terminate }) => {
    const clients = await Promise.all(Array.from({ length: 200 }, () => connect(target)))
    await Promise.all(clients.map(async (client) => {
      await client.write(get("/"))
      await client.untilResponses(1, 10_000)
    }))
    // Not before the process knows, or a busy machine lets it answer them as if nothing had happened.
    await terminate()
    sendWithin(clients, 15, () => get("/"))
    const answers = await Promise.all(clients.map(async (client) => {
      const answer = await client.untilResponses(2, 5000).catch(() => undefined)
      client.leave()
      return answer !== undefined
    }))
    return { answered: answers.filter((answered) => answered).length }
  },
  saw: ({ answered }) => `${answered} of 200 answered`,
  kept: ({ answered }) => answered === 200
})

export const pipelined = scenario({
  id: "pipelined",
  title: "pipelined requests whose responses are larger than the socket's buffers",
  clients: ({ target, terminate }) =>
    withClient(target, async (client) => {
      await client.write(get("/big/8") + get("/big/8") + get("/slow/50") + get("/"))
      // The first response has filled the buffers, and the client reads nothing.
      await pace(300)
      await terminate()
      await pace(100)
      client.resume()
      await client.untilResponses(4, 5000).catch(() => undefined)
      return { answered: client.parsed().responses.filter((response) => response.complete).length }
    }, { paused: true }),
  saw: ({ answered }) => `${answered} of 4 answered`,
  kept: ({ answered }) => answered === 4
})
