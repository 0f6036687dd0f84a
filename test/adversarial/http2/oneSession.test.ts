import { once } from "node:events"
import * as Http2 from "node:http2"
import { describe, expect, it } from "vitest"
import { quiesce } from "../../../src/promise.js"
import { listenOnLoopback, portOf } from "../../support/nodeServer.js"
import { now, waitFor } from "../../support/wait.js"
import { longestTurnBound, withFloodedProcess } from "../support/floodedServer.js"

// Pins internal/node: http2OptionsOf

// One client of HTTP/2 that opens thousands of streams in one session: as many are answered at a time as the server says,
// and a shutdown ends in its bound.

const limit = 20_000
/** `timeout` and `killTimeout` are 800 milliseconds; the rest is for a machine that is slow. */
const bound = 2000

const serve = async (settings: Http2.Settings | undefined) => {
  let begun = 0
  const node = Http2.createServer(settings === undefined ? {} : { settings }, () => {
    begun++
  })
  await listenOnLoopback(node)
  const server = quiesce(node, { timeout: "500 millis", killTimeout: "300 millis", logger: false })
  return { begun: () => begun, port: portOf(node), server }
}

const connect = async (port: number, streams: number) => {
  const session = Http2.connect(`http://127.0.0.1:${port}`)
  session.on("error", () => {}).on("goaway", () => {})
  await once(session, "remoteSettings")
  for (let n = 0; n < streams; n++) session.request({ ":path": `/${n}` }).on("error", () => {}).resume().end()
  return session
}

describe("one client that opens streams", { timeout: 60_000 }, () => {
  it("is told that a thousand may be open where the owner has not said, and what is open ends in the bound", async () => {
    const { begun, port, server } = await serve(undefined)
    const session = await connect(port, 3000)
    expect(session.remoteSettings.maxConcurrentStreams).toBe(1000)
    await waitFor(() => `a thousand handlers, of which there are ${begun()}`, () => begun() === 1000, limit)
    const [connection] = server.connections()
    expect(connection?.inFlight).toHaveLength(100)
    expect(connection?.moreInFlight).toBe(900)
    const since = now()
    const { cut, outcome } = await server.shutdown()
    expect(now() - since).toBeLessThan(bound)
    expect(outcome).toBe("DeadlineExceeded")
    expect(cut).toHaveLength(1000)
    expect(begun()).toBe(1000)
    session.destroy()
  })

  it("is told what the owner has said, and all of those are cut and reported", async () => {
    const { begun, port, server } = await serve({ maxConcurrentStreams: 5000 })
    const session = await connect(port, 3000)
    expect(session.remoteSettings.maxConcurrentStreams).toBe(5000)
    await waitFor(() => `3,000 handlers, of which there are ${begun()}`, () => begun() === 3000, limit)
    const since = now()
    const { cut } = await server.shutdown()
    expect(now() - since).toBeLessThan(bound)
    expect(cut).toHaveLength(3000)
    session.destroy()
  })

  // of 12,000 that a client wants to open, so many are open at a time
  for (const api of ["an Effect app", "an adopted node:http server"] as const) {
    it(`12,000 that ${api} never answers are cut and reported in the bound`, () =>
      withFloodedProcess({ api, protocol: "h2c", handlers: 1000 }, async (port, report) => {
        const session = await connect(port, 12_000)
        const result = await report()
        const { abandoned, begun, longest, millis, outcome, paths } = result
        session.destroy()
        expect(longest).toBeLessThan(longestTurnBound(result))
        expect(millis).toBeLessThan(2000)
        expect(begun).toBe(1000)
        expect(outcome).toBe("DeadlineExceeded")
        expect(paths).toEqual(Array.from({ length: 1000 }, (_, n) => `/${n}`))
        expect(abandoned).toBe(0)
      }))
  }
})
