import { once } from "node:events"
import * as Http from "node:http"
import * as Http2 from "node:http2"
import * as Https from "node:https"
import { io } from "socket.io-client"
import { describe, expect, it } from "vitest"
import { WebSocket } from "ws"
import { startBusyClients } from "../../support/busyClient.js"
import type { Child } from "../../support/child.js"
import { position, refused, withExample } from "../../support/example.js"
import { get } from "../../support/httpRequests.js"
import { saysClose } from "../../support/httpResponses.js"
import { responseOf, withClient } from "../../support/rawClient.js"
import { waitFor } from "../../support/wait.js"

// The examples for each framework and protocol: a request that is running at SIGTERM is answered, and the process ends
// by itself, with 0.

const limit = 10_000

const drained = /^Shut down in .* \(Drained\)/

/** Lines that an example prints itself, among those of the log. */
const inOrder = (child: Child, ...lines: ReadonlyArray<string>) =>
  expect(
    child.stdout().split("\n").filter((line) => lines.some((each) => line.includes(each))).map((line) =>
      lines.find((each) => line.includes(each))
    )
  ).toEqual(lines)

const exits = async (child: Child) => {
  const exit = await child.exit(limit)
  expect(exit).toMatchObject({ code: 0 })
  // its clients have gone: nothing makes it wait for the deadline
  expect(exit.msSinceSignal).toBeLessThan(4000)
  position(child, drained)
}

describe("examples of frameworks and protocols", { timeout: 60_000 }, () => {
  for (const name of ["express", "fastify", "hono", "koa", "plainNode"]) {
    it(`${name}: a request that is running at SIGTERM is answered, and told to close`, () =>
      withExample(name, async ({ child, logged, target }) => {
        await withClient(target, async (client) => {
          await client.write(get("/"))
          expect((await responseOf(client)).body.toString()).toBe("hello\n")
          await client.write(get("/slow"))
          child.signal("SIGTERM")
          await logged(/Shutting down: draining for up to 5s; 1 connection open/)
          await refused(target)
          const slow = await responseOf(client, 2)
          expect(slow).toMatchObject({ status: 200, complete: true })
          expect(slow.body.toString()).toBe("hello, one second later\n")
          expect(saysClose(slow)).toBe(true)
        })
        await exits(child)
        if (name === "fastify") inOrder(child, "Shut down in", "database closed")
        if (name === "plainNode") {
          inOrder(child, "left the service registry", "Shut down in", "Drained: 1 answered; database closed")
        }
      }))
  }

  for (const name of ["express", "fastify", "hono", "koa"]) {
    it(`${name}: busy clients lose nothing`, () =>
      withExample(name, async ({ child, target }) => {
        const clients = startBusyClients(target, { clients: 8, thinkMs: () => Math.random() * 5 })
        await waitFor("some traffic", () => clients.tally.answered > 400, limit)
        child.signal("SIGTERM")
        await waitFor("every client to be refused", clients.ended, limit)
        const { answered, lost, sent, statuses, unanswered } = await clients.stop(limit)
        expect({ lost, unanswered, statuses }).toEqual({ lost: [], unanswered: 0, statuses: { 200: sent } })
        expect(answered).toBe(sent)
        await exits(child)
      }))
  }

  it("plainNode: an event stream ends whole when the shutdown begins", () =>
    withExample("plainNode", async ({ child, target }) => {
      await withClient(target, async (client) => {
        await client.write(get("/clock"))
        await client.untilText(/data: .*Z\n/, limit)
        child.signal("SIGTERM")
        const stream = await responseOf(client)
        expect(stream).toMatchObject({ status: 200, complete: true })
        expect(stream.body.toString()).toMatch(/\nevent: bye\ndata: come back later\n\n$/)
      })
      await exits(child)
    }))

  it("ws: a WebSocket is told to go, and a request over HTTP is answered", () =>
    withExample("ws", async ({ child, target }) => {
      await withClient(target, async (client) => {
        const webSocket = new WebSocket(`ws://127.0.0.1:${target.port}`)
        await once(webSocket, "open")
        webSocket.send("hello")
        expect(String((await once(webSocket, "message"))[0])).toBe("hello")
        await client.write(get("/"))
        const closes = once(webSocket, "close")
        child.signal("SIGTERM")
        expect((await waitFor("the WebSocket to close", closes, limit))[0]).toBe(1001)
        expect(await responseOf(client)).toMatchObject({ status: 200, complete: true })
      })
      await exits(child)
      expect(child.stdout()).toContain("a client has gone: 1001")
    }))

  it("socketIo: clients over WebSockets and over polls are told to go, and a request over HTTP is answered", () =>
    withExample("socketIo", async ({ child, target }) => {
      const clients = ["websocket", "polling"].map((transport) =>
        io(`http://127.0.0.1:${target.port}`, { transports: [transport], reconnection: false, forceNew: true })
      )
      try {
        for (const client of clients) {
          expect(await waitFor("socket.io's answer", client.timeout(limit).emitWithAck("say", "hi"), limit))
            .toBe("you said hi")
        }
        await withClient(target, async (http) => {
          await http.write(get("/"))
          const gone = clients.map((client) => new Promise((resolve) => client.once("disconnect", resolve)))
          child.signal("SIGTERM")
          await waitFor("both to be told", Promise.all(gone), limit)
          expect(await responseOf(http)).toMatchObject({ status: 200, complete: true })
        })
      } finally {
        clients.forEach((client) => client.disconnect())
      }
      await exits(child)
      expect(child.stdout().match(/a client has gone/g)).toHaveLength(2)
    }))

  for (const name of ["https", "http2"]) {
    it(`${name}: HTTP/1.1 over TLS, a request that is running at SIGTERM is answered, and told to close`, () =>
      withExample(name, async ({ child, target }) => {
        const agent = new Https.Agent({ keepAlive: true, rejectUnauthorized: false })
        const send = async (path: string) => {
          const request = Https.get({ host: "127.0.0.1", port: target.port, path, agent })
          const [response] = await once(request, "response") as [Http.IncomingMessage]
          let body = ""
          for await (const chunk of response) body += String(chunk)
          return { connection: response.headers.connection, body }
        }
        try {
          expect(await send("/")).toEqual({ connection: "keep-alive", body: "hello\n" })
          const slow = send("/slow")
          setTimeout(() => child.signal("SIGTERM"), 200)
          expect(await slow).toEqual({ connection: "close", body: "hello, one second later\n" })
        } finally {
          agent.destroy()
        }
        await exits(child)
      }))
  }

  it("http2: a stream that is running at SIGTERM is answered, and its session told to go away", () =>
    withExample("http2", async ({ child, target }) => {
      const session = Http2.connect(`https://127.0.0.1:${target.port}`, { rejectUnauthorized: false })
      const goneAway = once(session, "goaway")
      const closed = once(session, "close")
      const stream = session.request({ ":path": "/slow" })
      // the server has read what was sent before its answer to this
      await new Promise<void>((resolve) => {
        session.once("connect", () => session.ping(() => resolve()))
      })
      child.signal("SIGTERM")
      await waitFor("GOAWAY", goneAway, limit)
      let body = ""
      for await (const chunk of stream) body += String(chunk)
      expect(body).toBe("hello, one second later\n")
      await waitFor("the session to close", closed, limit)
      await exits(child)
    }))
})
