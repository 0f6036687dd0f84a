/** What the attacks on HTTP/2 have in common: clients that send what they like, frame by frame. */
import { expect } from "vitest"
import { certificate } from "../../support/certificate.js"
import * as Frames from "../../support/http2Frames.js"
import type { Wire } from "../../support/nodeServer.js"
import type { AttackedServer } from "../support/attackedServer.js"
import { limit } from "../support/boundedShutdown.js"

export const wires: ReadonlyArray<Wire> = ["h2c", "h2"]

export const connect = async (
  { port }: AttackedServer,
  wire: Wire,
  onLeave: (leave: () => void) => void,
  options: Frames.ConnectOptions = {}
) => {
  const client = await Frames.connect({ port }, {
    ...options,
    ...(wire === "h2" ? { tls: { ca: certificate.cert, host: "127.0.0.1" } } : {})
  })
  onLeave(client.leave)
  expect(client.ending).toBe("open")
  return client
}

/** One that has the first half of an answer, on its first stream. */
export const connectBusy: typeof connect = async (...args) => {
  const client = await connect(...args)
  await client.write(Frames.request(1, "/slow"))
  await client.untilFrame("DATA", 1, limit)
  return client
}

/** Where the deadline is what is tested. */
export const oneSecondTimeout = { policy: { timeout: 1000 } }

export const drainedWithoutCuts = { outcome: "Drained", cut: [], forceClosed: [] }
