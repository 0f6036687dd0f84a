import { describe, expect, it } from "vitest"
import * as Frames from "../../support/http2Frames.js"
import { connect as connectRaw } from "../../support/rawClient.js"
import { policy, withAttackedServer } from "../support/attackedServer.js"
import { limit } from "../support/boundedShutdown.js"
import { connect, connectBusy, drainedWithoutCuts, wires } from "./http2Client.js"

const isNew = ({ protocol, state }: { readonly protocol: string; readonly state: string }) =>
  protocol === "h2" && state === "New"

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
        withAttackedServer(wire, async (on, onLeave) => {
          const honest = await on.honest()
          const client = await connect(on, wire, onLeave, { settings: false, deaf: true })
          if (bytes.length > 0) await client.write(bytes)
          await on.untilSeen("a session without SETTINGS", (all) => all.some(isNew))
          const { millis, report } = await on.drain(honest)
          expect(report).toMatchObject({ ...drainedWithoutCuts, served: 1 })
          expect(report.connections).toMatchObject({ open: 2, completed: 1, idleClosed: 1, cut: 0 })
          expect(millis).toBeLessThan(policy.timeout)
          await client.untilEnded(limit)
        }))
    }

    it("speaks another protocol is let go", () =>
      withAttackedServer(wire, async (on, onLeave) => {
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
        expect((await ended).report).toMatchObject({ ...drainedWithoutCuts, served: 1 })
      }))

    it("never acknowledges SETTINGS or PINGs has its answer", () =>
      withAttackedServer(wire, async (on, onLeave) => {
        const honest = await on.honest()
        const client = await connectBusy(on, wire, onLeave, { deaf: true })
        const ended = on.shutdown()
        await client.untilFrame("GOAWAY", 0, limit)
        on.work.release()
        expect(await client.untilResponse(1, limit)).toEqual({ status: 200, body: "first last" })
        expect(await honest.answer).toBe("first last")
        const { millis, report } = await ended
        expect(report).toMatchObject({ ...drainedWithoutCuts, served: 2 })
        expect(millis).toBeLessThan(policy.timeout)
      }))

    it("never closes after our GOAWAY, and never reads, holds the drain for the linger and no longer", () =>
      withAttackedServer(wire, async (on, onLeave) => {
        const honest = await on.honest()
        const idle = await connect(on, wire, onLeave, { keepHalfOpen: true, deaf: true })
        await idle.write(Frames.request(1))
        await idle.untilResponse(1, limit)
        const busy = await connectBusy(on, wire, onLeave, { keepHalfOpen: true, deaf: true })
        idle.pause()
        busy.pause()
        const { millis, report } = await on.drain(honest)
        expect(report).toMatchObject({ ...drainedWithoutCuts, served: 2 })
        expect(millis).toBeLessThan(1500)
      }))

    it("stops in the middle of a header block is owed nothing", () =>
      withAttackedServer(wire, async (on, onLeave) => {
        const honest = await on.honest()
        const clients = await Promise.all([connect(on, wire, onLeave), connect(on, wire, onLeave)])
        await clients[0]?.write(Frames.headers(1, { ":method": "GET" }, { endHeaders: false }))
        await clients[1]?.write(Frames.request(1), Frames.request(3).subarray(0, 20))
        await clients[1]?.untilResponse(1, limit)
        const { millis, report } = await on.drain(honest)
        expect(report).toMatchObject({ ...drainedWithoutCuts, served: 1 })
        expect(millis).toBeLessThan(policy.timeout)
      }))

    for (const error of [Frames.code.noError, Frames.code.protocolError, Frames.code.enhanceYourCalm]) {
      it(`sends a GOAWAY of its own, with code ${error}, leaves`, () =>
        withAttackedServer(wire, async (on, onLeave) => {
          const honest = await on.honest()
          const clients = await Promise.all([connectBusy(on, wire, onLeave), connectBusy(on, wire, onLeave)])
          await clients[0]?.write(Frames.goaway(0, error))
          const ended = on.shutdown()
          await on.untilPhase("Draining")
          await clients[1]?.write(Frames.goaway(0, error))
          on.work.release()
          expect(await honest.answer).toBe("first last")
          const { millis, report } = await ended
          expect(report).toMatchObject(drainedWithoutCuts)
          expect(millis).toBeLessThan(policy.timeout)
        }))
    }

    it("has closed its side, with a stream in flight, is let go", () =>
      withAttackedServer(wire, async (on, onLeave) => {
        const honest = await on.honest()
        const clients = await Promise.all(
          [1, 2].map(() => connectBusy(on, wire, onLeave, { keepHalfOpen: true }))
        )
        clients[0]?.socket.end()
        const ended = on.shutdown()
        await on.untilPhase("Draining")
        clients[1]?.socket.end()
        on.work.release()
        expect(await honest.answer).toBe("first last")
        const { millis, report } = await ended
        expect(report).toMatchObject(drainedWithoutCuts)
        expect(millis).toBeLessThan(policy.timeout)
      }))
  })
}
