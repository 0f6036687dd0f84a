import express from "express"
import { once } from "node:events"
import * as Http from "node:http"
import * as Net from "node:net"
import { afterEach, describe, expect, it } from "vitest"
import { type AdminOptions, InvalidPolicy, type Options, quiesce, type Server } from "../../../src/promise.js"
import { startLimit, withChild } from "../../support/child.js"
import { listenOnLoopback, portOf } from "../../support/nodeServer.js"
import { deferred, waitFor } from "../../support/wait.js"

const limit = 10_000

const open: Array<Server> = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((server) => server.close()))
})

/** A server that answers with its health, and else when it is told to. */
const started = async (options: Options = {}) => {
  const released = deferred()
  const node = await listenOnLoopback(
    Http.createServer((request, response) =>
      server.health(request, response, () => void released.promise.then(() => response.end("whole")))
    )
  )
  const server = quiesce(node, { logger: false, ...options })
  open.push(server)
  return { node, release: () => released.resolve(), server }
}

interface Got {
  readonly status: number
  readonly type: string | null
  readonly body: string
}

const get = (port: number, path: string, headers: Http.OutgoingHttpHeaders = {}, method = "GET"): Promise<Got> =>
  new Promise((resolve, reject) => {
    const request = Http.request({ agent: false, headers, host: "127.0.0.1", method, path, port }, (response) => {
      let body = ""
      response.setEncoding("utf8").on("data", (text: string) => void (body += text)).once(
        "end",
        () => resolve({ status: response.statusCode ?? 0, type: response.headers["content-type"] ?? null, body })
      )
    })
    request.once("error", reject).end()
  })

describe("health", () => {
  it("is answered on a path of the app, and everything else goes on to it", async () => {
    const { node, release, server } = await started()
    const port = portOf(node)
    release()
    for (const path of ["/livez", "/readyz", "/startupz"]) {
      expect(await get(port, path)).toEqual({ status: 200, type: "text/plain; charset=utf-8", body: "ok" })
    }
    expect((await get(port, "/")).body).toBe("whole")
    expect((await get(port, "/readyz", {}, "POST")).body).toBe("whole")
    expect((await get(port, "/%")).body).toBe("whole")
    expect(await get(port, "/readyz", {}, "HEAD")).toMatchObject({ status: 200, body: "" })
    let isWell = false
    server.check("database", () => isWell ? Promise.resolve() : Promise.reject(new Error("the password is wrong")), {
      cache: 0
    })
    expect(await get(port, "/readyz")).toMatchObject({
      status: 500,
      body: "[+]ping ok\n[-]database failed: reason withheld\n[+]shutdown ok\nreadyz check failed\n"
    })
    expect(await get(port, "/readyz/database")).toMatchObject({ status: 500 })
    expect(await get(port, "/readyz/nothing")).toMatchObject({ status: 404 })
    expect(await get(port, "/readyz?exclude=database&verbose")).toMatchObject({
      status: 200,
      body: "[+]ping ok\n[+]database excluded: ok\n[+]shutdown ok\nreadyz check passed\n"
    })
    expect(await get(port, "/livez")).toMatchObject({ status: 200 })
    expect(await server.probe("ready")).toMatchObject({
      passed: false,
      checks: [{ name: "ping" }, { name: "database", outcome: "Failed", reason: "the password is wrong" }, {}]
    })
    isWell = true
    expect(await get(port, "/readyz/database")).toMatchObject({ status: 200, body: "ok" })
  })

  it("is a middleware of express, wherever it is mounted; without a next handler the rest is 404", async () => {
    const app = express()
    app.use("/health", (request, response, next) => server.health(request, response, next))
    app.get("/", (_, response) => void response.send("the app"))
    app.get("/alone/*path", (request, response) => server.health(request, response))
    const node = await listenOnLoopback(Http.createServer(app))
    const server = quiesce(node, { logger: false })
    open.push(server)
    const port = portOf(node)
    expect(await get(port, "/health/readyz")).toMatchObject({ status: 200, body: "ok" })
    expect((await get(port, "/health/readyz?verbose")).body).toBe("[+]ping ok\n[+]shutdown ok\nreadyz check passed\n")
    expect(await get(port, "/health/other")).toMatchObject({ status: 404 })
    expect((await get(port, "/")).body).toBe("the app")
    expect(await get(port, "/alone/other")).toMatchObject({ status: 404, body: "404 page not found\n" })
  })

  it("fails a check that hangs, throws, or returns false, in its time, and aborts its signal", async () => {
    const { server } = await started()
    let signal: AbortSignal | undefined
    server.check("hangs", (given) => {
      signal = given
      return new Promise(() => {})
    }, { timeout: 50 })
    server.check("throws", () => {
      throw new TypeError("no such table")
    })
    server.check("is false", () => false)
    server.check("is well", () => "yes", { on: ["startup"] })
    const { checks, passed } = await server.probe("ready")
    expect(passed).toBe(false)
    expect(checks.map(({ name, outcome, reason }) => [name, outcome, reason])).toEqual([
      ["ping", "Passed", undefined],
      ["hangs", "Failed", "timed out after 50ms"],
      ["throws", "Failed", "no such table"],
      ["is false", "Failed", "returned false"],
      ["shutdown", "Passed", undefined]
    ])
    await waitFor("the abort", () => signal?.aborted === true, limit)
    expect((await server.probe("startup")).checks.map(({ name }) => name)).toEqual(["ping", "is well"])
  })

  it("is what it was until `finally` is done: a check that asks meanwhile is not cut off", async () => {
    const asked = deferred()
    const told: Array<unknown> = []
    const { release, server } = await started({
      finally: async () => {
        asked.resolve()
        told.push(await server.probe("live"), await server.probe("ready"))
      }
    })
    server.check("database", () => true, { on: ["live", "ready"], cache: 0 })
    server.check("slow", () => asked.promise, { on: ["live"], cache: 0, timeout: "1 minute" })
    const across = server.probe("live")
    release()
    await server.shutdown()
    expect(await across).toMatchObject({ passed: true })
    expect(told).toMatchObject([
      { passed: true, checks: [{ name: "ping" }, { name: "database" }, { name: "slow" }] },
      { passed: false, checks: [{ name: "ping" }, { name: "database", outcome: "Passed" }, { name: "shutdown" }] }
    ])
  })

  it("is not ready from the first moment of a shutdown, says so to Envoy, and is alive", async () => {
    const { node, release, server } = await started({ lameDuck: "1 minute" })
    const headers = async (path: string) => (await fetch(`http://127.0.0.1:${portOf(node)}${path}`)).headers
    server.check("database", () => false)
    expect((await headers("/readyz")).get("x-envoy-immediate-health-check-fail")).toBeNull()
    void server.shutdown()
    expect((await headers("/readyz")).get("x-envoy-immediate-health-check-fail")).toBe("true")
    expect((await headers("/livez")).get("x-envoy-immediate-health-check-fail")).toBeNull()
    expect(await get(portOf(node), "/readyz")).toMatchObject({
      status: 500,
      body:
        "[+]ping ok\n[-]database failed: reason withheld\n[-]shutdown failed: reason withheld\nreadyz check failed\n"
    })
    expect(await get(portOf(node), "/livez")).toMatchObject({ status: 200 })
    release()
  })

  it("takes no check that is none, and no name twice", async () => {
    const { server } = await started()
    server.check("database", () => true)
    const wrong: ReadonlyArray<readonly [string, () => void]> = [
      ["twice", () => server.check("database", () => true)],
      ["the name of one that is built in", () => server.check("shutdown", () => true)],
      ["no function", () => server.check("other", Promise.resolve() as never)],
      ["an option that there is not", () => server.check("other", () => true, { every: 5 } as never)]
    ]
    for (const [what, call] of wrong) expect(call, what).toThrow(InvalidPolicy)
    expect((await server.probe("ready")).checks).toHaveLength(3)
  })
})

describe("the admin listener", () => {
  it("answers through the drain, and through `finally`, and then is gone", async () => {
    const finished = deferred()
    const { node, release, server } = await started({ admin: 0, finally: () => finished.promise })
    const { address, port } = (await server.admin)!
    expect(address).toBe("127.0.0.1")
    server.check("database", () => Promise.reject(new Error("gone")))
    expect((await get(port, "/")).body).toMatch(/^Serving\n\n\/livez: /)
    expect((await get(port, "/", { accept: "text/html" })).type).toBe("text/html; charset=utf-8")
    expect((await get(port, "/readyz")).body).toContain("[-]database failed: gone")
    const slow = get(portOf(node), "/slow?secret=1")
    await waitFor("the request", () => server.connections().some(({ state }) => state === "Active"), limit)
    void server.shutdown()
    expect(JSON.parse((await get(port, "/requests")).body)).toMatchObject({ requests: [{ path: "/slow" }] })
    expect(JSON.parse((await get(port, "/connections")).body)).toMatchObject({ connections: [{ state: "Active" }] })
    const { body, type } = await get(port, "/metrics")
    expect(type).toContain("text/plain; version=0.0.4")
    expect(body).toMatch(/^quiesce_shutdown_waiting_requests\{server="\d+"\} 1$/m)
    expect(body).toMatch(/^quiesce_phase\{.*phase="Draining".*\} 1$/m)
    release()
    expect((await slow).body).toBe("whole")
    await waitFor("the end of the drain", () => server.phase() === "Closed", limit)
    expect((await get(port, "/livez")).status).toBe(200)
    expect((await get(port, "/metrics")).body).toMatch(/^quiesce_shutdown_duration_seconds_count\{.*\} [1-9]/m)
    finished.resolve()
    await server.closed
    await expect(get(port, "/livez")).rejects.toMatchObject({ code: "ECONNREFUSED" })
  })

  it("answers by its own names alone", async () => {
    const { server } = await started({ admin: { allowedHosts: [".monitoring.svc"], port: 0 } })
    const { port } = (await server.admin)!
    expect((await get(port, "/livez", { host: "evil.example" })).status).toBe(421)
    expect((await get(port, "/livez", { host: "admin.monitoring.svc" })).status).toBe(200)
    expect((await get(port, "/livez", { host: "localhost:1" })).status).toBe(200)
  })

  it("rejects where it cannot listen, and the server serves on", async () => {
    const taken = await listenOnLoopback(Http.createServer())
    const { node, release, server } = await started({ admin: portOf(taken) })
    await expect(server.admin).rejects.toMatchObject({ code: "EADDRINUSE" })
    release()
    expect((await get(portOf(node), "/")).body).toBe("whole")
    taken.close()
    await once(taken, "close")
  })

  it("takes no option that is none", () => {
    const node = Http.createServer()
    const wrong: ReadonlyArray<unknown> = [
      -1,
      65_536,
      "9000",
      null,
      {},
      { port: 0, hosts: [] },
      { port: 0, host: 1 },
      { port: 0, allowedHosts: "me" }
    ]
    for (const admin of wrong) {
      expect(() => quiesce(node, { admin: admin as AdminOptions }), JSON.stringify(admin)).toThrow(InvalidPolicy)
    }
  })

  it("drains for a form that has come whole, and not for a part of one", async () => {
    const { server } = await started({ admin: { actions: true, port: 0 } })
    const { port } = (await server.admin)!
    const { body: page } = await get(port, "/", { accept: "text/html" })
    const form = `token=${/name="token" value="([^"]+)"/.exec(page)?.[1]}`
    const post = async (length: number) => {
      const socket = Net.connect(port, "127.0.0.1")
      socket.resume().on("error", () => {})
      // its end is the client's, in the middle of the form
      socket.end(
        "POST /drain HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n"
          + `Content-Length: ${length}\r\nConnection: close\r\n\r\n${form}`
      )
      await waitFor("the server to hang up", once(socket, "close"), limit)
    }
    await post(form.length + 1)
    expect((await get(port, "/livez")).status).toBe(200)
    expect(server.phase()).toBe("Serving")
    await post(form.length)
    await waitFor("the drain", () => server.phase() !== "Serving", limit)
  })

  it("keeps no process alive, whoever is connected to it", () =>
    withChild(new URL("fixtures/admin.ts", import.meta.url), [], async (child) => {
      const { port } = await child.line("admin", startLimit) as unknown as Net.AddressInfo
      const agent = new Http.Agent({ keepAlive: true })
      const idle = Http.get({ agent, host: "127.0.0.1", path: "/livez", port })
      const [response] = await once(idle, "response") as [Http.IncomingMessage]
      response.resume()
      child.signal("SIGTERM")
      expect(await child.exit(limit)).toMatchObject({ code: 0, signal: null })
      expect(child.stdout()).not.toContain("keeps the process")
      agent.destroy()
    }))
})

it("the metrics are text, also without an admin listener", async () => {
  const { server } = await started()
  const text = await server.metrics()
  expect(text).toMatch(/^# TYPE quiesce_phase gauge$/m)
  expect(text).toMatch(/^quiesce_phase\{.*phase="Serving".*\} 1$/m)
})

it("the metrics that are first asked for in `finally` have the numbers of the report", async () => {
  const arrived = deferred()
  const node = await listenOnLoopback(Http.createServer(() => arrived.resolve()))
  let text = ""
  const server = quiesce(node, {
    logger: false,
    timeout: 50,
    killTimeout: 0,
    finally: async () => {
      await server.metrics()
      text = await server.metrics()
    }
  })
  server.track("work", new Promise(() => {}))
  const cut = get(portOf(node), "/")
  await arrived.promise
  server.onShutdown("only here", () => {})
  await server.shutdown()
  expect((await cut).status).toBe(503)
  // what tells it from the other servers of this process
  const id = /^quiesce_hook_.*hook="only here".*$/m.exec(text)?.[0].match(/server="\d+"/)?.[0] ?? "none"
  const own = text.split("\n").filter((line) => line.includes(id))
  const value = (name: string, label = "") =>
    own.filter((line) => line.startsWith(`quiesce_${name}{`) && line.includes(label)).map((line) =>
      line.split(" ").at(-1)
    )
  expect(value("requests_cut_total", "client_received=\"503\"")).toEqual(["1"])
  expect(value("background_lost_total")).toEqual(["1"])
  expect(value("shutdown_duration_seconds_count")).toEqual(["1"])
  expect(value("drain_duration_seconds_count")).toEqual(["1"])
  expect(value("hook_duration_seconds_count", "hook=\"only here\"")).toEqual(["1"])
  expect(value("requests_in_flight")).toEqual(["0"])
})

it("the page and the log count all hooks and background work, and name the first", async () => {
  const lines: Array<string> = []
  const released = deferred()
  const { server } = await started({ admin: 0, logger: (_, message) => void lines.push(message), timeout: "1 minute" })
  const { port } = (await server.admin)!
  for (let nth = 0; nth < 25; nth++) {
    for (const promise of [released.promise, released.promise]) server.track(`work ${nth}`, promise)
  }
  for (let nth = 0; nth < 31; nth++) {
    server.onShutdown(nth === 0 ? "x".repeat(1000) : `hook ${nth}`, () => released.promise)
  }
  const page = async () => (await get(port, "/", { accept: "text/html" })).body
  const serving = await page()
  expect(serving).toContain("<dt>Background work</dt><dd>50</dd>")
  expect(serving.match(/<th scope="row">work \d+</g)).toHaveLength(20)
  expect(serving.match(/And [\d,]+ more\./g)).toEqual(["And 11 more.", "And 10 more."])
  const stopped = server.shutdown()
  const waits = await waitFor("a line of progress", () => lines.find((line) => line.includes("waiting for")), limit)
  expect(waits).toContain(
    `hooks: ${"x".repeat(63)}…, hook 1, hook 2, hook 3, hook 4, and 26 more; `
      + "background work: work 0 (2), work 1 (2), work 2 (2), work 3 (2), work 4 (2), and 20 more; "
  )
  expect(await page()).toContain("<dt>Background work</dt><dd>50</dd>")
  released.resolve()
  expect((await stopped).outcome).toBe("Drained")
})
