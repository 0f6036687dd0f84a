/**
 * Everything that clients do, at once: keep-alive, a connection for each request, streams, slow readers, WebSockets,
 * HTTP/2, and clients that leave in the middle.
 */
import { startHonestClients } from "../adversarial/support/honestClients.js"
import { startBusyClients } from "../support/busyClient.js"
import { connect } from "../support/rawClient.js"
import { get } from "../support/running.js"
import { pace, waitFor } from "../support/wait.js"
import { http2SessionUntilGoaway, webSocketUntilClosed } from "./peers.js"
import type { Servers } from "./servers.js"

const limit = 15_000

/** What the clients have had, over all cycles. */
export interface Tally {
  answered: number
  streams: number
  webSockets: number
  messages: number
  http2: number
  aborted: number
  /** What must not be: an answer that is wrong, cut, or lost on a connection that had answered before. */
  readonly wronged: Array<string>
}

export const makeTally = (): Tally => ({
  answered: 0,
  streams: 0,
  webSockets: 0,
  messages: 0,
  http2: 0,
  aborted: 0,
  wronged: []
})

export interface Load {
  /** No client opens another connection: the servers are about to stop. */
  readonly closing: () => void
  /** Waits until all have what they are owed, and have left. */
  readonly ended: () => Promise<void>
}

const big = 2 * 1024 * 1024

export const startLoad = ({ adopted, effect, http2 }: Servers, tally: Tally): Load => {
  let closing = false
  let stopping = false
  const works: Array<Promise<void>> = []
  const leaves = new Set<() => void>()
  const onLeave = (leave: () => void) => {
    leaves.add(leave)
    return () => leaves.delete(leave)
  }

  /** Does it again and again, until the servers are about to stop. */
  const again = (count: number, work: () => Promise<void>) => {
    for (let n = 0; n < count; n++) {
      works.push((async () => {
        while (!closing) {
          await work()
          await pace(5)
        }
      })())
    }
  }
  const web = [effect, adopted]
  const honest = web.map(({ port }) => startHonestClients({ port }, { clients: 3, thinkMs: 2 }))
  const each = web.map(({ port }) =>
    startBusyClients({ port }, {
      clients: 2,
      path: "/ok",
      connections: "perRequest",
      thinkMs: () => 5,
      mayOpen: () => !closing
    })
  )

  for (const { name, port } of web) {
    const stream = async (bytesPerSecond?: number) => {
      const raw = await connect({ port }, bytesPerSecond === undefined ? {} : { bytesPerSecond })
      try {
        if (raw.ending !== "open") return
        await raw.write(get("/big/2"))
        const { responses } = await raw.untilResponses(1, limit)
        if (responses[0]?.body.length === big) tally.streams++
        else tally.wronged.push(`a stream of ${name} had ${responses[0]?.body.length} bytes`)
      } catch (error) {
        // it may not have been accepted any more
        if (!closing || raw.bytes > 0) tally.wronged.push(`a stream of ${name}: ${String(error)}`)
      } finally {
        raw.leave()
      }
    }
    again(1, () => stream())
    again(1, () => stream(4 * big))
    again(2, async () => {
      const raw = await connect({ port })
      const request = get(["/big/2", "/hold", "/ok"][tally.aborted % 3]!)
      await raw.write(tally.aborted % 2 === 0 ? request : request.slice(0, 20))
      await pace(10)
      raw.abort()
      tally.aborted++
    })
    for (let n = 0; n < 2; n++) works.push(webSocketUntilClosed({ name, port }, tally, onLeave))
  }
  again(2, () => http2SessionUntilGoaway(http2, tally, () => stopping, onLeave))

  return {
    closing: () => {
      closing = true
      for (const clients of honest) clients.closing()
    },
    ended: async () => {
      stopping = true
      try {
        await Promise.all([
          ...honest.map((clients) => clients.stop(limit)),
          ...each.map((clients) => clients.stop(limit)),
          waitFor("the end of all clients", Promise.all(works), limit)
        ])
      } finally {
        for (const leave of leaves) leave()
      }
      for (const clients of honest) {
        tally.answered += clients.answered
        tally.wronged.push(...clients.wronged)
      }
      for (const { tally: own } of each) {
        tally.answered += own.answered
        if (own.lostEstablished > 0) tally.wronged.push(`${own.lostEstablished} lost on connections of their own`)
      }
    }
  }
}
