import { describe, expect, it } from "vitest"
import { codeOfInterrupted } from "../../support/runMain.js"
import type { ProcessEnd } from "./scenario.js"
import * as Streams from "./scenarios/longResponses.js"
import * as Load from "./scenarios/manyClients.js"
import * as Services from "./scenarios/services.js"
import * as Silence from "./scenarios/unfinishedRequests.js"

// docs/guarantees.md says in a table what stock @effect/platform-node does when SIGTERM comes, and what quiesce does. The
// table is printed by these scenarios (table.ts); these tests fail on the day when the one half is no longer true, and
// those of kept.test.ts when the other is not.

/** Long enough to see that a process does not end by itself: the longest that does end takes 6.3 s. */
const patienceMs = 7500
const limit = { timeout: 40_000 }

const stillRunning: ProcessEnd = { code: undefined, ms: patienceMs }

// Scenarios with many clients are sequential: they take the whole machine, and beside others they would measure that.

describe.concurrent("stock @effect/platform-node", limit, () => {
  it("closes the pool under a running request, which is answered with 500", async () => {
    const { kept, result } = await Services.poolUnderRequest.run("stock")
    expect(result.status).toBe(500)
    expect(kept).toBe(false)
  })

  it("resets every busy keep-alive client", { concurrent: false }, async () => {
    const { result } = await Load.busyKeepAlive.run("stock")
    expect(result.lost).toBe(8)
  })

  it("resets idle keep-alive connections whose next request is on its way", { concurrent: false }, async () => {
    const { result } = await Load.idleBurst.run("stock")
    expect(result.answered).toBeLessThan(20)
  })

  it("resets most connections that are being opened", { concurrent: false }, async () => {
    const { result } = await Load.connectionPerRequest.run("stock", patienceMs)
    expect(result.lost + result.reset).toBeGreaterThan(16)
  })

  it("never answers the next request of a keep-alive client, and never exits", async () => {
    const { result } = await Services.nextRequest.run("stock", patienceMs)
    expect(result).toEqual({ status: 200, next: "never answered", end: stillRunning })
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

  it("never answers a request whose head was half there, and never exits", async () => {
    const { result } = await Silence.halfHeadFinished.run("stock", patienceMs)
    expect(result).toEqual({ status: undefined, continued: false, end: stillRunning })
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
  it(`${closesSilent ? "cuts" : "never exits for"} a connection that has never sent a byte`, async () => {
    const { result } = await Silence.silentConnection.run("stock", patienceMs)
    if (closesSilent) expect(result.end.code).toBe(codeOfInterrupted)
    else expect(result.end).toEqual(stillRunning)
  })

  it("never exits while a connection has sent half a request head", async () => {
    const { result } = await Silence.halfHead.run("stock", patienceMs)
    expect(result.end).toEqual(stillRunning)
  })

  it("never exits while a stream does not end", async () => {
    const { result } = await Streams.endlessStream.run("stock", patienceMs)
    expect(result.end).toEqual(stillRunning)
  })

  it("closes a WebSocket without saying why", async () => {
    const { result } = await Streams.webSocket.run("stock")
    expect(result.code).toBe("none")
  })

  // 30.0 s, measured once with `table.ts stock --patience=40000`.
  it("waits for a WebSocket whose peer ignores the close frame", async () => {
    const { result } = await Streams.webSocketIgnoresClose.run("stock", patienceMs)
    expect(result).toEqual({ code: "none", end: stillRunning })
  })

  it("leaks the request fiber of a client that left before an uninterruptible handler answered", async () => {
    const { result } = await Services.clientLeft.run("stock")
    expect(result.requestScopesOpen).toBe(1)
  })
})
