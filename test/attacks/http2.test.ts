import type * as Http2 from "node:http2"
import { describe, expect, it } from "vitest"
import { certificate } from "../support/certificate.js"
import * as Frames from "../support/http2Frames.js"
import { connect as connectRaw } from "../support/rawClient.js"
import { deferred, pace, waitFor } from "../support/wait.js"
import { type Arena, arena, big, createServer, limit, makeWork, policy, type Wire } from "./arena.js"

const wires: ReadonlyArray<Wire> = ["h2c", "h2"]

const connect = async (
  { port }: Arena,
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

const isNew = ({ protocol, state }: { readonly protocol: string; readonly state: string }) =>
  protocol === "h2" && state === "New"

/** Where the deadline is what is tested. */
const short = { policy: { timeout: 1000 } }

const clean = { outcome: "Drained", cut: [], forced: [] }

for (const wire of wires) {
  describe(`a client of ${wire} that`, () => {
    const beginnings = {
      "says nothing": Buffer.alloc(0),
      "sends half a preface": Frames.preface.subarray(0, 12),
      "sends a preface and no SETTINGS": Frames.preface,
      "stops after half of its SETTINGS": Buffer.concat([Frames.preface, Frames.settings({ 3: 100 }).subarray(0, 11)])
    }
    for (const [what, bytes] of Object.entries(beginnings)) {
      it(`${what} is New until its grace is over`, () =>
        arena(wire, async (on, onLeave) => {
          const honest = await on.honest()
          const client = await connect(on, wire, onLeave, { settings: false, deaf: true })
          if (bytes.length > 0) await client.write(bytes)
          await on.untilSeen("a session without SETTINGS", (all) => all.some(isNew))
          const ended = on.shutdown()
          await on.untilPhase("Draining")
          on.work.release()
          expect(await honest.answer).toBe("first last")
          const { millis, report } = await ended
          expect(report).toMatchObject({ ...clean, served: 1 })
          expect(report.connections).toMatchObject({ open: 2, left: 1, dismissed: 1, cut: 0 })
          expect(millis).toBeLessThan(policy.timeout)
          await client.untilEnded(limit)
        }))
    }

    it("speaks another protocol is let go", () =>
      arena(wire, async (on, onLeave) => {
        const honest = await on.honest()
        const raws = [await connectRaw({ port: on.port }), await connectRaw({ port: on.port })]
        for (const raw of raws) onLeave(raw.leave)
        await raws[0]?.write("GET / HTTP/1.1\r\nHost: test\r\n\r\n")
        await on.untilSeen("the connection that says nothing", (all) => all.length >= 2)
        const ended = on.shutdown()
        await on.untilPhase("Draining")
        await raws[1]?.write(Buffer.alloc(64 * 1024, 7))
        for (const raw of raws) expect(await raw.untilEnded(limit)).not.toBe("open")
        on.work.release()
        expect(await honest.answer).toBe("first last")
        expect((await ended).report).toMatchObject({ ...clean, served: 1 })
      }))

    it("never acknowledges SETTINGS or PINGs has its answer", () =>
      arena(wire, async (on, onLeave) => {
        const honest = await on.honest()
        const client = await connect(on, wire, onLeave, { deaf: true })
        await client.write(Frames.request(1, "/slow"))
        await client.untilFrame("DATA", 1, limit)
        const ended = on.shutdown()
        await client.untilFrame("GOAWAY", 0, limit)
        on.work.release()
        expect(await client.untilResponse(1, limit)).toEqual({ status: 200, body: "first last" })
        expect(await honest.answer).toBe("first last")
        const { millis, report } = await ended
        expect(report).toMatchObject({ ...clean, served: 2 })
        expect(millis).toBeLessThan(policy.timeout)
      }))

    it("never closes after our GOAWAY, and never reads, holds the drain for the linger and no longer", () =>
      arena(wire, async (on, onLeave) => {
        const honest = await on.honest()
        const idle = await connect(on, wire, onLeave, { keepHalfOpen: true, deaf: true })
        await idle.write(Frames.request(1))
        await idle.untilResponse(1, limit)
        const busy = await connect(on, wire, onLeave, { keepHalfOpen: true, deaf: true })
        await busy.write(Frames.request(1, "/slow"))
        await busy.untilFrame("DATA", 1, limit)
        idle.pause()
        busy.pause()
        const ended = on.shutdown()
        await on.untilPhase("Draining")
        on.work.release()
        expect(await honest.answer).toBe("first last")
        const { millis, report } = await ended
        expect(report).toMatchObject({ ...clean, served: 2 })
        expect(millis).toBeLessThan(1500)
      }))

    it("has no window for the stream is cut at the deadline, and named", () =>
      arena(wire, async (on, onLeave) => {
        const honest = await on.honest()
        const client = await connect(on, wire, onLeave, { settings: { [Frames.setting.initialWindowSize]: 0 } })
        await client.write(Frames.request(1), Frames.request(3, "/slow"), Frames.request(5, "/silent"))
        await client.untilFrame("HEADERS", 3, limit)
        const ended = on.shutdown()
        await on.untilPhase("Draining")
        on.work.release()
        expect(await honest.answer).toBe("first last")
        const { report } = await ended
        expect(report.outcome).toBe("DeadlineExceeded")
        expect(report.cut).toMatchObject([
          { stream: 1, path: "/", answer: "truncated" },
          { stream: 3, path: "/slow", answer: "truncated" },
          { stream: 5, path: "/silent", answer: "503" }
        ])
        expect(report.connections).toMatchObject({ open: 2, cut: 1 })
        const head = await client.untilFrame("HEADERS", 5, limit)
        expect(Frames.statusOf(head)).toBe(503)
      }, short))

    it("has no window for the connection is cut at the deadline, and named", () =>
      arena(wire, async (on, onLeave) => {
        const honest = await on.honest()
        const client = await connect(on, wire, onLeave, {
          settings: { [Frames.setting.initialWindowSize]: 1024 * 1024 * 1024 }
        })
        await client.write(Frames.request(1, "/big"))
        await waitFor(
          "all that the window of the connection allows",
          () => client.of("DATA", 1).reduce((sum, { payload }) => sum + payload.length, 0) === 65_535,
          limit
        )
        const ended = on.shutdown()
        await on.untilPhase("Draining")
        on.work.release()
        expect(await honest.answer).toBe("first last")
        const { report } = await ended
        expect(report).toMatchObject({ outcome: "DeadlineExceeded", cut: [{ stream: 1, answer: "truncated" }] })
        expect(Frames.codeOf(await client.untilFrame("RST_STREAM", 1, limit))).not.toBe(Frames.code.noError)
      }, short))

    it("opens its window little by little has the whole answer", () =>
      arena(wire, async (on, onLeave) => {
        const honest = await on.honest()
        const client = await connect(on, wire, onLeave)
        await client.write(Frames.request(1, "/big"))
        await client.untilFrame("DATA", 1, limit)
        const ended = on.shutdown()
        await client.untilFrame("GOAWAY", 0, limit)
        on.work.release()
        const bytes = () => client.of("DATA", 1).reduce((sum, { payload }) => sum + payload.length, 0)
        // 64 steps, some 10 ms apart
        const step = big.length / 64
        for (let allowed = 0; allowed < big.length; allowed += step) {
          await client.write(Frames.windowUpdate(0, step), Frames.windowUpdate(1, step))
          await pace(10)
        }
        const { body, status } = await client.untilResponse(1, limit)
        expect(status).toBe(200)
        expect(bytes()).toBe(big.length)
        expect(body).toBe(big.toString())
        expect(await honest.answer).toBe("first last")
        expect((await ended).report).toMatchObject({ ...clean, served: 2 })
      }, { policy: { timeout: 15_000 } }))

    for (const reads of [true, false]) {
      it(`floods us with PINGs ${reads ? "" : "whose answers it does not read "}disturbs nobody`, () =>
        arena(wire, async (on, onLeave) => {
          const honest = await on.honest()
          const client = await connect(on, wire, onLeave)
          await client.write(Frames.request(1, "/slow"))
          await client.untilFrame("DATA", 1, limit)
          if (!reads) client.pause()
          const ended = on.shutdown()
          await on.untilPhase("Draining")
          const flood = Buffer.concat(Array.from({ length: 1000 }, () => Frames.ping()))
          for (let i = 0; i < 50 && client.ending === "open"; i++) {
            void client.write(flood)
            await pace(2)
          }
          on.work.release()
          expect(await honest.answer).toBe("first last")
          const { report } = await ended
          for (const { path } of report.cut) expect(path).toBe("/slow")
        }))
    }

    it("opens and resets streams in the thousands has none executed and forgotten", () =>
      arena(wire, async (on, onLeave) => {
        const honest = await on.honest()
        const client = await connect(on, wire, onLeave)
        await client.write(Frames.request(1, "/slow"))
        await client.untilFrame("DATA", 1, limit)
        let stream = 3
        const burst = (count: number) =>
          Buffer.concat(Array.from({ length: count }, () => {
            const id = stream
            stream += 2
            return Buffer.concat([Frames.request(id, "/slow"), Frames.rstStream(id)])
          }))
        void client.write(burst(500))
        const ended = on.shutdown()
        for (let i = 0; i < 20 && client.ending === "open"; i++) {
          void client.write(burst(250))
          await pace(2)
        }
        on.work.release()
        expect(await honest.answer).toBe("first last")
        const { millis, report } = await ended
        expect(report).toMatchObject(clean)
        expect(millis).toBeLessThan(policy.timeout)
      }))

    it("goes on opening streams after GOAWAY has none of them executed", () =>
      arena(wire, async (on, onLeave) => {
        const honest = await on.honest()
        const client = await connect(on, wire, onLeave)
        await client.write(Frames.request(1, "/slow"))
        await client.untilFrame("DATA", 1, limit)
        const ended = on.shutdown()
        const goaway = await client.untilFrame("GOAWAY", 0, limit)
        expect(Frames.lastStreamOf(goaway)).toBe(1)
        const { executed } = on.work
        let stream = 3
        for (let i = 0; i < 100 && client.ending === "open"; i++) {
          void client.write(...Array.from({ length: 20 }, () => Frames.request(stream += 2)))
          await pace(1)
        }
        expect(on.work.executed).toBe(executed)
        on.work.release()
        expect(await client.untilResponse(1, limit)).toEqual({ status: 200, body: "first last" })
        expect(await honest.answer).toBe("first last")
        expect((await ended).report).toMatchObject({ ...clean, served: 2 })
        expect(on.work.executed).toBe(executed)
      }))

    it("has streams on the wire while the GOAWAY is sent has each of them answered or refused", () =>
      arena(wire, async (on, onLeave) => {
        const honest = await on.honest()
        const clients = await Promise.all(Array.from({ length: 8 }, () => connect(on, wire, onLeave)))
        const sent = clients.map(() => 0)
        let sending = true
        const loops = clients.map(async (client, i) => {
          while (sending && client.ending === "open" && client.of("GOAWAY").length === 0) {
            const first = sent[i]! * 2 + 1
            sent[i]! += 3
            void client.write(Frames.request(first), Frames.request(first + 2), Frames.request(first + 4))
            await new Promise((resolve) => setImmediate(resolve))
          }
        })
        await waitFor("many requests", () => on.work.executed > 300, limit)
        const before = on.work.executed
        const ended = on.shutdown()
        await on.untilPhase("Draining")
        await Promise.all(loops)
        sending = false
        on.work.release()
        expect(await honest.answer).toBe("first last")
        const { report } = await ended
        expect(report).toMatchObject(clean)
        expect(before).toBeGreaterThan(300)
        let answered = 0
        for (const [i, client] of clients.entries()) {
          await client.untilEnded(limit)
          const last = Math.max(...client.of("GOAWAY").map(Frames.lastStreamOf).slice(-1))
          for (let n = 0; n < sent[i]!; n++) {
            const stream = n * 2 + 1
            const head = client.of("HEADERS", stream)
            const resets = client.of("RST_STREAM", stream).map(Frames.codeOf)
            if (head.length === 1) {
              answered++
              expect(Frames.statusOf(head[0]!)).toBe(200)
              expect(client.of("DATA", stream).some(({ flags }) => (flags & Frames.flag.endStream) !== 0)).toBe(true)
            } else if (resets.length > 0) expect(resets).toEqual([Frames.code.refusedStream])
            else expect(stream).toBeGreaterThan(last)
          }
        }
        expect(answered).toBe(on.work.executed - 1)
      }))

    it("sends CONTINUATION without end is cut off, and disturbs nobody", () =>
      arena(wire, async (on, onLeave) => {
        const honest = await on.honest()
        const client = await connect(on, wire, onLeave)
        await client.write(Frames.request(1, "/slow"))
        await client.untilFrame("DATA", 1, limit)
        const ended = on.shutdown()
        await on.untilPhase("Draining")
        await client.write(Frames.headers(3, { ":method": "GET" }, { endHeaders: false }))
        const field = Buffer.concat([
          Buffer.from([0, 4]),
          Buffer.from("x-xx"),
          Buffer.from([100]),
          Buffer.alloc(100, 97)
        ])
        const more = Frames.frame("CONTINUATION", 0, 3, Buffer.concat(Array.from({ length: 50 }, () => field)))
        for (let i = 0; i < 200 && client.ending === "open"; i++) {
          void client.write(more)
          await pace(1)
        }
        on.work.release()
        expect(await honest.answer).toBe("first last")
        const { millis, report } = await ended
        expect(report).toMatchObject({ ...clean, served: 1 })
        expect(millis).toBeLessThan(policy.timeout)
      }))

    it("stops in the middle of a header block is owed nothing", () =>
      arena(wire, async (on, onLeave) => {
        const honest = await on.honest()
        const clients = await Promise.all([connect(on, wire, onLeave), connect(on, wire, onLeave)])
        await clients[0]?.write(Frames.headers(1, { ":method": "GET" }, { endHeaders: false }))
        await clients[1]?.write(Frames.request(1), Frames.request(3).subarray(0, 20))
        await clients[1]?.untilResponse(1, limit)
        const ended = on.shutdown()
        await on.untilPhase("Draining")
        on.work.release()
        expect(await honest.answer).toBe("first last")
        const { millis, report } = await ended
        expect(report).toMatchObject({ ...clean, served: 1 })
        expect(millis).toBeLessThan(policy.timeout)
      }))

    it("sends DATA on streams that are closed disturbs nobody", () =>
      arena(wire, async (on, onLeave) => {
        const honest = await on.honest()
        const client = await connect(on, wire, onLeave)
        await client.write(Frames.request(1), Frames.request(3, "/slow"))
        await client.untilResponse(1, limit)
        await client.untilFrame("DATA", 3, limit)
        const ended = on.shutdown()
        await on.untilPhase("Draining")
        await client.write(Frames.data(1, "late"), Frames.data(1, "later"), Frames.rstStream(3), Frames.data(3, "late"))
        on.work.release()
        expect(await honest.answer).toBe("first last")
        const { millis, report } = await ended
        expect(report).toMatchObject(clean)
        expect(millis).toBeLessThan(policy.timeout)
      }))

    // Node does not notice that nghttp2 has ended such a session, and will neither read nor write any more
    const endings = {
      "on a stream that never was open": Frames.data(99, "x"),
      "on no stream": Frames.data(0, "x")
    }
    for (const [what, bytes] of Object.entries(endings)) {
      it(`sends DATA ${what} has lost its streams, and no one else's`, () =>
        arena(wire, async (on, onLeave) => {
          const honest = await on.honest()
          const idle = await connect(on, wire, onLeave, { keepHalfOpen: true })
          await idle.write(Frames.request(1))
          await idle.untilResponse(1, limit)
          const clients = await Promise.all([1, 2].map(() => connect(on, wire, onLeave, { keepHalfOpen: true })))
          for (const client of clients) {
            await client.write(Frames.request(1, "/slow"))
            await client.untilFrame("DATA", 1, limit)
          }
          await idle.write(bytes)
          await clients[0]?.write(bytes)
          await clients[0]?.untilFrame("GOAWAY", 0, limit)
          const ended = on.shutdown()
          await on.untilPhase("Draining")
          await clients[1]?.write(bytes)
          await waitFor("two GOAWAYs", () => clients[1]?.of("GOAWAY").length === 2, limit)
          on.work.release()
          expect(await honest.answer).toBe("first last")
          const { report } = await ended
          expect(report.cut).toMatchObject([{ path: "/slow", answer: "truncated" }, {
            path: "/slow",
            answer: "truncated"
          }])
          expect(report.connections).toMatchObject({ open: 4, cut: 2 })
        }, short))
    }

    for (const error of [Frames.code.noError, Frames.code.protocolError, Frames.code.enhanceYourCalm]) {
      it(`sends a GOAWAY of its own, with code ${error}, leaves`, () =>
        arena(wire, async (on, onLeave) => {
          const honest = await on.honest()
          const clients = await Promise.all([connect(on, wire, onLeave), connect(on, wire, onLeave)])
          for (const client of clients) {
            await client.write(Frames.request(1, "/slow"))
            await client.untilFrame("DATA", 1, limit)
          }
          await clients[0]?.write(Frames.goaway(0, error))
          const ended = on.shutdown()
          await on.untilPhase("Draining")
          await clients[1]?.write(Frames.goaway(0, error))
          on.work.release()
          expect(await honest.answer).toBe("first last")
          const { millis, report } = await ended
          expect(report).toMatchObject(clean)
          expect(millis).toBeLessThan(policy.timeout)
        }))
    }

    it("has closed its side, with a stream in flight, is let go", () =>
      arena(wire, async (on, onLeave) => {
        const honest = await on.honest()
        const clients = await Promise.all(
          [1, 2].map(() => connect(on, wire, onLeave, { keepHalfOpen: true }))
        )
        for (const client of clients) {
          await client.write(Frames.request(1, "/slow"))
          await client.untilFrame("DATA", 1, limit)
        }
        clients[0]?.socket.end()
        const ended = on.shutdown()
        await on.untilPhase("Draining")
        clients[1]?.socket.end()
        on.work.release()
        expect(await honest.answer).toBe("first last")
        const { millis, report } = await ended
        expect(report).toMatchObject(clean)
        expect(millis).toBeLessThan(policy.timeout)
      }))

    it("does not read is cut at the deadline, and named", () =>
      arena(wire, async (on, onLeave) => {
        const honest = await on.honest()
        const client = await connect(on, wire, onLeave, {
          settings: { [Frames.setting.initialWindowSize]: 2 ** 30 }
        })
        const requests = Array.from({ length: 10 }, (_, i) => Frames.request(2 * i + 1, "/big"))
        await client.write(Frames.windowUpdate(0, 2 ** 30), ...requests)
        client.pause()
        // what it does not read keeps the session from reading the last ones
        for (let before = 1; before !== on.work.executed;) {
          before = on.work.executed
          await pace(200)
        }
        const ended = on.shutdown()
        await on.untilPhase("Draining")
        on.work.release()
        expect(await honest.answer).toBe("first last")
        const { report } = await ended
        expect(report.outcome).toBe("DeadlineExceeded")
        expect(new Set(report.cut.map(({ answer, path }) => `${path} ${answer}`))).toEqual(new Set(["/big truncated"]))
      }, short))

    it("has its whole answer, and never ends the body of its request, is let go after the linger", () => {
      const work = makeWork()
      const node = createServer(wire, (request, response) => {
        if (request.url !== "/early") return work.handler(request, response)
        request.once("data", () => {
          if (request.headers["x-then"] === "pause") request.pause()
          response.writeHead(413).end("too much")
        })
      })
      return arena(wire, async (on, onLeave) => {
        const honest = await on.honest()
        const client = await connect(on, wire, onLeave)
        for (const [stream, then] of [[1, "read"], [3, "pause"]] as const) {
          const options = { method: "POST", endStream: false, headers: { "x-then": then } }
          await client.write(Frames.request(stream, "/early", options), Frames.data(stream, "and so on", false))
          expect(await client.untilResponse(stream, limit)).toEqual({ status: 413, body: "too much" })
        }
        const ended = on.shutdown()
        await on.untilPhase("Draining")
        on.work.release()
        expect(await honest.answer).toBe("first last")
        const { millis, report } = await ended
        expect(report).toMatchObject({ ...clean, served: 3 })
        expect(millis).toBeLessThan(policy.timeout)
        for (const stream of [1, 3]) {
          expect(client.of("RST_STREAM", stream).map(Frames.codeOf)).toEqual([Frames.code.noError])
        }
      }, { work, node })
    })

    it("resets its streams with an error while they wait for the listener to close ends nothing but them", () => {
      let executed = 0
      // whoever listens for streams has to listen for their errors, and can only when they come
      const node = createServer(wire)
      const released = deferred()
      node.on("stream", (stream: Http2.ServerHttp2Stream, { ":path": path }: Http2.IncomingHttpHeaders) => {
        executed++
        stream.on("error", () => {})
        stream.respond()
        stream.write("first ")
        void released.promise.then(() => stream.destroyed || stream.end("last"))
        if (path !== "/slow") stream.end()
      })
      return arena(wire, async (on, onLeave) => {
        const honest = await on.honest()
        const client = await connect(on, wire, onLeave)
        await client.untilTaken(limit)
        const ended = on.shutdown()
        const codes = [Frames.code.protocolError, Frames.code.internalError, Frames.code.enhanceYourCalm]
        await client.write(
          ...codes.flatMap((code, i) => [Frames.request(2 * i + 1), Frames.rstStream(2 * i + 1, code)])
        )
        await client.untilEnded(limit)
        await on.untilPhase("Draining")
        released.resolve()
        expect(await honest.answer).toBe("first last")
        expect((await ended).report).toMatchObject({ ...clean, served: 1 })
        expect(executed).toBe(1)
      }, { node })
    })

    it("never ends the body of its request is cut at the deadline, and named", () =>
      arena(wire, async (on, onLeave) => {
        const honest = await on.honest()
        const client = await connect(on, wire, onLeave)
        await client.write(
          Frames.request(1, "/silent", { method: "POST", endStream: false }),
          Frames.data(1, "and so on", false)
        )
        await waitFor("its request", () => on.work.executed === 2, limit)
        const ended = on.shutdown()
        await on.untilPhase("Draining")
        on.work.release()
        expect(await honest.answer).toBe("first last")
        const timer = setInterval(() => void client.write(Frames.data(1, "and on", false)), 50)
        try {
          const { report } = await ended
          expect(report).toMatchObject({
            outcome: "DeadlineExceeded",
            served: 1,
            cut: [{ path: "/silent", stream: 1, answer: "503" }]
          })
        } finally {
          clearInterval(timer)
        }
      }, short))
  })
}
