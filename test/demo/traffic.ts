/**
 * The clients of the demo. Each says what it got: only what came over its own connection counts.
 */
import { type BusyClients, startBusyClients } from "../support/busyClient.js"
import type { Child } from "../support/child.js"
import { connect, type RawClient, type Target } from "../support/rawClient.js"
import { now, pace, waitFor, within } from "../support/wait.js"

export interface Got {
  /** Nobody lost anything here. */
  readonly whole: boolean
  readonly text: string
}

export interface Client {
  readonly title: string
  /** Does what has to be done before the signal. */
  readonly begin: (target: Target) => Promise<void>
  /** Goes on until it has its answers or never will. `tell` puts what happens on the timeline. */
  readonly afterSignal: (tell: (what: string) => void) => Promise<void>
  /** When the process has ended, or was killed. */
  readonly got: (child: Child) => Promise<Got>
}

const megabyte = 1024 * 1024

/** Longer than any server is waited for. */
const limitMs = 20_000

const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: demo\r\n\r\n`

const whole = (client: RawClient) =>
  client.parsed().responses.filter(({ complete, status }) => complete && status === 200)

const ended = (client: RawClient): string =>
  client.ending === "reset" ? "connection reset" : client.ending === "fin" ? "connection closed" : "no answer"

/** Clients that each send something and wait for `count` whole responses. */
const waiting = (options: {
  readonly title: string
  readonly clients: ReadonlyArray<{ readonly name: string; readonly requests: string; readonly count: number }>
  readonly bytesPerSecond?: number
  /** Read nothing until the signal has been sent. */
  readonly paused?: boolean
  /** Send the requests again, spread over so many milliseconds, when the signal has been sent. */
  readonly againWithinMs?: number
  readonly quiet?: boolean
}): Client => {
  const { bytesPerSecond, paused } = options
  const again = options.againWithinMs
  const clients: Array<RawClient> = []
  return {
    title: options.title,
    begin: async (target) => {
      for (const { count, requests } of options.clients) {
        const client = await connect(target, {
          ...(paused === true ? { paused } : {}),
          ...(bytesPerSecond === undefined ? {} : { bytesPerSecond })
        })
        clients.push(client)
        await client.write(requests)
        if (again !== undefined) await client.untilResponses(count, limitMs)
      }
    },
    afterSignal: async (tell) => {
      await Promise.all(options.clients.map(async ({ count, name, requests }, index) => {
        const client = clients[index]!
        if (again !== undefined) {
          await pace((again * index) / clients.length)
          await client.write(requests)
        }
        if (paused === true) client.resume()
        const total = again === undefined ? count : 2 * count
        await client.untilResponses(total, limitMs).catch(() => undefined)
        if (options.quiet !== true) tell(`${name}: ${describe(client, total)}`)
        if (whole(client).length === total) client.leave()
      }))
    },
    got: async () => {
      const totals = options.clients.map(({ count }) => again === undefined ? count : 2 * count)
      const complete = clients.filter((client, index) => whole(client).length === totals[index]).length
      for (const client of clients) client.leave()
      return {
        whole: complete === clients.length,
        text: clients.length === 1 ? describe(clients[0]!, totals[0]!) : `${complete} of ${clients.length} answered`
      }
    }
  }
}

const describe = (client: RawClient, count: number): string => {
  const { responses } = client.parsed()
  const complete = whole(client)
  if (complete.length === count) {
    const body = complete.reduce((sum, response) => sum + response.body.length, 0)
    const size = body > megabyte ? `, ${(body / megabyte).toFixed(0)} MB` : ""
    return count === 1 ? `whole${size}` : `all ${count} whole${size}`
  }
  const last = responses.at(-1)
  const part = last === undefined || last.complete ? "" : `, cut after ${(last.body.length / megabyte).toFixed(1)} MB`
  const status = last !== undefined && last.status !== 200 ? `${last.status}, ` : ""
  return `${status}${count === 1 ? "not whole" : `${complete.length} of ${count} whole`}${part}, ${ended(client)}`
}

const busy = (count: number): Client => {
  let clients: BusyClients | undefined
  return {
    title: `${count} keep-alive clients that send one order after the other`,
    begin: async (target) => {
      const started = startBusyClients(target, { clients: count, method: "POST", path: "/orders" })
      clients = started
      await waitFor("busy clients", () => started.tally.answered > 200, limitMs)
    },
    afterSignal: async (tell) => {
      await within(clients!.ended, limitMs)
      tell(`the last of the ${count} busy clients has gone: ${clients!.tally.answered} orders answered in all`)
    },
    got: async (child) => {
      const tally = await clients!.stop(500)
      const executed = child.linesOf("executed").map((line) => String(line["id"]))
      const unanswered = executed.filter((id) => !tally.answeredIds.has(id)).length
      const lost = tally.lostEstablished + tally.unanswered
      return {
        whole: lost === 0 && unanswered === 0,
        text: `${tally.answered} orders answered, ${lost} lost`
          + (tally.lostOpening > 0 ? `, ${tally.lostOpening} reset while connecting anew` : "")
          + (unanswered > 0 ? `; ${unanswered} executed and not answered` : "")
      }
    }
  }
}

const silent = (): Client => {
  let client: RawClient | undefined
  return {
    title: "a client that connects and never sends a byte",
    begin: async (target) => {
      client = await connect(target)
    },
    afterSignal: async (tell) => {
      await client!.untilEnded(limitMs).catch(() => undefined)
      const open = ((client!.endedAt ?? now()) - client!.connectedAt!) / 1000
      tell(`the silent client: ${ended(client!)}, ${open.toFixed(1)} s after it connected`)
    },
    got: async () => {
      client!.leave()
      return { whole: true, text: "owed nothing" }
    }
  }
}

export const traffic = (): ReadonlyArray<Client> => [
  silent(),
  busy(8),
  waiting({
    title: "200 idle keep-alive connections that send again within 20 ms",
    clients: Array.from({ length: 200 }, () => ({ name: "", requests: get("/slow?seconds=0"), count: 1 })),
    againWithinMs: 20,
    quiet: true
  }),
  waiting({
    title: "slow requests of 2, 3 and 4 s",
    clients: [2, 3, 4].map((seconds) => ({
      name: `GET /slow?seconds=${seconds}`,
      requests: get(`/slow?seconds=${seconds}`),
      count: 1
    }))
  }),
  waiting({
    title: "a stream of 4 s",
    clients: [{ name: "GET /stream?seconds=4", requests: get("/stream?seconds=4"), count: 1 }]
  }),
  waiting({
    title: "a 50 MB response to a client that reads 12 MB/s",
    clients: [{ name: "GET /download?mb=50", requests: get("/download?mb=50"), count: 1 }],
    bytesPerSecond: 12 * megabyte
  }),
  waiting({
    title: "4 pipelined requests, 2 of them for 8 MB",
    clients: [{
      name: "the pipelined requests",
      requests: get("/download?mb=8") + get("/download?mb=8") + get("/slow?seconds=1") + get("/slow?seconds=0"),
      count: 4
    }],
    paused: true
  })
]
