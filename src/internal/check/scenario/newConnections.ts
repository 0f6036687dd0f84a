/**
 * Connections that are new when the signal comes.
 */
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

export const connectionPerRequest = scenario({
  name: "connection-per-request",
  sentence: "8 clients that open a connection for each request",
  rule: Rules.acceptQueue,
  advice: Advices.newConnections,
  alone: true,
  clients: async (stage) => {
    const clients = busyClients(stage, { clients: 8, perRequest: true })
    await clients.answered(200, 3000)
    stage.signal()
    await clients.ended()
    return clients.tally
  },
  judge: (tally) => {
    const [first] = tally.lost
    if (first === undefined) return kept(`${tally.answered} answered, none lost`)
    return lost(`${tally.lost.length} requests of 8 clients lost: ${describe(first)}`)
  }
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
