import * as Stream from "node:stream"
import * as Tls from "node:tls"
import { describe, expect, it } from "vitest"
import { certificate } from "../../support/certificate.js"
import type { Wire } from "../../support/nodeServer.js"
import { connect } from "../../support/rawClient.js"
import { deferred, waitFor } from "../../support/wait.js"
import { type AttackedServer, policy, withAttackedServer } from "../support/attackedServer.js"
import { limit } from "../support/boundedShutdown.js"

// Pins internal/node: rawSocketOf

/** What a client says first. */
const clientHello: Promise<Buffer> = new Promise((resolve) => {
  const socket = new Stream.Duplex({
    read: () => {},
    write: (chunk: Buffer) => resolve(chunk)
  })
  Tls.connect({ socket, ALPNProtocols: ["h2", "http/1.1"] }).on("error", () => {})
})

/** How each attacker treats the handshake; `answered`: whether the server has answered it by the time it stops. */
const attackers: Record<string, (hello: Buffer) => { readonly bytes: Buffer; readonly answered: boolean }> = {
  "sends nothing": () => ({ bytes: Buffer.alloc(0), answered: false }),
  "sends one byte": (hello) => ({ bytes: hello.subarray(0, 1), answered: false }),
  "stops after half a ClientHello": (hello) => ({ bytes: hello.subarray(0, hello.length >> 1), answered: false }),
  "never finishes the handshake it started": (hello) => ({ bytes: hello, answered: true })
}

const wires: ReadonlyArray<Wire> = ["https", "h2"]

const isTls = ({ protocol }: { readonly protocol: string }) => protocol === "tls"

const attack = async (
  { port }: AttackedServer,
  bytes: Buffer,
  answered: boolean,
  onLeave: (leave: () => void) => void
) => {
  const raw = await connect({ port })
  onLeave(raw.leave)
  if (bytes.length > 0) await raw.write(bytes)
  if (answered) await waitFor("the ServerHello", () => raw.bytes > 0, limit)
  return raw
}

/** A client that has finished its handshake, for HTTP/1.1. */
const speaking = async ({ port }: AttackedServer, onLeave: (leave: () => void) => void) => {
  const raw = await connect({ port })
  onLeave(raw.leave)
  const secure = Tls.connect({
    socket: raw.socket,
    ca: certificate.cert,
    host: "127.0.0.1",
    ALPNProtocols: ["http/1.1"]
  })
  onLeave(() => secure.destroy())
  secure.on("error", () => {})
  await waitFor("the handshake", new Promise<void>((resolve) => secure.once("secureConnect", resolve)), limit)
  return { raw, secure }
}

for (const wire of wires) {
  describe(`a client of ${wire} that`, () => {
    for (const [what, of] of Object.entries(attackers)) {
      it(`${what} is New until its grace is over`, () =>
        withAttackedServer(wire, async (on, onLeave) => {
          const { answered, bytes } = of(await clientHello)
          const honest = await on.honest()
          const raw = await attack(on, bytes, answered, onLeave)
          await on.untilSeen("a handshake", (all) => all.some(isTls))
          const { millis, report } = await on.drain(honest)
          expect(report).toMatchObject({ outcome: "Drained", served: 1, cut: [], forceClosed: [] })
          expect(report.connections).toMatchObject({ open: 2, completed: 1, idleClosed: 1, cut: 0 })
          expect(await raw.untilEnded(limit)).not.toBe("open")
          expect(millis).toBeLessThan(policy.timeout)
        }))
    }

    it("finishes its handshake after draining has started is served", () =>
      withAttackedServer(wire, async (on, onLeave) => {
        const honest = await on.honest()
        const hold = deferred()
        const raw = await connect({ port: on.port })
        onLeave(raw.leave)
        // what the client says goes through us, and the second half of its hello waits
        const slow = new Stream.Duplex({
          read: () => {},
          write: (chunk: Buffer, _, done) => {
            const waits = raw.bytes === 0
            void raw.write(waits ? chunk.subarray(0, 100) : chunk)
            if (waits) void hold.promise.then(() => raw.write(chunk.subarray(100)))
            done()
          }
        })
        raw.socket.on("data", (chunk) => slow.push(chunk))
        const secure = Tls.connect({
          socket: slow,
          ca: certificate.cert,
          host: "127.0.0.1",
          ALPNProtocols: ["http/1.1"]
        })
        onLeave(() => secure.destroy())
        await on.untilSeen("a handshake", (all) => all.some(isTls))
        const ended = on.shutdown()
        await on.untilPhase("Draining")
        hold.resolve()
        let text = ""
        secure.on("data", (chunk) => {
          text += String(chunk)
        })
        await waitFor("the handshake", new Promise<void>((resolve) => secure.once("secureConnect", resolve)), limit)
        secure.write("GET / HTTP/1.1\r\nHost: test\r\n\r\n")
        await waitFor(() => `the answer, not ${text}`, () => text.includes("ok"), limit)
        expect(text).toMatch(/^HTTP\/1.1 200 /)
        expect(text.toLowerCase()).toContain("connection: close")
        on.work.release()
        expect(await honest.answer).toBe("first last")
        expect((await ended).report).toMatchObject({ outcome: "Drained", served: 2, cut: [], forceClosed: [] })
      }))

    it("speaks plain HTTP is let go at once", () =>
      withAttackedServer(wire, async (on, onLeave) => {
        const honest = await on.honest()
        const before = await connect({ port: on.port })
        onLeave(before.leave)
        const ended = on.shutdown()
        await on.untilPhase("Draining")
        await before.write("GET / HTTP/1.1\r\nHost: test\r\n\r\n")
        expect(await before.untilEnded(limit)).not.toBe("open")
        on.work.release()
        expect(await honest.answer).toBe("first last")
        expect((await ended).report).toMatchObject({ outcome: "Drained", served: 1, cut: [], forceClosed: [] })
      }))

    it("resets its connection in the middle of the handshake leaves nothing", () =>
      withAttackedServer(wire, async (on, onLeave) => {
        const honest = await on.honest()
        const hello = await clientHello
        const raws = await Promise.all([
          attack(on, hello, true, onLeave),
          attack(on, hello, false, onLeave),
          attack(on, hello.subarray(0, 50), false, onLeave),
          attack(on, hello.subarray(0, 0), false, onLeave)
        ])
        await on.untilSeen("four handshakes", (all) => all.filter(isTls).length === 4)
        const ended = on.shutdown()
        await on.untilPhase("Draining")
        for (const raw of raws) raw.abort()
        await on.untilSeen("none of them", (all) => all.length === 1)
        on.work.release()
        expect(await honest.answer).toBe("first last")
        const { report } = await ended
        expect(report).toMatchObject({ outcome: "Drained", served: 1, cut: [], forceClosed: [] })
        expect(report.connections).toMatchObject({ open: 5, completed: 5, idleClosed: 0, cut: 0 })
      }))

    it("never reads, and so never answers our close_notify, holds nobody up", () =>
      withAttackedServer(wire, async (on, onLeave) => {
        const honest = await on.honest()
        const { raw, secure } = await speaking(on, onLeave)
        secure.write("GET /slow HTTP/1.1\r\nHost: test\r\n\r\n")
        await waitFor("its request", () => on.work.waiting === 2, limit)
        secure.pause()
        raw.socket.pause()
        const { millis, report } = await on.drain(honest)
        expect(report).toMatchObject({ outcome: "Drained", served: 2, cut: [], forceClosed: [] })
        expect(millis).toBeLessThan(policy.timeout)
      }))

    it("does not read a large answer is cut at the deadline, and named", () =>
      withAttackedServer(wire, async (on, onLeave) => {
        const honest = await on.honest()
        const { secure } = await speaking(on, onLeave)
        secure.pause()
        for (let i = 0; i < 8; i++) secure.write("GET /huge HTTP/1.1\r\nHost: test\r\n\r\n")
        await waitFor("its requests", () => on.work.executed === 9, limit)
        const { report } = await on.drain(honest)
        expect(report.outcome).toBe("DeadlineExceeded")
        expect(report.cut.map(({ path }) => path)).toEqual(Array.from({ length: 8 }, () => "/huge"))
        // of the answers behind those that are held up, nothing has left
        expect(report.cut.map(({ clientReceived }) => clientReceived).join(" ")).toMatch(
          /^truncated( truncated)*( none)+$/
        )
        expect(report.connections).toMatchObject({ cut: 1 })
      }, { policy: { timeout: 1000 } }))
  })

  it(`three hundred clients of ${wire} that stop in the middle of their handshake, and as many that come back for it`, () =>
    withAttackedServer(wire, async (on, onLeave) => {
      const hello = await clientHello
      const honest = await Promise.all([on.honest(), on.honest()])
      const raws = await Promise.all(
        Array.from({ length: 300 }, (_, i) => attack(on, hello.subarray(0, 1 + (i * 7) % hello.length), false, onLeave))
      )
      await on.untilSeen("their handshakes", (all) => all.filter(isTls).length === 300)
      const ended = on.shutdown()
      await on.untilPhase("Draining")
      on.work.release()
      for (const { answer } of honest) expect(await answer).toBe("first last")
      const { millis, report } = await ended
      expect(report).toMatchObject({ outcome: "Drained", served: 2, cut: [], forceClosed: [] })
      expect(report.connections).toMatchObject({ open: 302, completed: 2, idleClosed: 300, cut: 0 })
      expect(millis).toBeLessThan(policy.timeout)
      for (const raw of raws) expect(await raw.untilEnded(limit)).not.toBe("open")
    }))
}
