/**
 * Scenarios about what a handler needs: its services, its app, its fiber.
 */
import { get } from "../../../support/httpRequests.js"
import { saysClose } from "../../../support/httpResponses.js"
import { connect, withClient } from "../../../support/rawClient.js"
import { now, pace } from "../../../support/wait.js"
import { sawStatus, scenario, seconds } from "../scenario.js"

export const poolUnderRequest = scenario({
  id: "pool-under-request",
  title: "a request that uses the database pool when SIGTERM comes",
  clients: ({ response, started, target, terminate }) =>
    withClient(target, async (client) => {
      await client.write(get("/query/500"))
      await started()
      await terminate()
      return { status: (await response(client))?.status }
    }),
  saw: sawStatus,
  kept: ({ status }) => status === 200
})

export const requestBeforeServe = scenario({
  id: "request-before-serve",
  title: "a request that arrives before `serve` is attached",
  options: { poolOpensAfterMs: 700 },
  beforeReady: true,
  clients: ({ child, ended, target }) =>
    withClient(target, async (client) => {
      await client.write(get("/"))
      await child.line("ready", 5000)
      const answer = await client.untilResponses(1, 2000).catch(() => undefined)
      // It keeps its connection, as a client that still waits does.
      await ended()
      return { status: answer?.responses[0]?.status }
    }),
  saw: sawStatus,
  kept: ({ status }) => status === 200
})

export const clientLeft = scenario({
  id: "client-left",
  title: "a client that leaves before an uninterruptible handler answers",
  clients: async ({ child, started, target }) => {
    const client = await connect(target)
    await client.write(get("/held/200"))
    await started()
    client.leave()
    await child.line("handler done", 2000)
    const held = () =>
      withClient(target, async (other) => {
        await other.write(get("/held"))
        return Number((await other.untilResponses(1, 2000)).responses[0]!.body.toString())
      })
    for (let i = 0; i < 50 && await held() > 0; i++) await pace(10)
    return { requestScopesOpen: await held() }
  },
  saw: ({ requestScopesOpen }) => requestScopesOpen === 0 ? "the request ended" : "the request's fiber and scope leak",
  kept: ({ requestScopesOpen }) => requestScopesOpen === 0
})

export const nextRequest = scenario({
  id: "next-request",
  title: "the next request of a keep-alive client whose request was running at SIGTERM",
  clients: ({ response, started, target, terminate }) =>
    withClient(target, async (client) => {
      await client.write(get("/slow/300"))
      await started()
      await terminate()
      const first = await response(client)
      if (first === undefined) return { status: undefined, next: "not sent" as const }
      if (saysClose(first)) return { status: first.status, next: "told to close" as const }
      await client.write(get("/"))
      const second = await response(client, 2)
      return { status: first.status, next: second === undefined ? "never answered" as const : "answered" as const }
    }),
  saw: ({ next, status }) =>
    `${sawStatus({ status })}, ${next === "told to close" ? "with `Connection: close`" : `the next one ${next}`}`,
  kept: ({ next, status }) => status === 200 && next !== "never answered"
})

export const keepAliveWait = scenario({
  id: "keep-alive-wait",
  title: "a keep-alive client that sends nothing after its answer",
  clients: ({ ended, response, started, target, terminate }) =>
    withClient(target, async (client) => {
      await client.write(get("/slow/300"))
      await started()
      await terminate()
      const answer = await response(client)
      const answeredAt = now()
      await ended()
      return { status: answer?.status, closedAfterMs: (client.endedAt ?? Number.POSITIVE_INFINITY) - answeredAt }
    }),
  saw: ({ closedAfterMs, status }) => `${sawStatus({ status })}, connection closed ${seconds(closedAfterMs)} later`,
  kept: ({ closedAfterMs, status }) => status === 200 && closedAfterMs < 1000
})
