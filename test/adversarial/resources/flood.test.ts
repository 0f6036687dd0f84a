import * as Net from "node:net"
import { describe, expect, it } from "vitest"
import { waitFor } from "../../support/wait.js"
import { withAttackedSite } from "../support/attackedSite.js"
import { limit } from "../support/boundedShutdown.js"
import { kinds } from "../support/site.js"

// Thousands of connections that come while a server stops: it stops in its bound, and loses no honest client's answer.

const atOnce = 200
const inAll = 4000

interface Flood {
  readonly opened: number
  readonly refused: number
  readonly stop: () => void
  readonly over: Promise<unknown>
}

/** Opens connection after connection; each says what it is told, and is left open until the flood is over. */
const flood = (port: number, says: string): Flood => {
  const sockets = new Set<Net.Socket>()
  let opened = 0
  let refused = 0
  let left = inAll
  const one = (): Promise<boolean> =>
    new Promise((resolve) => {
      const socket = Net.connect({ port, host: "127.0.0.1" })
      sockets.add(socket)
      socket.once("connect", () => {
        opened++
        if (says !== "") socket.write(says)
        resolve(true)
      }).on("error", () => resolve(false)).on("close", () => sockets.delete(socket)).resume()
    })
  const worker = async () => {
    while (left-- > 0) {
      if (await one()) continue
      refused++
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
  const over = Promise.all(Array.from({ length: atOnce }, worker))
  return {
    get opened() {
      return opened
    },
    get refused() {
      return refused
    },
    over,
    stop: () => {
      left = 0
      for (const socket of sockets) socket.destroy()
    }
  }
}

for (const kind of kinds) {
  describe(`a flood of connections, against ${kind}`, { timeout: 60_000 }, () => {
    // half a head is waited for until the deadline; what was asked is answered, on a busy machine as well
    for (
      const [name, says, timeout] of [
        ["that say nothing", "", 3000],
        ["with half a head", "GET / HTTP/1.1\r\nHost:", 3000],
        ["with a request", "GET /flood HTTP/1.1\r\nHost: test\r\n\r\n", 15_000]
      ] as const
    ) {
      it(`${name}, from before the drain until its end`, () =>
        withAttackedSite(kind, async (attacked) => {
          const held = await attacked.attacker()
          await held.write("GET /hold HTTP/1.1\r\nHost: test\r\n\r\n")
          await held.untilText("first ", limit)
          const coming = flood(attacked.target.port, says)
          try {
            await waitFor("a hundred of them", () => coming.opened >= 100, limit)
            const shutdown = attacked.shutdown()
            await waitFor("the first to be refused", () => coming.refused > 0, limit)
            attacked.site.release()
            await held.untilText("last", limit)
            const { millis, report } = await shutdown
            // nobody waits for more than the deadline, nor for the flood to end
            expect(millis).toBeLessThan(timeout + 500 + 3000)
            expect(report.cut).toEqual([])
            expect(report.connections.cut).toBe(report.forceClosed.length)
            await waitFor("the rest to be refused", coming.over, limit)
            expect(coming.opened + coming.refused).toBe(inAll)
          } finally {
            coming.stop()
          }
        }, { policy: { timeout } }))
    }
  })
}
