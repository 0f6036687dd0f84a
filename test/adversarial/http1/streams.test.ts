import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as Tls from "node:tls"
import { describe, expect, it } from "vitest"
import { certificate } from "../../support/certificate.js"
import * as HttpRouter from "../../support/effect/httpRouter.js"
import { get } from "../../support/httpRequests.js"
import { createServer, type Wire } from "../../support/nodeServer.js"
import { connect } from "../../support/rawClient.js"
import { pace, waitFor } from "../../support/wait.js"
import { type AttackedServer, makeWork, type Options, policy, withAttackedServer } from "../support/attackedServer.js"
import { limit } from "../support/boundedShutdown.js"

const wires: ReadonlyArray<Wire> = ["http", "https"]

/** A client that writes what it is told, and can stop reading. */
const open = async ({ port }: AttackedServer, wire: Wire, onLeave: (leave: () => void) => void) => {
  const raw = await connect({ port }, { keepHalfOpen: true })
  onLeave(raw.leave)
  if (wire === "http") {
    return {
      write: (text: string) => void raw.write(text),
      text: raw.text,
      stopReading: raw.pause
    }
  }
  const secure = Tls.connect({ socket: raw.socket, ca: certificate.cert, host: "127.0.0.1" })
  onLeave(() => secure.destroy())
  let text = ""
  secure.on("error", () => {})
  secure.on("data", (piece) => {
    text += String(piece)
  })
  await waitFor("the handshake", new Promise<void>((resolve) => secure.once("secureConnect", resolve)), limit)
  return {
    write: (piece: string) => {
      if (secure.writable) secure.write(piece)
    },
    text: () => text,
    stopReading: () => {
      secure.pause()
      raw.pause()
    }
  }
}

/** An Effect app with event streams, and with a handler that reads a whole body. */
const options = (wire: Wire): Options & { readonly flooded: () => number } => {
  const work = makeWork()
  let flooded = 0
  const flood = Stream.repeatEffect(Effect.sync(() => {
    flooded++
    return `data: ${"x".repeat(10_000)}\n\n`
  }))
  const eventStream = (events: Stream.Stream<string>) =>
    HttpServerResponse.stream(Stream.encodeText(events), { contentType: "text/event-stream" })
  const slow = Stream.concat(
    Stream.make("first "),
    Stream.fromEffect(Effect.as(Effect.promise(() => work.released), "last"))
  )
  const app = HttpRouter.empty.pipe(
    HttpRouter.get("/slow", HttpServerResponse.stream(Stream.encodeText(slow))),
    HttpRouter.get("/events", eventStream(Stream.concat(Stream.make("data: one\n\n"), Stream.never))),
    HttpRouter.get("/flood", eventStream(flood)),
    HttpRouter.post(
      "/body",
      Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => request.text).pipe(
        Effect.map((text) => HttpServerResponse.text(text))
      )
    ),
    Effect.catchAll(() => Effect.succeed(HttpServerResponse.empty({ status: 500 })))
  )
  return { work, app, node: createServer(wire), flooded: () => flooded }
}

for (const wire of wires) {
  describe(`over ${wire}`, () => {
    it("a reader of events that has stopped reading, and had little to read, holds nobody up", () =>
      withAttackedServer(wire, async (on, onLeave) => {
        const honest = await on.honest()
        const reader = await open(on, wire, onLeave)
        reader.write(get("/events"))
        await waitFor("an event", () => reader.text().includes("data: one"), limit)
        reader.stopReading()
        const { millis, report } = await on.drain(honest)
        expect(report).toMatchObject({ outcome: "Drained", served: 2, cut: [], forceClosed: [] })
        expect(millis).toBeLessThan(policy.timeout)
      }, options(wire)))

    it("a reader of events that has stopped reading in the middle of a flood is cut at the deadline, and named", () => {
      const { flooded, ...flooding } = options(wire)
      return withAttackedServer(wire, async (on, onLeave) => {
        const honest = await on.honest()
        const reader = await open(on, wire, onLeave)
        reader.write(get("/flood"))
        await waitFor("an event", () => reader.text().includes("data: xxx"), limit)
        reader.stopReading()
        // until what the system holds for it is full
        for (let before = -1; before !== flooded();) {
          before = flooded()
          await pace(200)
        }
        const { report } = await on.drain(honest)
        expect(report).toMatchObject({
          outcome: "DeadlineExceeded",
          cut: [{ path: "/flood", clientReceived: "truncated" }]
        })
        expect(report.handlers.abandoned).toBe(0)
      }, { ...flooding, policy: { timeout: 1000 } })
    })

    it("a body in chunks that never ends is cut at the deadline, and answered with 503", () =>
      withAttackedServer(wire, async (on, onLeave) => {
        const honest = await on.honest()
        const writer = await open(on, wire, onLeave)
        writer.write("POST /body HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n")
        const timer = setInterval(() => writer.write("5\r\nmore \r\n"), 10)
        try {
          await on.untilSeen("its request", (all) => all.some(({ inFlight }) => inFlight[0]?.path === "/body"))
          const { report } = await on.drain(honest)
          expect(report).toMatchObject({ outcome: "DeadlineExceeded", cut: [{ path: "/body", clientReceived: "503" }] })
          await waitFor(
            () => `its answer, not ${writer.text()}`,
            () => writer.text().startsWith("HTTP/1.1 503 "),
            limit
          )
        } finally {
          clearInterval(timer)
        }
      }, { ...options(wire), policy: { timeout: 1000 } }))

    it("a head that comes byte by byte is owed nothing", () =>
      withAttackedServer(wire, async (on, onLeave) => {
        const honest = await on.honest()
        const writer = await open(on, wire, onLeave)
        writer.write("GET / HTTP/1.1\r\nX-Slow: ")
        const timer = setInterval(() => writer.write("x"), 10)
        try {
          await on.untilSeen("it", (all) => all.length === 2)
          const { report } = await on.drain(honest)
          expect(report).toMatchObject({ outcome: "Drained", cut: [], forceClosed: [{ state: "New" }] })
        } finally {
          clearInterval(timer)
        }
      }, { ...options(wire), policy: { timeout: 1000 } }))
  })
}
