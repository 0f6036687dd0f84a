import { once } from "node:events"
import * as Http from "node:http"
import * as Https from "node:https"
import * as Net from "node:net"
import * as Tls from "node:tls"
import { describe, expect, it } from "vitest"
import type { Policy } from "../../../src/Shutdown.js"
import { certificate } from "../../support/certificate.js"
import { pipelinedGets } from "../../support/httpRequests.js"
import { pace, waitFor } from "../../support/wait.js"
import { type Answers, floodedEffectApp, floodedNodeServer, type FloodedServer } from "../support/floodedServer.js"

// Pins internal/node: dropWrites, hasReadEnd, isReading, isReset, readsByItself, startReading

// With a thousand requests in flight, no more of a connection are read. Its client may leave meanwhile: nobody is owed
// anything then, in steady state as in a drain.

/** A drain that waits for somebody here does not end in the time that a test has. */
const policy: Policy = { timeout: "1 minute", killTimeout: "300 millis" }
const limit = 10_000

interface Run {
  readonly site: FloodedServer
  /** What the client is connected with, under TLS or not. */
  readonly raw: Net.Socket
  readonly client: Net.Socket
  /** The socket of the server. */
  readonly socket: () => Net.Socket
  /** How many handlers have heard `close`. */
  readonly closes: () => number
}

const running = async (
  make: typeof floodedEffectApp,
  secure: boolean,
  answers: Answers,
  run: (running: Run) => Promise<void>
): Promise<void> => {
  const node: Http.Server = secure ? Https.createServer(certificate) : Http.createServer()
  let closes = 0
  let socket: Net.Socket | undefined
  node.on("request", (request: Http.IncomingMessage, response: Http.ServerResponse) => {
    socket = request.socket
    response.on("close", () => {
      closes++
    })
  })
  const site = await make(node, answers, policy)
  const raw = Net.connect({ port: site.port, host: "127.0.0.1" }).on("error", ignore)
  const client = secure ? Tls.connect({ socket: raw, rejectUnauthorized: false }).on("error", ignore) : raw
  await once(client, secure ? "secureConnect" : "connect")
  try {
    await run({
      site,
      raw,
      client,
      socket: () => {
        if (socket === undefined) throw new Error("no request has come")
        return socket
      },
      closes: () => closes
    })
  } finally {
    raw.destroy()
    await site.shutdown()
  }
}

const ignore = () => {}

const ways = {
  "ends its side": ({ client }: Run) => void client.end(),
  closes: ({ client }: Run) => void client.destroy(),
  resets: ({ raw }: Run) => void raw.resetAndDestroy()
}

const drained = async ({ site }: Run, leave: () => void): Promise<void> => {
  const ending = site.shutdown()
  await pace(200)
  leave()
  const { cut, outcome } = await ending
  expect([outcome, cut.length]).toEqual(["Drained", 0])
}

for (
  const [api, make] of [["an Effect app", floodedEffectApp], [
    "an adopted node:http server",
    floodedNodeServer
  ]] as const
) {
  for (const secure of [false, true]) {
    describe(`a client whose requests are no longer read, of ${api} over ${secure ? "TLS" : "TCP"}`, () => {
      for (const [how, leave] of Object.entries(ways)) {
        it(`${how}: its handlers hear of it`, () =>
          running(make, secure, "never", async (run) => {
            run.client.write(pipelinedGets(1500))
            await waitFor("a thousand handlers", () => run.site.begun() === 1000, limit)
            leave(run)
            await waitFor("them to hear of it", () => run.closes() === 1000, limit)
            expect(run.site.begun()).toBe(1000)
            expect(await run.site.listed()).toEqual([0, 0])
          }))

        it(`${how} in a drain: it waits for nothing`, () =>
          running(make, secure, "never", async (run) => {
            run.client.write(pipelinedGets(1500))
            await waitFor("a thousand handlers", () => run.site.begun() === 1000, limit)
            await drained(run, () => leave(run))
          }))
      }

      it("closes with further requests unread", () =>
        running(make, secure, "never", async (run) => {
          run.client.write(pipelinedGets(3000))
          await waitFor("a thousand handlers", () => run.site.begun() === 1000, limit)
          await drained(run, () => ways.closes(run))
        }))

      it("resets with more unread than is read ahead, which has a bound", () =>
        running(make, secure, "never", async (run) => {
          run.client.write(pipelinedGets(20_000))
          await waitFor("a thousand handlers", () => run.site.begun() === 1000, limit)
          await waitFor("what is read ahead", () => run.socket().readableLength >= 65_536, limit)
          await pace(300)
          expect(run.socket().readableLength).toBeLessThan(2 * 65_536)
          await drained(run, () => ways.resets(run))
        }))

      for (const drains of [false, true]) {
        it(`stays: what has been read ahead is answered in order${drains ? ", in a drain as well" : ""}`, () =>
          running(make, secure, "late", async ({ client, site }) => {
            let text = ""
            client.setEncoding("latin1").on("data", (chunk: string) => {
              text += chunk
            })
            client.write(pipelinedGets(3500))
            await waitFor("a thousand handlers", () => site.begun() >= 1000, limit)
            const bodies = () => Array.from(text.matchAll(/HTTP\/1\.1 200 .*?\r\n\r\n(\d+)/gs), ([, body]) => body)
            if (drains) {
              await pace(200)
              const { cut, outcome } = await site.shutdown()
              expect([outcome, cut.length]).toEqual(["Drained", 0])
            }
            await waitFor("all answers", () => bodies().length === 3500, limit)
            expect(bodies()).toEqual(Array.from({ length: 3500 }, (_, n) => `${n}`))
          }))
      }
    })
  }
}
