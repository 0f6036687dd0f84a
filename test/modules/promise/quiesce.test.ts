import express from "express"
import { once } from "node:events"
import * as Http from "node:http"
import * as Http2 from "node:http2"
import * as Net from "node:net"
import { afterEach, describe, expect, it, vi } from "vitest"
import {
  InvalidPolicy,
  ListenError,
  type Options,
  plain,
  quiesce,
  type Server,
  type Target
} from "../../../src/promise.js"
import { startLimit, withChild } from "../../support/child.js"
import { listenOnLoopback, portOf } from "../../support/nodeServer.js"
import { connect, type RawClient, responseOf } from "../../support/rawClient.js"
import { deferred, waitFor } from "../../support/wait.js"

const limit = 10_000

const clients: Array<RawClient> = []
afterEach(() => {
  clients.splice(0).forEach((client) => client.leave())
  vi.restoreAllMocks()
})

/** A client whose request is in flight. */
const request = async (node: Net.Server, text = "GET /slow HTTP/1.1\r\nHost: test\r\n\r\n"): Promise<RawClient> => {
  const client = await connect({ port: portOf(node) })
  clients.push(client)
  const arrives = once(node, "request")
  await client.write(text)
  await arrives
  return client
}

/** A server that answers when it is told to. */
const slow = async (options: Options = {}) => {
  const released = deferred()
  const node = await listenOnLoopback(
    Http.createServer((_, response) => void released.promise.then(() => response.end("whole")))
  )
  return { node, release: () => released.resolve(), server: quiesce(node, { logger: false, ...options }) }
}

const phases = (server: Server, phase: string) => waitFor(`the phase ${phase}`, () => server.phase() === phase, limit)

describe("shutdown", () => {
  it("answers what is in flight, then runs `finally`, then resolves with the report", async () => {
    const order: Array<string> = []
    const { node, release, server } = await slow({
      onShutdown: () => void order.push("onShutdown"),
      finally: async ({ outcome }) => {
        await new Promise((resolve) => setTimeout(resolve, 50))
        order.push(`finally ${outcome}, ${node.listening ? "listening" : "closed"}`)
      }
    })
    server.onShutdown("leave the registry", async () => void order.push("leave the registry"))
    expect(server.phase()).toBe("Serving")
    const client = await request(node)
    expect(server.connections()).toMatchObject([{ state: "Active", inFlight: [{ method: "GET", path: "/slow" }] }])
    const [first, second] = [server.shutdown(), server.shutdown()]
    await phases(server, "Draining")
    void first.then(() => order.push("resolved"))
    release()
    expect(await responseOf(client)).toMatchObject({ status: 200, complete: true, headers: { connection: "close" } })
    const report = await first
    expect(await second).toBe(report)
    expect(await server.closed).toBe(report)
    expect(report).toMatchObject({ outcome: "Drained", served: 1, cut: [], connections: { open: 1, completed: 1 } })
    expect(report.hooks.map(({ name, outcome }) => ({ name, outcome }))).toEqual([
      { name: "onShutdown", outcome: "Succeeded" },
      { name: "leave the registry", outcome: "Succeeded" }
    ])
    expect(order).toEqual(["onShutdown", "leave the registry", "finally Drained, closed", "resolved"])
    expect(server.phase()).toBe("Closed")
  })

  it("has a report in plain values, which can be written as JSON", async () => {
    const lines: Array<string> = []
    const { node, server } = await slow({ killTimeout: 50, logger: (_, message) => void lines.push(message) })
    const failure = new Error("no answer")
    server.onShutdown("fails", () => Promise.reject(failure))
    server.onShutdown("is well", () => {})
    server.track("orders", new Promise(() => {}))
    await request(node)
    void server.shutdown()
    await waitFor("the hooks", () => lines.filter((line) => line.startsWith("Shutdown hook")).length === 2, limit)
    const said = plain(await server.close())
    const hooks = said.hooks.map(({ error: _, ...hook }) => hook)
    expect(JSON.parse(JSON.stringify({ ...said, hooks }))).toEqual({ ...said, hooks })
    expect(said).toMatchObject({
      outcome: "Closed",
      durationMillis: expect.any(Number),
      lameDuckMillis: expect.any(Number),
      drainingMillis: expect.any(Number),
      killingMillis: expect.any(Number),
      cut: [{ method: "GET", path: "/slow", ageMillis: expect.any(Number) }],
      hooks: [
        { name: "fails", outcome: "Failed", durationMillis: expect.any(Number), error: failure },
        { name: "is well", outcome: "Succeeded", durationMillis: expect.any(Number) }
      ],
      background: [{ name: "orders", outcome: "Abandoned", count: 1, durationMillis: expect.any(Number) }]
    })
    expect(said.durationMillis).toBeGreaterThanOrEqual(said.drainingMillis)
    expect(said.hooks[1]).not.toHaveProperty("error")
  })

  it("resolves also when requests were cut, and says which", async () => {
    const { node, server } = await slow({ timeout: "100 millis", killTimeout: 50 })
    const client = await request(node)
    const report = await server.shutdown()
    expect(report.outcome).toBe("DeadlineExceeded")
    expect(report.cut).toMatchObject([{ method: "GET", path: "/slow", clientReceived: "503" }])
    expect(await responseOf(client)).toMatchObject({ status: 503 })
  })

  it("is ended by `close`, for all who wait", async () => {
    const { node, server } = await slow({ timeout: "1 minute" })
    await request(node)
    const stopped = server.shutdown()
    await phases(server, "Draining")
    expect(await server.close()).toMatchObject({ outcome: "Closed", cut: [{ path: "/slow" }] })
    expect(await stopped).toMatchObject({ outcome: "Closed" })
  })

  it("is begun by the Node server's own `close`, which calls back when it is over", async () => {
    let ended = 0
    const { node, release, server } = await slow({ finally: () => void ended++ })
    const client = await request(node)
    const called = new Promise((resolve) => node.close(resolve))
    await phases(server, "Draining")
    expect(client.ending).toBe("open")
    release()
    await waitFor("the callback", called, limit)
    expect(await responseOf(client)).toMatchObject({ status: 200, complete: true })
    expect(await server.closed).toMatchObject({ outcome: "Drained", served: 1 })
    expect(ended).toBe(1)
  })

  it("drains several servers together, of several protocols", async () => {
    const released = deferred()
    const http = await listenOnLoopback(
      Http.createServer((_, response) => void released.promise.then(() => response.end("1")))
    )
    const h2 = await listenOnLoopback(
      Http2.createServer((_, response) => void released.promise.then(() => response.end("2")))
    )
    const echo = await listenOnLoopback(Net.createServer((socket) => void socket.on("data", () => socket.end("bye"))))
    const server = quiesce([http, h2, echo], { logger: false })
    const client = await request(http)
    const session = Http2.connect(`http://127.0.0.1:${portOf(h2)}`)
    const stream = session.request({ ":path": "/" })
    // read as it comes: what nobody has read is gone when its session closes
    let text = ""
    const read = once(stream.on("data", (chunk) => void (text += String(chunk))), "end")
    await once(h2, "request")
    const talking = await connect({ port: portOf(echo) })
    await waitFor("three connections", () => server.connections().length === 3, limit)
    const stopped = server.shutdown()
    await phases(server, "Draining")
    await talking.write("good bye")
    released.resolve()
    expect(await responseOf(client)).toMatchObject({ status: 200, complete: true })
    await waitFor("the stream to end", read, limit)
    expect(text).toBe("2")
    expect(await talking.untilText("bye", limit)).toBe("bye")
    expect(await stopped).toMatchObject({ outcome: "Drained", served: 2, connections: { open: 3 } })
  })

  it("aborts `signal` when it begins, so that streams end in time, however many", async () => {
    const warnings: Array<Error> = []
    const warned = (warning: Error) => void warnings.push(warning)
    process.on("warning", warned)
    let signal: AbortSignal | undefined
    const node = await listenOnLoopback(Http.createServer((_, response) => {
      response.write("tick\n")
      signal?.addEventListener("abort", () => response.end("bye\n"))
    }))
    const server = quiesce(node, { logger: false })
    signal = server.signal
    const streams: Array<RawClient> = []
    while (streams.length < 20) streams.push(await request(node))
    expect(signal.aborted).toBe(false)
    expect(await server.shutdown()).toMatchObject({ outcome: "Drained", served: 20 })
    expect(signal.aborted).toBe(true)
    for (const stream of streams) {
      const { body, complete } = await responseOf(stream)
      expect({ complete, body: body.toString() }).toEqual({ complete: true, body: "tick\nbye\n" })
    }
    process.off("warning", warned)
    expect(warnings).toEqual([])
  })

  it("rejects with what `finally` failed with, and the log says so to those who do not wait", async () => {
    const lines: Array<string> = []
    const failure = new Error("the database does not close")
    const { server } = await slow({
      logger: (level, message) => void lines.push(`${level} ${message}`),
      finally: () => Promise.reject(failure)
    })
    await expect(server.shutdown()).rejects.toBe(failure)
    expect(lines[0]).toMatch(/^info Shutting down: draining for up to 8s; 0 connections open/)
    expect(lines.at(-1)).toMatch(/^error .*the database does not close/)
    expect(process.exitCode).toBeUndefined()
  })

  it("goes on when a hook fails or hangs; the hook is told that its time is up", async () => {
    const lines: Array<string> = []
    let told = false
    const { server } = await slow({ logger: (level, message) => void lines.push(`${level} ${message}`) })
    server.onShutdown("fails", () => Promise.reject(new Error("no answer")))
    server.onShutdown("throws", () => {
      throw new Error("at once")
    })
    server.onShutdown("hangs", (signal) =>
      new Promise(() => {
        signal.addEventListener("abort", () => {
          told = true
        })
      }), { timeout: "50 millis" })
    const { hooks } = await server.shutdown()
    expect(hooks.map(({ outcome }) => outcome)).toEqual(["Failed", "Failed", "TimedOut"])
    expect(told).toBe(true)
    expect(lines.filter((line) => line.startsWith("warn "))).toHaveLength(3)
    expect(lines.join("\n")).toContain("no answer")
  })

  it("runs a hook at once that is registered during the shutdown, or after it", async () => {
    const { node, release, server } = await slow()
    await request(node)
    const stopped = server.shutdown()
    await phases(server, "Draining")
    const during = deferred()
    server.onShutdown("during", () => during.resolve())
    await waitFor("the hook", during.promise, limit)
    release()
    expect((await stopped).hooks).toMatchObject([{ name: "during", outcome: "Succeeded" }])
    const after = deferred()
    server.onShutdown("after", async () => after.resolve())
    await waitFor("the hook", after.promise, limit)
  })

  for (const [how, fail] of [["throws", false], ["rejects", true]] as const) {
    it(`writes to console.error what a logger that ${how} has not taken, and once what it failed with`, async () => {
      const errors = vi.spyOn(console, "error").mockImplementation(() => {})
      const failure = new Error("broken")
      const logger = (): unknown => {
        if (fail) return Promise.reject(failure)
        throw failure
      }
      const { server } = await slow({ logger })
      await server.shutdown()
      expect(errors.mock.calls.map(([line]) => String(line))).toEqual([
        expect.stringMatching(/^info: Shutting down: draining/),
        expect.stringMatching(/^info: /)
      ])
      expect(errors.mock.calls.map((args) => args.includes(failure))).toEqual([true, false])
    })
  }

  it("goes on when the logger throws, and when `finally` rejects with what is no error", async () => {
    vi.spyOn(console, "error").mockImplementation(() => {})
    const { server } = await slow({
      logger: () => {
        throw new Error("broken")
      },
      finally: () => Promise.reject("a text")
    })
    await expect(server.shutdown()).rejects.toBe("a text")
    expect(server.phase()).toBe("Closed")
  })

  it("leaves nothing behind", () =>
    withChild(new URL("fixtures/leavesNothing.ts", import.meta.url), [], async (child) => {
      // the signal has asked for the end of the process, with whatever exit code the program has set
      expect(await child.line("left", startLimit)).toEqual({
        event: "left",
        heard: 1,
        answer: "whole",
        listeners: [],
        exits: [[]],
        exitCode: null
      })
    }))
})

const thrown = (f: () => unknown): unknown => {
  try {
    f()
  } catch (error) {
    return error
  }
  return undefined
}

describe("what cannot be", () => {
  for (
    const [field, options] of [
      ["timeout", { timeout: -1 }],
      ["lameDuck", { lameDuck: "soon" as "1 second" }],
      ["signals", { signals: ["SIGKILL"] }],
      ["signals", { signals: ["SIGFOO" as "SIGTERM"] }]
    ] satisfies ReadonlyArray<readonly [string, Options]>
  ) {
    it(`throws InvalidPolicy for ${JSON.stringify(options)}, and leaves the server as it was`, async () => {
      const node = Http.createServer()
      const error = thrown(() => quiesce(node, options))
      expect(error).toBeInstanceOf(InvalidPolicy)
      expect(error).toMatchObject({ field, message: expect.stringContaining(`${field} is `) })
      expect(quiesce(node, { logger: false }).phase()).toBe("Serving")
    })
  }

  it("throws InvalidPolicy for the time of a hook", () => {
    const server = quiesce(Http.createServer(), { logger: false })
    const error = thrown(() => server.onShutdown("flush", () => {}, { timeout: Number.NaN }))
    expect(error).toBeInstanceOf(InvalidPolicy)
    expect(error).toMatchObject({ message: expect.stringContaining("timeout of the hook \"flush\" is NaN") })
  })

  it("throws ListenError for a server that has been taken over before, and the first stays in charge", async () => {
    const { node, release, server } = await slow()
    expect(thrown(() => quiesce(node))).toBeInstanceOf(ListenError)
    const client = await request(node)
    const stopped = server.shutdown()
    release()
    expect(await responseOf(client)).toMatchObject({ status: 200 })
    expect(await stopped).toMatchObject({ outcome: "Drained", served: 1 })
  })

  for (
    const [target, words, remedy] of [
      [
        express(),
        "a function (an express app?)",
        "It has no Node server yet: pass what its `listen(…)` returns."
      ],
      [undefined, "undefined"],
      [null, "null"],
      [3000, "a number (3000)"],
      ["http://127.0.0.1:3000", "a string (http://127.0.0.1:3000)"],
      [Promise.resolve(), "a promise (await it)"],
      [{}, "an object without `server`"],
      [{ server: {} }, "an object whose `server` is none"],
      [[], "an empty list"],
      [[[]], "an empty list"]
    ] satisfies ReadonlyArray<readonly [unknown, string, string?]>
  ) {
    it(`throws ListenError for ${words}, and says what to pass`, () => {
      const error = thrown(() => quiesce(target as unknown as Target))
      expect(error).toBeInstanceOf(ListenError)
      expect(error).toMatchObject({
        message:
          `Cannot take over ${words}: it is no server of node:http, node:https, node:http2, node:net or node:tls. `
          + (remedy
            ?? "Pass what `createServer` or `app.listen(…)` returns, awaited if it is a promise; for ws and socket.io, "
              + "the Node server that they are attached to.")
      })
    })
  }

  it("throws InvalidPolicy for what has a server and cannot be closed", () => {
    const error = thrown(() => quiesce({ server: Http.createServer() } as unknown as Target))
    expect(error).toBeInstanceOf(InvalidPolicy)
    expect(error).toMatchObject({ message: expect.stringContaining("close is undefined, and must be a function") })
  })

  it("takes over none of a list in which one is twice, or taken already", async () => {
    const { node: taken, server } = await slow()
    const good = await listenOnLoopback(Http.createServer((_, response) => response.end("still here")))
    const ways: ReadonlyArray<ReadonlyArray<Http.Server>> = [[good, good], [good, taken]]
    for (const targets of ways) {
      const error = thrown(() => quiesce(targets))
      expect(error).toBeInstanceOf(ListenError)
      expect(error).toMatchObject({
        message: expect.stringContaining("quiesce() or adopt was already called with it")
      })
    }
    const client = await request(good, "GET / HTTP/1.1\r\nHost: test\r\n\r\n")
    expect((await responseOf(client)).headers).not.toHaveProperty("connection", "close")
    expect(server.phase()).toBe("Serving")
    // it is free
    expect(await quiesce(good, { logger: false }).shutdown()).toMatchObject({ outcome: "Drained" })
  })
})
