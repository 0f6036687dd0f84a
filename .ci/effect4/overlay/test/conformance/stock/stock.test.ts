import { describe, expect, it } from "vitest"
import type { ProcessEnd } from "./scenario.js"
import * as Streams from "./scenarios/longResponses.js"
import * as Load from "./scenarios/manyClients.js"
import * as Services from "./scenarios/services.js"
import * as Silence from "./scenarios/unfinishedRequests.js"

// What stock @effect/platform-node 4 does when SIGTERM comes: one half of the table; the other is in kept.test.ts. It
// waits for 20 s at the most (`gracefulShutdownTimeout`), and a program that was interrupted ends with 130.

/** Long enough to see that a process does not end by itself before those 20 s. */
const patienceMs = 7500
const limit = { timeout: 40_000 }

const stillRunning: ProcessEnd = { code: undefined, ms: patienceMs }

// Scenarios with many clients are sequential: they take the whole machine, and beside others they would measure that.

describe.concurrent("stock @effect/platform-node", limit, () => {
  it("answers a running request that uses the pool, and exits with 130", async () => {
    const { result } = await Services.poolUnderRequest.run("stock")
    expect(result).toMatchObject({ status: 200, end: { code: 130 } })
  })

  it("resets every busy keep-alive client", { concurrent: false }, async () => {
    const { result } = await Load.busyKeepAlive.run("stock")
    expect(result.lost).toBe(8)
  })

  it("resets idle keep-alive connections whose next request is on its way", { concurrent: false }, async () => {
    const { result } = await Load.idleBurst.run("stock")
    expect(result.answered).toBeLessThan(20)
  })

  it("answers the next request of a keep-alive client whose request was running", async () => {
    const { result } = await Services.nextRequest.run("stock", patienceMs)
    expect(result).toMatchObject({ status: 200, end: { code: 130 } })
  })

  it("never answers a request that arrives before `serve` is attached, and never exits", async () => {
    const { result } = await Services.requestBeforeServe.run("stock", patienceMs)
    expect(result).toEqual({ status: undefined, end: stillRunning })
  })

  it("truncates a 50 MB response to a slow reader", async () => {
    const { result } = await Streams.slowReader.run("stock")
    expect(result.complete).toBe(false)
    expect(result.megabytes).toBeLessThan(25)
  })

  it(
    "truncates the first of several pipelined responses, and never sends the others",
    { concurrent: false },
    async () => {
      const { result } = await Load.pipelined.run("stock")
      expect(result.answered).toBe(0)
    }
  )

  it("answers a request whose head was half there", async () => {
    const { result } = await Silence.halfHeadFinished.run("stock", patienceMs)
    expect(result.status).toBe(200)
  })

  it("answers a request whose body was half there", async () => {
    const { result } = await Silence.halfBodyFinished.run("stock")
    expect(result.status).toBe(200)
  })

  it("answers a request that waited for 100 Continue", async () => {
    const { result } = await Silence.expectContinue.run("stock")
    expect(result.status).toBe(200)
  })

  it("waits out the keep-alive timeout after the last answer", async () => {
    const { result } = await Services.keepAliveWait.run("stock")
    expect(result.closedAfterMs).toBeGreaterThan(4000)
  })

  // Node 26 takes such a connection for an idle one, and so its `close` closes it
  const closesSilent = Number(process.versions.node.split(".")[0]) >= 26
  it(`${closesSilent ? "cuts" : "does not exit for"} a connection that has never sent a byte`, async () => {
    const { result } = await Silence.silentConnection.run("stock", patienceMs)
    if (closesSilent) expect(result.end.code).toBe(130)
    else expect(result.end).toEqual(stillRunning)
  })

  it("does not exit while a connection has sent half a request head", async () => {
    const { result } = await Silence.halfHead.run("stock", patienceMs)
    expect(result.end).toEqual(stillRunning)
  })

  it("does not exit while a stream does not end", async () => {
    const { result } = await Streams.endlessStream.run("stock", patienceMs)
    expect(result.end).toEqual(stillRunning)
  })

  it("does not tell a WebSocket to leave", async () => {
    const { result } = await Streams.webSocketIgnoresClose.run("stock", patienceMs)
    expect(result).toEqual({ code: undefined, end: stillRunning })
  })

  it("ends the request of a client that left before an uninterruptible handler answered", async () => {
    const { result } = await Services.clientLeft.run("stock")
    expect(result.requestScopesOpen).toBe(0)
  })
})
