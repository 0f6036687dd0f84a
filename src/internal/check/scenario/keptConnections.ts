/**
 * Connections that are kept between requests.
 */
import { answerOf, describe, isKept, tally } from "../client/answers.js"
import { busyClients } from "../client/busy.js"
import type { Client } from "../client/client.js"
import { get } from "../client/requests.js"
import type { Stage } from "../run/stage.js"
import { now, pause } from "../wait.js"
import * as Advices from "./advice.js"
import { inFlight } from "./inFlight.js"
import * as Rules from "./rules.js"
import { kept, lost, needsKeepAlive, notAnswered, scenario } from "./scenario.js"

/** Clients that have had an answer a moment ago, and keep their connections. */
const idleClients = async (
  stage: Stage,
  count: number,
  options: { readonly keepHalfOpen?: boolean } = {}
): Promise<ReadonlyArray<Client>> => {
  const clients = await Promise.all(Array.from({ length: count }, (_, n) => stage.connect(`client ${n + 1}`, options)))
  await Promise.all(clients.map(async (client) => {
    client.write(get(stage.settings.path))
    await client.answers(1, 5000)
  }))
  return clients
}

const burst = 16
const crossingMillis = 150

export const idleAtOnce = scenario({
  name: "idle-20ms",
  sentence: "16 idle keep-alive clients send within 20 ms of the signal, or as the server closes their connection",
  rule: Rules.reusedConnection,
  advice: Advices.closedUnderRequest,
  alone: true,
  lateMillis: 100,
  unasked: needsKeepAlive,
  clients: async (stage) => {
    const clients = await idleClients(stage, burst, { keepHalfOpen: true })
    stage.signal()
    const from = now()
    await Promise.all(clients.map(async (client, n) => {
      // Half of them are a few milliseconds away, so that what they send crosses with the close.
      if (n % 2 === 0) await pause(from + (20 * n) / burst - now())
      else await client.changes.until(() => !client.isOpen, from + crossingMillis - now())
      client.write(get(stage.settings.path))
    }))
    await Promise.all(clients.map((client) => client.answers(2, stage.remaining())))
    return tally(clients.map((client) => answerOf(client, 2)), stage.offer.status)
  },
  judge: ({ all, first, lost: bad }) =>
    first === undefined
      ? kept(`${all} of ${all} answered`)
      : lost(`${bad} of ${all} lost their request: ${describe(first)}`)
})

const laterMillis = [100, 160, 220, 280, 340, 400]

export const idleLater = scenario({
  name: "idle-500ms",
  sentence: "idle keep-alive clients whose connection stays open send their next request within 500 ms of the signal",
  rule: Rules.tearDown,
  advice: Advices.closedUnderRequest,
  alone: true,
  lateMillis: 80,
  unasked: needsKeepAlive,
  clients: async (stage) => {
    const clients = await idleClients(stage, laterMillis.length)
    stage.signal()
    const sent = await Promise.all(clients.map(async (client, n) => {
      await pause((laterMillis[n] ?? 0) - stage.millis())
      // who has seen the close goes elsewhere, and loses nothing
      if (!client.isOpen) return []
      client.write(get(stage.settings.path))
      await client.answers(2, stage.remaining())
      return [answerOf(client, 2)]
    }))
    return { closed: sent.filter(({ length }) => length === 0).length, ...tally(sent.flat(), stage.offer.status) }
  },
  judge: ({ all, closed, first, lost: bad }) => {
    if (first !== undefined) return lost(`${bad} of ${all} lost their request: ${describe(first)}`)
    return kept(closed === 0 ? `${all} of ${all} answered` : `${all} answered, ${closed} closed before they sent`)
  }
})

export const busy = scenario({
  name: "busy",
  sentence: "8 keep-alive clients that send one request after the other",
  rule: Rules.tearDown,
  advice: Advices.closedUnderRequest,
  alone: true,
  unasked: needsKeepAlive,
  clients: async (stage) => {
    const clients = busyClients(stage, { clients: 8, perRequest: false })
    await clients.answered(200, 3000)
    stage.signal()
    await clients.ended()
    return clients.tally
  },
  judge: (tally) =>
    tally.lost.length === 0
      ? kept(`${tally.answered} answered, none lost`)
      : lost(`${tally.lost.length} requests of 8 clients lost: ${describe(tally.lost[0]!)}`)
})

export const nextRequest = scenario({
  name: "next-request",
  sentence: "the next request of a client whose request was in flight at the signal",
  rule: Rules.tearDown,
  advice: Advices.closedUnderRequest,
  lateMillis: 400,
  unasked: needsKeepAlive,
  clients: async (stage) => {
    const { client, finish, status } = await inFlight(stage)
    stage.signal()
    await stage.reaction()
    finish()
    await client.answers(1, stage.remaining())
    const first = answerOf(client)
    if (first._tag !== "Whole" || first.close) return { first, next: undefined, status }
    // the connection may be closed behind the answer: who has seen that does not send
    await client.over(20)
    if (!client.isOpen) return { first, next: undefined, status }
    client.write(get(stage.settings.path))
    await client.answers(2, stage.remaining())
    return { first, next: answerOf(client, 2), status }
  },
  judge: ({ first, next }, offer) => {
    if (first._tag !== "Whole") return notAnswered
    if (next === undefined) {
      return kept(first.close ? "it was told to close" : "its connection was closed before it sent")
    }
    return isKept(next, offer.status) ? kept(describe(next)) : lost(describe(next))
  }
})

export const saysClose = scenario({
  name: "says-close",
  sentence: "the answer to a request that was in flight at the signal says Connection: close",
  rule: Rules.tearDown,
  advice: Advices.notTold,
  unasked: needsKeepAlive,
  clients: async (stage) => {
    const { client, finish } = await inFlight(stage)
    stage.signal()
    await stage.reaction()
    finish()
    await client.answers(1, stage.remaining())
    return answerOf(client)
  },
  judge: (answer) => {
    if (answer._tag !== "Whole") return notAnswered
    return answer.close
      ? kept(describe(answer))
      : lost("the client is not told: it will send its next request on the connection")
  }
})
