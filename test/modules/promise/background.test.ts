import * as Duration from "effect/Duration"
import { once } from "node:events"
import * as Http from "node:http"
import { setInterval } from "node:timers/promises"
import { describe, expect, it } from "vitest"
import { InvalidPolicy, type Options, plain, quiesce, type Report, ServerClosed } from "../../../src/promise.js"
import { listenOnLoopback, portOf } from "../../support/nodeServer.js"
import { withClient } from "../../support/rawClient.js"
import { deferred, waitFor } from "../../support/wait.js"

// Work that outlives its request, in a program without Effect.

const limit = 10_000

const started = async (options: Options = {}) => {
  const lines: Array<string> = []
  const node = await listenOnLoopback(Http.createServer((_, response) => response.end("ok")))
  const logger = (level: string, message: string) => void lines.push(`${level}: ${message.split("\n")[0]}`)
  return { lines, server: quiesce(node, { logger, ...options }) }
}

const short = ({ background }: Report) => background.map(({ count, name, outcome }) => [name, outcome, count])

const draining = (server: { readonly phase: () => string }) =>
  waitFor("the drain", () => server.phase() === "Draining", limit)

describe("track", () => {
  it("that fails by thousands is printed five times, and counted", async () => {
    const { lines, server } = await started()
    const fail: Array<(error: Error) => void> = []
    for (const [name, times] of [["orders", 2000], ["mails", 5], ["calls", 6]] as const) {
      for (let nth = 0; nth < times; nth++) {
        server.track(name, new Promise((_, reject) => void fail.push(reject)))
      }
    }
    const closed = server.shutdown()
    await draining(server)
    for (const reject of fail) reject(new Error("connection terminated"))
    const report = await closed
    expect(short(report)).toEqual([["orders", "Failed", 2000], ["mails", "Failed", 5], ["calls", "Failed", 6]])
    const failures = lines.filter((line) => line.includes("failed"))
    const full = (name: string) => failures.filter((line) => line.startsWith(`error: Background work "${name}" failed`))
    expect([full("orders"), full("mails"), full("calls")].map(({ length }) => length)).toEqual([5, 5, 5])
    expect(failures.slice(15)).toEqual([`error: Background work failed 1996 times more: "orders" (1995), "calls" (1)`])
  })

  it("that goes on failing is said again in the next second, also while the server serves", async () => {
    const { lines, server } = await started()
    for (let nth = 0; nth < 30; nth++) server.track(`work ${nth}`, Promise.reject(new Error("no")))
    const more = `error: Background work failed 10 times more: `
      + `"work 20" (1), "work 21" (1), "work 22" (1), "work 23" (1), "work 24" (1), and 5 more`
    await waitFor("the rest", () => lines.includes(more), limit)
    expect(lines.filter((line) => line.includes("failed"))).toHaveLength(21)
    server.track("work 29", Promise.reject(new Error("again")))
    await waitFor("a further failure", () => lines.some((line) => line.includes(`"work 29" failed`)), limit)
    await server.close()
  })

  it("is waited for, before `finally` closes what the work uses", async () => {
    const [first, second] = [deferred(), deferred()]
    const order: Array<string> = []
    const { server } = await started({ finally: () => void order.push("finally") })
    server.track("orders", first.promise.then(() => order.push("first")))
    server.track("orders", second.promise.then(() => order.push("second")))
    const closed = server.shutdown()
    await draining(server)
    first.resolve()
    await first.promise
    expect(server.phase()).toBe("Draining")
    second.resolve()
    const report = await closed
    expect(report.outcome).toBe("Drained")
    expect(short(report)).toEqual([["orders", "Completed", 2]])
    expect(order).toEqual(["first", "second", "finally"])
  })

  it("is waited for also when it comes while the server drains", async () => {
    const [first, late] = [deferred(), deferred()]
    const { server } = await started()
    server.track("first", first.promise)
    const closed = server.shutdown()
    await draining(server)
    server.track("late", late.promise)
    first.resolve()
    setTimeout(() => late.resolve(), 50)
    expect(short(await closed)).toEqual([["first", "Completed", 1], ["late", "Completed", 1]])
  })

  it("that rejects is logged, and is no unhandled rejection", async () => {
    const { lines, server } = await started()
    server.track("orders", Promise.reject(new Error("out of stock")))
    await waitFor("the line", () => lines.length > 0, limit)
    expect(lines).toEqual([`error: Background work "orders" failed: Error: out of stock`])
    const gate = deferred()
    server.track("orders", gate.promise.then(() => Promise.reject(new Error("late"))))
    const closed = server.shutdown()
    await draining(server)
    gate.resolve()
    const report = await closed
    expect(report.outcome).toBe("Drained")
    expect(short(report)).toEqual([["orders", "Failed", 1]])
  })

  it("that does not settle is left behind after the deadline, and is lost", async () => {
    const { lines, server } = await started({ timeout: 50, killTimeout: 50 })
    const late = deferred()
    server.track("orders", new Promise(() => {}))
    // it cannot be interrupted, and has been done
    server.track("late", late.promise)
    const closed = server.shutdown()
    await waitFor("the deadline", () => lines.some((line) => line.includes("The deadline has passed")), limit)
    late.resolve()
    const report = await closed
    expect(report.outcome).toBe("DeadlineExceeded")
    expect(short(report)).toEqual([["late", "Completed", 1], ["orders", "Abandoned", 1]])
    expect(lines).toEqual(expect.arrayContaining([
      "warn: The deadline has passed: 2 background tasks not done",
      expect.stringMatching(/^warn: Background work "orders" Abandoned after \d+ms$/),
      expect.stringMatching(/^error: Shut down in \d+ms \(DeadlineExceeded\): .*; 1 background task lost$/)
    ]))
  })

  it("that rejects after the deadline is lost", async () => {
    const { lines, server } = await started({ timeout: 50, killTimeout: "5 seconds" })
    const late = deferred()
    server.track("orders", late.promise.then(() => Promise.reject(new Error("out of stock"))))
    const closed = server.shutdown()
    await waitFor("the deadline", () => lines.some((line) => line.includes("The deadline has passed")), limit)
    late.resolve()
    const report = await closed
    expect(report.outcome).toBe("DeadlineExceeded")
    expect(short(report)).toEqual([["orders", "Interrupted", 1]])
    expect(lines).toContain(`error: Background work "orders" failed: Error: out of stock`)
  })

  it("throws when all is over, and for what is no promise", async () => {
    const { server } = await started()
    const untyped = server as unknown as { readonly track: (...args: ReadonlyArray<unknown>) => void }
    expect(() => untyped.track("orders", () => {})).toThrow(InvalidPolicy)
    expect(() => untyped.track(Promise.resolve())).toThrow(
      `name of background work is {}, and must be a text, and the work comes after it: track("orders", …)`
    )
    await server.shutdown()
    expect(() => server.track("orders", Promise.resolve())).toThrow(ServerClosed)
    expect(() => server.worker("orders", () => {})).toThrow(ServerClosed)
  })

  it("that comes after the deadline and rejects is logged, and is no unhandled rejection", async () => {
    const lines: Array<string> = []
    const refusals: Array<unknown> = []
    const late = deferred()
    const node = await listenOnLoopback(Http.createServer((_, response) => {
      response.on("close", () => {
        const work = late.promise.then(() => Promise.reject(new Error("out of stock")))
        try {
          server.track("orders", work)
        } catch (error) {
          refusals.push(error)
        }
        late.resolve()
      })
      response.write("accepted")
    }))
    const server = quiesce(node, {
      timeout: 50,
      killTimeout: 50,
      logger: (level, message) => void lines.push(`${level}: ${message.split("\n")[0]}`)
    })
    await withClient({ port: portOf(node) }, async (client) => {
      await client.write("GET / HTTP/1.1\r\nHost: test\r\n\r\n")
      await client.untilText("accepted", limit)
      expect((await server.shutdown()).background).toEqual([])
    })
    await waitFor(
      "the line",
      () => lines.includes(`error: Background work "orders" failed: Error: out of stock`),
      limit
    )
    expect(refusals).toEqual([expect.any(ServerClosed)])
  })
})

describe("worker", () => {
  it("is told when a shutdown begins, and the shutdown waits for what it does then", async () => {
    const told = deferred()
    const finish = deferred()
    const { server } = await started()
    const seen: Array<boolean> = []
    server.worker("consumer", async (signal, deadline) => {
      seen.push(signal.aborted)
      await once(signal, "abort")
      told.resolve()
      await finish.promise
      seen.push(signal.aborted, deadline.aborted)
    })
    const closed = server.shutdown()
    await told.promise
    await draining(server)
    finish.resolve()
    const report = await closed
    expect(report.outcome).toBe("Drained")
    expect(short(report)).toEqual([["consumer", "Completed", 1]])
    expect(seen).toEqual([false, true, false])
  })

  it("has ended well where the signal ends what it waits for", async () => {
    const { lines, server } = await started()
    let ticks = 0
    server.worker("cron", async (signal) => {
      for await (const _ of setInterval(5, undefined, { signal })) ticks++
    })
    await waitFor("ticks", () => ticks > 2, limit)
    const report = await server.shutdown()
    expect(report.outcome).toBe("Drained")
    expect(short(report)).toEqual([["cron", "Completed", 1]])
    expect(lines.filter((line) => line.startsWith("error"))).toEqual([])
  })

  it("is told when its time is up, and has the kill timeout to drop what it has", async () => {
    const { server } = await started({ timeout: 50, killTimeout: "5 seconds" })
    let dropped = false
    server.worker("returns", async (_, deadline) => {
      await once(deadline, "abort")
      await new Promise((resolve) => setTimeout(resolve, 50))
      dropped = true
    })
    server.worker("rejects", async (_, deadline) => {
      for await (const _ of setInterval(5, undefined, { signal: deadline }));
    })
    const report = await server.shutdown()
    expect(dropped).toBe(true)
    expect(report.outcome).toBe("DeadlineExceeded")
    expect(Duration.toMillis(report.killing)).toBeLessThan(5000)
    expect(new Set(short(report).map(String))).toEqual(
      new Set(["rejects,Interrupted,1", "returns,Interrupted,1"])
    )
  })

  it("that fails as it drops what it has is lost, and the log and the report have why", async () => {
    const { lines, server } = await started({ timeout: 50, killTimeout: "5 seconds" })
    server.worker("orders", async (_, deadline) => {
      await once(deadline, "abort")
      throw new Error("dropped 5 jobs")
    })
    const report = await server.shutdown()
    expect(report.outcome).toBe("DeadlineExceeded")
    expect(plain(report).background).toMatchObject([
      { name: "orders", outcome: "Interrupted", count: 1, error: new Error("dropped 5 jobs") }
    ])
    expect(lines).toEqual(expect.arrayContaining([
      `error: Background work "orders" failed: Error: dropped 5 jobs`,
      expect.stringMatching(/^warn: Background work "orders" Interrupted after \d+ms$/),
      expect.stringMatching(/^error: Shut down in \d+ms \(DeadlineExceeded\): .*; 1 background task lost$/)
    ]))
  })

  it("that is started after the beginning of a shutdown finds its signal aborted", async () => {
    const gate = deferred()
    const { server } = await started()
    server.track("gate", gate.promise)
    const closed = server.shutdown()
    await draining(server)
    const seen: Array<boolean> = []
    server.worker("late", (signal) => {
      seen.push(signal.aborted)
      gate.resolve()
    })
    expect(short(await closed)).toEqual([["gate", "Completed", 1], ["late", "Completed", 1]])
    expect(seen).toEqual([true])
  })

  it("that throws has failed, and nothing else has", async () => {
    const { lines, server } = await started()
    server.worker("throws", () => {
      throw new Error("a failure")
    })
    await waitFor("the line", () => lines.length > 0, limit)
    expect(lines).toEqual([`error: Background work "throws" failed: Error: a failure`])
    expect((await server.shutdown()).outcome).toBe("Drained")
  })

  it("is told by `close` that its time is up", async () => {
    const { server } = await started()
    let told = false
    server.worker("consumer", async (_, deadline) => {
      await once(deadline, "abort")
      told = true
    })
    const report = await server.close()
    expect(report.outcome).toBe("Closed")
    expect(short(report)).toEqual([["consumer", "Interrupted", 1]])
    expect(told).toBe(true)
  })
})
