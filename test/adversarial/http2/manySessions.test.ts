import * as Http2 from "node:http2"
import { expect, it } from "vitest"
import * as Frames from "../../support/http2Frames.js"
import { waitFor } from "../../support/wait.js"
import { makeWork, withAttackedServer } from "../support/attackedServer.js"
import { limit } from "../support/boundedShutdown.js"

const sessions = 2000
const busy = 300

/** As many connections as the drain closes in one turn of the event loop. */
const batch = 64

// What is counted is turns and not time, so that it holds on a busy machine too (rule 10).
it(`${sessions} sessions, ${busy} of them with a stream in flight, are told to leave in batches, and lose nothing`, () => {
  const work = makeWork()
  const node = Http2.createServer(work.handler)
  let turn = 0
  let counting = true
  const told = new Map<number, number>()
  node.on("session", (session) => {
    const { close } = session
    session.close = (callback) => {
      told.set(turn, (told.get(turn) ?? 0) + 1)
      close.call(session, callback)
    }
  })
  const next = () => {
    turn++
    if (counting) setImmediate(next)
  }
  return withAttackedServer("h2c", async (on, onLeave) => {
    const honest = await on.honest()
    const clients: Array<Frames.FramesClient> = []
    while (clients.length < sessions) {
      const more = await Promise.all(
        Array.from({ length: 50 }, () => Frames.connect({ port: on.port }))
      )
      for (const client of more) onLeave(client.leave)
      await Promise.all(more.map(async (client, i) => {
        await client.write(Frames.request(1, clients.length + i < busy ? "/slow" : "/"))
      }))
      clients.push(...more)
    }
    await waitFor(
      () => `all requests, of which ${work.executed} have come`,
      () => work.executed === sessions + 1 && work.answered === sessions - busy,
      2 * limit
    )
    next()
    const ended = on.shutdown()
    await on.untilPhase("Draining")
    for (const client of clients) await client.untilFrame("GOAWAY", 0, limit)
    counting = false
    work.release()
    expect(await honest.answer).toBe("first last")
    for (const client of clients.slice(0, busy)) {
      expect(await client.untilResponse(1, limit)).toEqual({ status: 200, body: "first last" })
    }
    const { report } = await ended
    expect(report).toMatchObject({ outcome: "Drained", served: busy + 1, cut: [], forceClosed: [] })
    expect(report.connections).toMatchObject({ open: sessions + 1, cut: 0 })
    // the first batch may begin in a timer or a read, and share its turn with the second
    expect(Math.max(...told.values())).toBeLessThanOrEqual(2 * batch)
    expect(told.size).toBeGreaterThanOrEqual(Math.ceil(sessions / batch) - 1)
  }, { work, node })
})
