import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Effect from "effect/Effect"
import * as EffectStream from "effect/Stream"
import * as Http from "node:http"
import type { Duplex } from "node:stream"
import { describe, expect, it } from "vitest"
import { WebSocket, WebSocketServer } from "ws"
import { certificate } from "../../support/certificate.js"
import * as HttpRouter from "../../support/effect/httpRouter.js"
import { webSocketHandshake } from "../../support/httpRequests.js"
import { createServer } from "../../support/nodeServer.js"
import { connect, type RawClient } from "../../support/rawClient.js"
import { receive, writerOf } from "../../support/sockets.js"
import { deferred, waitFor } from "../../support/wait.js"
import { type AttackedServer, makeWork, type Options, policy, withAttackedServer } from "../support/attackedServer.js"
import { limit } from "../support/boundedShutdown.js"

/** A frame of a client (RFC 6455, section 5.2), masked with zeros. */
const frame = (opcode: number, payload: Buffer, fin = true): Buffer => {
  const { length } = payload
  const head = length < 126 ? Buffer.from([0, 0x80 | length]) : Buffer.from([0, 0x80 | 126, length >> 8, length & 0xff])
  head[0] = (fin ? 0x80 : 0) | opcode
  return Buffer.concat([head, Buffer.alloc(4), payload])
}

const opcode = { continuation: 0, text: 1, close: 8, ping: 9 } as const

/** Our close frame, with code 1001 and why. */
const goingAway = Buffer.concat([
  Buffer.from([0x88, 2 + "the server is shutting down".length, 0x03, 0xe9]),
  Buffer.from("the server is shutting down")
])

const untilTold = (raw: RawClient) =>
  waitFor(
    () => `the close frame, not ${raw.received().toString("latin1")}`,
    () => raw.received().includes(goingAway),
    limit
  )

/** What answers WebSockets. */
const servers: Record<string, () => Options> = {
  "ws": () => {
    const work = makeWork()
    const node = Http.createServer(work.handler as unknown as Http.RequestListener)
    const sockets = new WebSocketServer({ server: node })
    sockets.on("connection", (socket) => {
      socket.on("error", () => {})
      socket.on("message", (data) => socket.send(data))
    })
    return { work, node }
  },
  "an Effect app": () => {
    const work = makeWork()
    const slow = EffectStream.concat(
      EffectStream.make("first "),
      EffectStream.fromEffect(Effect.as(Effect.promise(() => work.released), "last"))
    )
    const app = HttpRouter.empty.pipe(
      HttpRouter.get("/slow", HttpServerResponse.stream(EffectStream.encodeText(slow))),
      HttpRouter.get(
        "/socket",
        Effect.gen(function*() {
          const request = yield* HttpServerRequest.HttpServerRequest
          const socket = yield* request.upgrade
          const write = yield* writerOf(socket)
          yield* Effect.ignore(receive(socket, (data) => write(data)))
          return HttpServerResponse.empty()
        }).pipe(Effect.scoped)
      ),
      Effect.catchAll(() => Effect.succeed(HttpServerResponse.empty({ status: 500 })))
    )
    return { work, app }
  }
}

const open = async ({ port }: AttackedServer, onLeave: (leave: () => void) => void, keepHalfOpen = true) => {
  const raw = await connect({ port }, { keepHalfOpen })
  onLeave(raw.leave)
  await raw.write(webSocketHandshake("/socket"))
  await raw.untilText("\r\n\r\n", limit)
  expect(raw.text()).toMatch(/^HTTP\/1.1 101 /)
  return raw
}

/** Peers that ignore the close frame; what they do before and after it. */
const peers: Record<
  string,
  { readonly before?: Buffer; readonly once?: Buffer; readonly after?: Buffer }
> = {
  "stays silent": {},
  "has sent half of a frame's head": { before: frame(opcode.text, Buffer.from("hello")).subarray(0, 1) },
  "has sent half of a frame": { before: frame(opcode.text, Buffer.alloc(1000, 97)).subarray(0, 500) },
  "has sent half of a message": { before: frame(opcode.text, Buffer.alloc(100, 97), false) },
  "goes on sending messages": { after: frame(opcode.text, Buffer.alloc(1000, 97)) },
  "goes on sending PINGs": { after: frame(opcode.ping, Buffer.from("ping")) },
  "sends fragments without end": {
    before: frame(opcode.text, Buffer.alloc(100, 97), false),
    after: frame(opcode.continuation, Buffer.alloc(1000, 97), false)
  },
  "sends half of its own close frame": { once: frame(opcode.close, Buffer.from([0x03, 0xe9])).subarray(0, 7) }
}

for (const [what, make] of Object.entries(servers)) {
  const short = () => ({ ...make(), policy: { timeout: 1000 } })
  describe(`peers of a WebSocket of ${what}`, () => {
    it(
      `that ignore our close frame are told at the start, and cut at the deadline, which is no failure: one ${
        Object.keys(peers).join(", one ")
      }`,
      () =>
        withAttackedServer("http", async (on, onLeave) => {
          const honest = await on.honest()
          const all = await Promise.all(
            Object.values(peers).map(async (peer) => ({ raw: await open(on, onLeave), ...peer }))
          )
          for (const { before, raw } of all) if (before !== undefined) await raw.write(before)
          const ended = on.shutdown()
          for (const { once, raw } of all) {
            await untilTold(raw)
            if (once !== undefined) await raw.write(once)
          }
          const timer = setInterval(() => {
            for (const { after, raw } of all) if (after !== undefined && raw.ending === "open") void raw.write(after)
          }, 5)
          try {
            on.work.release()
            expect(await honest.answer).toBe("first last")
            const { report } = await ended
            expect(report).toMatchObject({ outcome: "Drained", served: 1, cut: [] })
            expect(report.forceClosed).toHaveLength(all.length)
            expect(new Set(report.forceClosed.map(({ protocol, state }) => `${protocol} ${state}`)))
              .toEqual(new Set(["websocket Hijacked"]))
          } finally {
            clearInterval(timer)
          }
        }, short())
    )
  })

  describe(`a peer of a WebSocket of ${what}`, () => {
    it("that answers with its last message first is waited for", () =>
      withAttackedServer("http", async (on, onLeave) => {
        const honest = await on.honest()
        const raw = await open(on, onLeave, false)
        await raw.write(frame(opcode.text, Buffer.from("half of a "), false))
        const ended = on.shutdown()
        await untilTold(raw)
        await raw.write(Buffer.concat([
          frame(opcode.continuation, Buffer.from("message")),
          frame(opcode.close, Buffer.from([0x03, 0xe9]))
        ]))
        on.work.release()
        expect(await honest.answer).toBe("first last")
        const { millis, report } = await ended
        expect(report).toMatchObject({ outcome: "Drained", cut: [], forceClosed: [] })
        expect(millis).toBeLessThan(policy.timeout)
      }, make()))

    it("that does not read, and makes us write, is cut at the deadline", () =>
      withAttackedServer("http", async (on, onLeave) => {
        const honest = await on.honest()
        const raw = await open(on, onLeave)
        raw.pause()
        const message = frame(opcode.text, Buffer.alloc(60_000, 97))
        for (let i = 0; i < 300; i++) await raw.write(message)
        expect((await on.drain(honest)).report).toMatchObject({
          outcome: "Drained",
          cut: [],
          forceClosed: [{ protocol: "websocket" }]
        })
      }, short()))

    it("that resets its connection during the drain leaves", () =>
      withAttackedServer("http", async (on, onLeave) => {
        const honest = await on.honest()
        const raw = await open(on, onLeave)
        const ended = on.shutdown()
        await untilTold(raw)
        raw.abort()
        on.work.release()
        expect(await honest.answer).toBe("first last")
        const { report } = await ended
        expect(report).toMatchObject({ outcome: "Drained", cut: [], forceClosed: [] })
        expect(report.connections).toMatchObject({ cut: 0 })
      }, make()))
  })
}

/** A `ws` server that asks whether it may take a WebSocket, and is answered when the test says so. */
const asking = () => {
  const work = makeWork()
  const node = Http.createServer(work.handler as unknown as Http.RequestListener)
  const asked = deferred<(verified: boolean) => void>()
  const sockets = new WebSocketServer({
    server: node,
    verifyClient: (_: unknown, done: (verified: boolean) => void) => asked.resolve(done)
  })
  sockets.on("connection", (socket) => socket.on("error", () => {}))
  return { asked: asked.promise, node, work }
}

describe("an upgrade", () => {
  for (const wire of ["https", "h2"] as const) {
    it(`over ${wire === "h2" ? "the HTTP/1.1 of an HTTP/2 server" : wire} is told 1001, and awaited`, () => {
      const work = makeWork()
      const node = createServer(wire, work.handler)
      const sockets = new WebSocketServer({ noServer: true })
      node.on("upgrade", (request: Http.IncomingMessage, socket: Duplex, head: Buffer) => {
        sockets.handleUpgrade(request, socket, head, (webSocket) => webSocket.on("error", () => {}))
      })
      return withAttackedServer(wire, async (on, onLeave) => {
        const honest = await on.honest()
        const peer = new WebSocket(`wss://127.0.0.1:${on.port}/`, { ca: certificate.cert })
        onLeave(() => peer.terminate())
        await waitFor("the WebSocket", new Promise<void>((resolve) => peer.once("open", resolve)), limit)
        const closed = new Promise<number>((resolve) => peer.once("close", resolve))
        const ended = on.shutdown()
        expect(await waitFor("its end", closed, limit)).toBe(1001)
        on.work.release()
        expect(await honest.answer).toBe("first last")
        expect((await ended).report).toMatchObject({ outcome: "Drained", served: 1, cut: [], forceClosed: [] })
      }, { work, node })
    })
  }

  it("that a `ws` server verifies while the drain starts is told 1001 once it is through", () => {
    const { asked, node, work } = asking()
    return withAttackedServer("http", async (on, onLeave) => {
      const honest = await on.honest()
      const raw = await connect({ port: on.port })
      onLeave(raw.leave)
      await raw.write(webSocketHandshake("/socket"))
      const done = await waitFor("the question", asked, limit)
      const ended = on.shutdown()
      await on.untilPhase("Draining")
      done(true)
      await untilTold(raw)
      await raw.write(frame(opcode.close, Buffer.from([0x03, 0xe9])))
      on.work.release()
      expect(await honest.answer).toBe("first last")
      expect((await ended).report).toMatchObject({ outcome: "Drained", cut: [], forceClosed: [] })
    }, { work, node })
  })

  it("that a `ws` server refuses while the drain goes on leaves", () => {
    const { asked, node, work } = asking()
    return withAttackedServer("http", async (on, onLeave) => {
      const raw = await connect({ port: on.port })
      onLeave(raw.leave)
      await raw.write(webSocketHandshake("/socket"))
      const done = await waitFor("the question", asked, limit)
      const ended = on.shutdown()
      await on.untilPhase("Draining")
      done(false)
      await raw.untilText("401 Unauthorized", limit)
      expect((await ended).report).toMatchObject({ outcome: "Drained", cut: [], forceClosed: [] })
    }, { work, node })
  })

  it("whose handler never answers is cut at the deadline, and named", () => {
    const work = makeWork()
    const node = Http.createServer(work.handler as unknown as Http.RequestListener)
    node.on("upgrade", () => {})
    return withAttackedServer("http", async (on, onLeave) => {
      const honest = await on.honest()
      const raw = await connect({ port: on.port })
      onLeave(raw.leave)
      await raw.write(webSocketHandshake("/socket"))
      await on.untilSeen("the upgrade", (all) => all.some(({ state }) => state === "Hijacked"))
      expect((await on.drain(honest)).report).toMatchObject({ cut: [], forceClosed: [{ protocol: "websocket" }] })
      expect(await raw.untilEnded(limit)).not.toBe("open")
    }, { work, node, policy: { timeout: 1000 } })
  })

  it("whose Effect handler never answers is cut at the deadline, and named", () => {
    const work = makeWork()
    const app = HttpRouter.empty.pipe(
      HttpRouter.get("/socket", Effect.never),
      Effect.catchAll(() => Effect.succeed(HttpServerResponse.empty({ status: 500 })))
    )
    return withAttackedServer("http", async (on, onLeave) => {
      const raw = await connect({ port: on.port })
      onLeave(raw.leave)
      await raw.write(webSocketHandshake("/socket"))
      await on.untilSeen("the upgrade", (all) => all.some(({ inFlight }) => inFlight.length === 1))
      const { report } = await on.shutdown()
      expect(report).toMatchObject({
        outcome: "DeadlineExceeded",
        cut: [{ path: "/socket" }],
        handlers: { interrupted: 1 }
      })
      expect(await raw.untilEnded(limit)).not.toBe("open")
    }, { work, app, policy: { timeout: 1000 } })
  })

  it("by CONNECT, or to a protocol that nobody knows, is cut at the deadline where its peer stays silent", () => {
    const work = makeWork()
    const node = Http.createServer(work.handler as unknown as Http.RequestListener)
    node.on("connect", (_, socket) => socket.write("HTTP/1.1 200 Connection established\r\n\r\n"))
    node.on(
      "upgrade",
      (_, socket) => socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
    )
    return withAttackedServer("http", async (on, onLeave) => {
      const honest = await on.honest()
      for (
        const head of [
          "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n",
          "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"
        ]
      ) {
        const raw = await connect({ port: on.port }, { keepHalfOpen: true })
        onLeave(raw.leave)
        await raw.write(head)
        await raw.untilText("\r\n\r\n", limit)
      }
      const { report } = await on.drain(honest)
      expect(report).toMatchObject({
        outcome: "Drained",
        cut: [],
        forceClosed: [{ protocol: "connect" }, { protocol: "echo" }]
      })
      expect(report.connections).toMatchObject({ open: 3, completed: 1, cut: 2 })
    }, { work, node, policy: { timeout: 1000 } })
  })
})
