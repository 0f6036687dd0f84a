/**
 * Connections that are new when the signal comes.
 */
import { nextTick } from "../../node/timers.js"
import { answerOf, describe, isKept, tally } from "../client/answers.js"
import { busyClients } from "../client/busy.js"
import { get, getOnce } from "../client/requests.js"
import { pause } from "../wait.js"
import * as Advices from "./advice.js"
import { arrivalMillis } from "./inFlight.js"
import * as Rules from "./rules.js"
import { kept, lost, scenario } from "./scenario.js"

export const firstRequest = scenario({
  name: "first-request",
  sentence: "the first request of a connection that was opened just before the signal",
  rule: Rules.goNewConnections,
  advice: Advices.newConnections,
  clients: async (stage) => {
    const client = await stage.connect("client", { keepHalfOpen: true })
    await pause(30)
    stage.signal()
    await stage.reaction()
    client.write(get(stage.settings.path))
    await client.answers(1, stage.remaining())
    return answerOf(client)
  },
  judge: (answer, offer) => isKept(answer, offer.status) ? kept(describe(answer)) : lost(describe(answer))
})

const justOpened = 24

export const connectionPerRequest = scenario({
  name: "connection-per-request",
  sentence: "8 clients that open a connection for each request, and 24 that connect as the signal comes",
  rule: Rules.acceptQueue,
  advice: Advices.newConnections,
  alone: true,
  clients: async (stage) => {
    const clients = busyClients(stage, { clients: 8, perRequest: true })
    await clients.answered(200, 3000)
    // whatever these clients are just doing, there are connections that the server has not accepted
    const opening = Array.from({ length: justOpened }, (_, n) => stage.open(`new client ${n + 1}`))
    // Node connects in the next tick
    await new Promise<void>((resolve) => nextTick(resolve))
    stage.signal()
    const answers = await Promise.all(opening.map(async (client) => {
      if (await client.opened()) client.write(getOnce(stage.settings.path))
      await client.answers(1, stage.remaining())
      return client.ending === "refused" ? [] : [answerOf(client)]
    }))
    await clients.ended()
    const { answered, lost } = clients.tally
    const more = tally(answers.flat(), stage.offer.status)
    return { answered: answered + more.all - more.lost, lost: lost.length + more.lost, first: lost[0] ?? more.first }
  },
  judge: ({ answered, first, lost: bad }) =>
    first === undefined ? kept(`${answered} answered, none lost`) : lost(`${bad} requests lost: ${describe(first)}`)
})

const queued = 32

export const queue = scenario({
  name: "queue",
  sentence: "32 connections that wait in the queue of the listener when the signal comes",
  rule: Rules.acceptQueue,
  advice: Advices.newConnections,
  alone: true,
  clients: async (stage) => {
    // As a server is that is busy for a moment: it accepts nothing, and the kernel does.
    stage.server.freeze()
    const clients = Array.from({ length: queued }, (_, n) => stage.open(`client ${n + 1}`))
    await Promise.all(clients.map(async (client) => {
      // a handshake of TLS needs the server
      if (stage.settings.tls) return
      await client.opened(2000)
      client.write(getOnce(stage.settings.path))
    }))
    await pause(arrivalMillis)
    stage.signal()
    stage.server.thaw()
    await Promise.all(clients.map(async (client) => {
      if (stage.settings.tls && await client.opened(stage.remaining())) client.write(getOnce(stage.settings.path))
      await client.answers(1, stage.remaining())
    }))
    return tally(clients.map((client) => answerOf(client)), stage.offer.status)
  },
  judge: ({ all, first, lost: bad }) =>
    first === undefined ? kept(`${all} of ${all} answered`) : lost(`${bad} of ${all} lost: ${describe(first)}`)
})

export const tlsHandshake = scenario({
  name: "tls-handshake",
  sentence: "a handshake of TLS is under way at the signal, and the first request follows it",
  rule: Rules.goNewConnections,
  advice: Advices.newConnections,
  unasked: (_, settings) => settings.tls ? undefined : { why: "--tls: it speaks TLS" },
  clients: async (stage) => {
    const { client, gate } = stage.openGated("client")
    await pause(arrivalMillis)
    stage.signal()
    await stage.reaction()
    gate.open()
    const isSecure = await client.opened(stage.remaining())
    if (isSecure) {
      client.write(get(stage.settings.path))
      await client.answers(1, stage.remaining())
    }
    return { isSecure, answer: answerOf(client) }
  },
  judge: ({ answer, isSecure }, offer) => {
    if (!isSecure) return lost("the handshake was broken off")
    return isKept(answer, offer.status) ? kept(describe(answer)) : lost(describe(answer))
  }
})
