import { once } from "node:events"
import * as Http from "node:http"
import * as Https from "node:https"
import * as Net from "node:net"
import * as Tls from "node:tls"
import { describe, expect, it } from "vitest"
import type { Policy } from "../../../src/Shutdown.js"
import { certificate } from "../../support/certificate.js"
import { pipelinedGets } from "../../support/httpRequests.js"
import { now, waitFor } from "../../support/wait.js"
import {
  floodedEffectApp,
  floodedNodeServer,
  longestTurnBound,
  type Node,
  withFloodedProcess
} from "../support/floodedServer.js"

// Pins internal/node: parserPause

// One client of HTTP/1.1 that sends tens of thousands of requests and waits for no answer: it costs what it sent, and a
// shutdown ends in its bound.

const inAll = 40_000
/** What docs/guarantees.md says: with handlers, and in 64 KiB that have been read. */
const withHandlers = 1000
const inFlight = withHandlers + Math.ceil(65_536 / "GET /0 HTTP/1.1\r\nHost: a\r\n\r\n".length)
const policy: Policy = { timeout: "500 millis", killTimeout: "300 millis" }
/** `timeout` and `killTimeout`, and the rest for a machine that is slow. */
const bound = 2000

const nodeServer = (secure: boolean): Node => secure ? Https.createServer(certificate) : Http.createServer()

interface Client {
  readonly write: (text: string) => boolean
  readonly drained: () => Promise<void>
  /** The bodies of all answers, in the order in which they came. */
  readonly bodies: () => ReadonlyArray<string>
  readonly isGone: () => boolean
  readonly leave: () => void
}

const connect = async (port: number, secure: boolean): Promise<Client> => {
  const socket = secure
    ? Tls.connect({ port, host: "127.0.0.1", rejectUnauthorized: false })
    : Net.connect({ port, host: "127.0.0.1" })
  let text = ""
  socket.setEncoding("latin1").on("data", (chunk: string) => {
    text += chunk
  }).on("error", () => {})
  await once(socket, secure ? "secureConnect" : "connect")
  return {
    write: (text) => socket.write(text),
    drained: () =>
      new Promise<void>((resolve) => {
        const over = () => {
          socket.off("drain", over).off("close", over)
          resolve()
        }
        socket.on("drain", over).on("close", over)
      }),
    bodies: () => Array.from(text.matchAll(/HTTP\/1\.1 200 .*?\r\n\r\n(\d+)/gs), ([, body]) => body ?? ""),
    isGone: () => socket.destroyed,
    leave: () => socket.destroy()
  }
}

const timed = async <A>(run: () => Promise<A>): Promise<readonly [A, number]> => {
  const began = now()
  return [await run(), now() - began]
}

const limit = 20_000

for (
  const [api, make] of [["an Effect app", floodedEffectApp], [
    "an adopted node:http server",
    floodedNodeServer
  ]] as const
) {
  for (const secure of [false, true]) {
    describe(`one client that pipelines, against ${api} over ${secure ? "TLS" : "TCP"}`, { timeout: 60_000 }, () => {
      it("40,000 that are never answered: so many are read, listed in part, cut and reported, in the bound", () =>
        withFloodedProcess(
          { api, protocol: secure ? "https" : "http", handlers: withHandlers },
          async (port, report) => {
            const client = await connect(port, secure)
            client.write(pipelinedGets(inAll))
            const result = await report()
            const { abandoned, begun, listed, longest, millis, more, outcome, paths } = result
            expect(longest).toBeLessThan(longestTurnBound(result))
            expect(millis).toBeLessThan(2000)
            expect(listed).toBe(100)
            expect(listed + more).toBeLessThanOrEqual(inFlight)
            expect(begun).toBe(withHandlers)
            expect(outcome).toBe("DeadlineExceeded")
            expect(paths).toEqual(Array.from({ length: listed + more }, (_, n) => `/${n}`))
            expect(abandoned).toBe(0)
            await waitFor("the connection to close", client.isGone, limit)
          }
        ))

      for (const answers of ["at once", "soon"] as const) {
        it(`10,000 that are answered ${answers}: each one, in order, when a shutdown begins in their midst`, async () => {
          const site = await make(nodeServer(secure), answers, { timeout: "30 seconds" })
          const client = await connect(site.port, secure)
          client.write(pipelinedGets(10_000))
          await waitFor("some of them", () => site.begun() > 500, limit)
          const report = await site.shutdown()
          await waitFor("the connection to close", client.isGone, limit)
          expect(report).toMatchObject({ outcome: "Drained", cut: [] })
          expect(client.bodies()).toEqual(Array.from({ length: 10_000 }, (_, n) => `${n}`))
          expect(site.begun()).toBe(10_000)
        })
      }

      for (const lameDuck of [0, 300]) {
        it(`a flood that never stops ends in the bound, lame duck ${lameDuck} ms`, async () => {
          const site = await make(nodeServer(secure), "at once", { ...policy, lameDuck })
          const client = await connect(site.port, secure)
          const flood = async () => {
            for (let sent = 0; !client.isGone(); sent += 2000) {
              if (!client.write(pipelinedGets(2000, sent))) await client.drained()
            }
          }
          const flooding = flood()
          await waitFor("its first answers", () => site.begun() > 1000, limit)
          const [, millis] = await timed(site.shutdown)
          expect(millis).toBeLessThan(bound + lameDuck)
          client.leave()
          await flooding
          const bodies = client.bodies()
          expect(bodies.length).toBeGreaterThan(1000)
          expect(bodies).toEqual(bodies.map((_, n) => `${n}`))
        })
      }

      it("one that leaves with 3,000 of them unanswered takes nothing with it", async () => {
        const site = await make(nodeServer(secure), "soon", policy)
        const client = await connect(site.port, secure)
        client.write(pipelinedGets(3000))
        await waitFor("some of them", () => site.begun() >= 128, limit)
        client.leave()
        const other = await connect(site.port, secure)
        other.write(pipelinedGets(1))
        await waitFor("an answer to somebody else", () => other.bodies().length === 1, limit)
        other.leave()
        const [report, millis] = await timed(site.shutdown)
        expect(report).toMatchObject({ outcome: "Drained", cut: [] })
        expect(millis).toBeLessThan(bound)
      })
    })
  }
}
