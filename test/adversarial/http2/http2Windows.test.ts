import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import * as Frames from "../../support/http2Frames.js"
import { createServer } from "../../support/nodeServer.js"
import { silent } from "../../support/running.js"
import { pace, waitFor } from "../../support/wait.js"
import { big, makeWork, policy, withAttackedServer } from "../support/attackedServer.js"
import { limit } from "../support/boundedShutdown.js"
import { connect, drainedWithoutCuts, oneSecondTimeout, wires } from "./http2Client.js"

for (const wire of wires) {
  describe(`a client of ${wire} that`, () => {
    it("has no window for the stream is cut at the deadline, and named", () =>
      withAttackedServer(wire, async (on, onLeave) => {
        const honest = await on.honest()
        const client = await connect(on, wire, onLeave, { settings: { [Frames.setting.initialWindowSize]: 0 } })
        await client.write(Frames.request(1), Frames.request(3, "/slow"), Frames.request(5, "/silent"))
        await client.untilFrame("HEADERS", 3, limit)
        const { report } = await on.drain(honest)
        expect(report.outcome).toBe("DeadlineExceeded")
        expect(report.cut).toMatchObject([
          { stream: 1, path: "/", clientReceived: "truncated" },
          { stream: 3, path: "/slow", clientReceived: "truncated" },
          { stream: 5, path: "/silent", clientReceived: "503" }
        ])
        expect(report.connections).toMatchObject({ open: 2, cut: 1 })
        const head = await client.untilFrame("HEADERS", 5, limit)
        expect(Frames.statusOf(head)).toBe(503)
      }, oneSecondTimeout))

    it("has no window for the connection is cut at the deadline, and named", () =>
      withAttackedServer(wire, async (on, onLeave) => {
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
        const { report } = await on.drain(honest)
        expect(report).toMatchObject({ outcome: "DeadlineExceeded", cut: [{ stream: 1, clientReceived: "truncated" }] })
        expect(Frames.codeOf(await client.untilFrame("RST_STREAM", 1, limit))).not.toBe(Frames.code.noError)
      }, oneSecondTimeout))

    it("opens its window little by little has the whole response", () =>
      withAttackedServer(wire, async (on, onLeave) => {
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
        expect((await ended).report).toMatchObject({ ...drainedWithoutCuts, served: 2 })
      }, { policy: { timeout: 15_000 } }))

    it("does not read is cut at the deadline, and named", () =>
      withAttackedServer(wire, async (on, onLeave) => {
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
        const { report } = await on.drain(honest)
        expect(report.outcome).toBe("DeadlineExceeded")
        expect(new Set(report.cut.map(({ clientReceived, path }) => `${path} ${clientReceived}`))).toEqual(
          new Set(["/big truncated"])
        )
      }, oneSecondTimeout))

    it("has its whole response, and never ends the body of its request, is let go after the linger", () => {
      const work = makeWork()
      const node = createServer(wire, (request, response) => {
        if (request.url !== "/early") return work.handler(request, response)
        request.once("data", () => {
          if (request.headers["x-then"] === "pause") request.pause()
          response.writeHead(413).end("too much")
        })
      })
      return withAttackedServer(wire, async (on, onLeave) => {
        const honest = await on.honest()
        const client = await connect(on, wire, onLeave)
        for (const [stream, then] of [[1, "read"], [3, "pause"]] as const) {
          const options = { method: "POST", endStream: false, headers: { "x-then": then } }
          await client.write(Frames.request(stream, "/early", options), Frames.data(stream, "and so on", false))
          expect(await client.untilResponse(stream, limit)).toEqual({ status: 413, body: "too much" })
        }
        const { millis, report } = await on.drain(honest)
        expect(report).toMatchObject({ ...drainedWithoutCuts, served: 3 })
        expect(millis).toBeLessThan(policy.timeout)
        for (const stream of [1, 3]) {
          expect(client.of("RST_STREAM", stream).map(Frames.codeOf)).toEqual([Frames.code.noError])
        }
      }, { work, node })
    })

    it("never ends the body of its request is cut at the deadline, and named", () =>
      withAttackedServer(wire, async (on, onLeave) => {
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
            cut: [{ path: "/silent", stream: 1, clientReceived: "503" }]
          })
        } finally {
          clearInterval(timer)
        }
      }, oneSecondTimeout))

    it("has no window, and never reads, does not keep a server from closing at once", () =>
      withAttackedServer(wire, async (on, onLeave) => {
        const client = await connect(on, wire, onLeave, {
          settings: { [Frames.setting.initialWindowSize]: 0 },
          deaf: true,
          keepHalfOpen: true
        })
        await client.write(Frames.request(1, "/slow"), Frames.request(3, "/silent"))
        await waitFor("its requests", () => on.work.executed === 2, limit)
        client.pause()
        const report = await Effect.runPromise(Effect.provide(on.server.close, silent))
        expect(report).toMatchObject({
          outcome: "Closed",
          cut: [{ path: "/slow", clientReceived: "truncated" }, { path: "/silent", clientReceived: "503" }]
        })
      }, { policy: { timeout: 60_000, killTimeout: 60_000 } }))
  })
}
