/**
 * Clients that keep a server busy, each with one request at a time, and what became of those requests.
 */
import type { Stage } from "../run/stage.js"
import { Changes, now, pause } from "../wait.js"
import { type Answer, answerOf, isKept } from "./answers.js"
import { get, getOnce } from "./requests.js"
import { saysClose } from "./responses.js"

export interface Load {
  readonly clients: number
  /** A connection for each request. */
  readonly perRequest: boolean
}

export interface Tally {
  answered: number
  readonly lost: Array<Answer>
}

export interface BusyClients {
  readonly tally: Tally
  /** Whether so many were answered within the limit. */
  readonly answered: (count: number, limitMillis: number) => Promise<boolean>
  /** Every client was refused, or the clients have gone on for long enough. */
  readonly ended: () => Promise<void>
}

/** A server that goes on to serve after its signal does it for so long. */
const afterSignal = 2500

/** No client sends more than that. */
const maxRequests = 20_000

export const busyClients = (stage: Stage, load: Load): BusyClients => {
  const tally: Tally = { answered: 0, lost: [] }
  const changes = new Changes()
  const began = now()
  const isOver = () => stage.millis() > afterSignal || now() - began > 15_000
  const request = (load.perRequest ? getOnce : get)(stage.settings.path)

  /** One connection, for as long as it can be used. Whether there may be another one. */
  const connection = async (name: string): Promise<boolean> => {
    const client = stage.open(name)
    if (!(await client.opened())) {
      // refused: it knows that nothing was sent
      if (client.ending === "reset") tally.lost.push(answerOf(client))
      return false
    }
    for (let nth = 1; client.isOpen && !isOver() && nth <= maxRequests; nth++) {
      client.write(request)
      await client.answers(nth, Math.max(1000, stage.remaining()))
      const answer = answerOf(client, nth)
      if (isKept(answer, stage.offer.status)) tally.answered++
      else tally.lost.push(answer)
      changes.changed()
      const response = client.reader.responses[nth - 1]
      if (load.perRequest || response === undefined || !response.complete || saysClose(response)) break
    }
    client.leave()
    return !isOver()
  }
  const run = async (name: string) => {
    while (await connection(name)) await pause(0)
  }
  const all = Promise.all(Array.from({ length: load.clients }, (_, n) => run(`client ${n + 1}`)))
  return {
    tally,
    answered: (count, limit) => changes.until(() => tally.answered >= count, limit),
    ended: async () => void await all
  }
}
