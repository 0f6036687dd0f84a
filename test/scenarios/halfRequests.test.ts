import * as Duration from "effect/Duration"
import * as Http from "node:http"
import { describe, expect, it } from "vitest"
import { quiesce } from "../../src/promise.js"
import { get } from "../support/httpRequests.js"
import { saysClose } from "../support/httpResponses.js"
import { listenOnLoopback, portOf } from "../support/nodeServer.js"
import { connect, type RawClient, type Target } from "../support/rawClient.js"
import { pace } from "../support/wait.js"
import { withApp } from "./appInProcess.js"
import { repeatShutdowns } from "./repeatedShutdowns.js"

// Pins internal/node: activeParsers, parserOf

// A request whose first byte arrived before the listener closed is answered in full, however long its client takes to
// send the rest (up to the deadline).

const order = "POST /orders HTTP/1.1\r\nHost: test\r\nContent-Length: 8\r\n"

/** What is sent before the shutdown, and the pieces that follow 20 ms apart, 300 ms after it began. */
const halves: Record<
  string,
  { readonly before: string; readonly after: ReadonlyArray<string>; readonly answer: string }
> = {
  "one byte of a head": { before: "G", after: [get("/").slice(1)], answer: "ok" },
  "half a head": { before: get("/").slice(0, 20), after: [get("/").slice(20)], answer: "ok" },
  "a head without its last line feed": { before: get("/").slice(0, -1), after: ["\n"], answer: "ok" },
  "half a head, and then one byte after the other": {
    before: get("/").slice(0, -10),
    after: get("/").slice(-10).split(""),
    answer: "ok"
  },
  "a head without its body": { before: `${order}\r\n`, after: ["the body"], answer: "the body" },
  "half a body": { before: `${order}\r\nthe `, after: ["body"], answer: "the body" },
  "half a chunked body": {
    before: "POST /orders HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nthe \r\n",
    after: ["4\r\nbo", "dy\r\n0\r\n", "\r\n"],
    answer: "the body"
  },
  "an Expect: 100-continue": { before: `${order}Expect: 100-continue\r\n\r\n`, after: ["the body"], answer: "the body" }
}

const finish = async (client: RawClient, pieces: ReadonlyArray<string>, nth: number) => {
  await pace(300)
  for (const piece of pieces) {
    await client.write(piece)
    await pace(20)
  }
  const { informational, responses } = await client.untilResponses(nth, 15_000)
  await client.untilEnded(2000)
  const last = responses[nth - 1]!
  return {
    status: last.status,
    body: last.body.toString(),
    told: saysClose(last),
    continued: informational.length,
    ending: client.ending
  }
}

const connections: Record<string, (target: Target) => Promise<{ readonly client: RawClient; readonly nth: number }>> = {
  "a new connection": async (target) => ({ client: await connect(target), nth: 1 }),
  "a connection that was used before": async (target) => {
    const client = await connect(target)
    await client.write(get("/"))
    await client.untilResponses(1, 15_000)
    return { client, nth: 2 }
  }
}

/** Shorter than the client takes for the rest: what has begun must be known to have begun. */
const listen = { idleGrace: 100, newConnectionGrace: 100 }

/** The half must have been read: what is still in the kernel is another scenario. */
const received = () => pace(50)

for (const [where, open] of Object.entries(connections)) {
  describe(`on ${where}`, () => {
    for (const [what, half] of Object.entries(halves)) {
      it.concurrent(`${what} is finished after the shutdown began, and answered`, async () => {
        await withApp(async (app) => {
          const { client, nth } = await open(app.target)
          await client.write(half.before)
          await received()
          app.interrupt()
          expect(await finish(client, half.after, nth)).toEqual({
            status: 200,
            body: half.answer,
            told: true,
            continued: what.startsWith("an Expect") ? 1 : 0,
            ending: "fin"
          })
          expect(await app.report()).toMatchObject({ outcome: "Drained", cut: [], forceClosed: [], served: 1 })
        }, { listen })
      })
    }
  })
}

describe("after a real signal", () => {
  it("every half is finished and answered", { timeout: 30_000 }, async () => {
    await repeatShutdowns(2, { listen }, async ({ ended, signal, target }) => {
      const cases = Object.values(connections).flatMap((open) => Object.values(halves).map((half) => ({ open, half })))
      const clients = await Promise.all(cases.map(async ({ half, open }) => {
        const opened = await open(target)
        await opened.client.write(half.before)
        return { ...opened, half }
      }))
      await pace(50)
      signal()
      const answers = await Promise.all(clients.map(({ client, half, nth }) => finish(client, half.after, nth)))
      expect(answers.map(({ body, status }) => ({ body, status }))).toEqual(
        cases.map(({ half }) => ({ body: half.answer, status: 200 }))
      )
      expect(await ended()).toMatchObject({ outcome: "Drained", cut: 0, served: cases.length })
    })
  })
})

// Nobody is owed the end of a request that was answered before it was whole: its client has the idle grace, and for as
// long as it goes on sending.
describe("a request that was answered before its body had come", () => {
  const refused = (framing: string) => `POST /early HTTP/1.1\r\nHost: test\r\n${framing}\r\n\r\n`
  const begun = {
    "some of a body": `${refused("Content-Length: 1000")}hello`,
    "some of a chunked body": `${refused("Transfer-Encoding: chunked")}5\r\nhello\r\n`
  }

  for (const [what, sent] of Object.entries(begun)) {
    it(`does not hold a drain when its client has sent ${what}, and stalls`, async () => {
      const node = Http.createServer((_, response) => void response.end("early"))
      await listenOnLoopback(node)
      const server = quiesce(node, { timeout: 8000, idleGrace: 100, logger: false })
      const client = await connect({ port: portOf(node) })
      await client.write(sent)
      await client.untilResponses(1, 15_000)
      await pace(300)
      const report = await server.shutdown()
      expect(report).toMatchObject({ outcome: "Drained", cut: [], connections: { open: 1, idleClosed: 1, cut: 0 } })
      expect(Duration.toMillis(report.duration)).toBeLessThan(4000)
      client.leave()
    })
  }

  it("is read while it comes", async () => {
    const node = Http.createServer((_, response) => void response.end("early"))
    await listenOnLoopback(node)
    const server = quiesce(node, { timeout: 8000, idleGrace: 100, logger: false })
    const client = await connect({ port: portOf(node) })
    await client.write(refused("Content-Length: 1000"))
    await client.untilResponses(1, 15_000)
    const report = server.shutdown()
    for (let sent = 0; sent < 1000; sent += 50) {
      await client.write("x".repeat(50))
      await pace(50)
    }
    expect(client.ending).toBe("open")
    await client.write(get("/"))
    expect((await client.untilResponses(2, 15_000)).responses[1]?.body.toString()).toBe("early")
    client.leave()
    expect(await report).toMatchObject({ outcome: "Drained", cut: [], connections: { cut: 0 } })
  })
})
