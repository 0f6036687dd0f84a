import { once } from "node:events"
import * as Fs from "node:fs"
import { type AddressInfo, createServer } from "node:net"
import * as Os from "node:os"
import * as Path from "node:path"
import { describe, expect, it } from "vitest"
import { type Child, startLimit, withChild } from "../../support/child.js"
import { describeWith } from "../../support/describeWith.js"
import { afterDuplicateWindow } from "../../support/duplicateWindow.js"
import { messages, position, refused, withExample } from "../../support/example.js"
import { get } from "../../support/httpRequests.js"
import { saysClose } from "../../support/httpResponses.js"
import { npm, script, start as startProgram } from "../../support/program.js"
import { responseOf, type Target, withClient } from "../../support/rawClient.js"
import { pace, timerGrain, waitFor } from "../../support/wait.js"

// Each example as a person runs it: a process, a real client, and a signal in the middle of something.

const drained = /^Shut down in .* \(Drained\)/

/** Those that listen on `PORT`. */
const listening = Fs.readdirSync(new URL("../../../examples/", import.meta.url))
  .filter((name) => name.endsWith(".ts"))
  .filter((name) =>
    Fs.readFileSync(new URL(`../../../examples/${name}`, import.meta.url), "utf8").includes(`process.env["PORT"]`)
  )

describe("a port that is taken", { timeout: 60_000 }, () => {
  it.for(listening)("%s ends with 1, and names it", async (name) => {
    const other = createServer().listen(0, "127.0.0.1")
    await once(other, "listening")
    const { port } = other.address() as AddressInfo
    try {
      await withChild(new URL(`../../../examples/${name}`, import.meta.url), [], async (child) => {
        expect(await child.exit(startLimit)).toMatchObject({ code: 1 })
        const said = child.stdout() + child.stderr()
        expect(said).toContain("address already in use")
        expect(said).toContain(String(port))
        expect(said).not.toContain("TypeError")
      }, { env: { PORT: String(port) } })
    } finally {
      other.close()
    }
  })
})

describe.concurrent("examples", { timeout: 60_000 }, () => {
  it("quickstart: a request that is running at SIGTERM is answered, and told to close", () =>
    withExample("quickstart", async ({ child, logged, target }) => {
      await withClient(target, async (client) => {
        await client.write(get("/"))
        expect((await responseOf(client)).body.toString()).toBe("hello\n")
        await client.write(get("/slow"))
        child.signal("SIGTERM")
        await logged(/Shutting down: draining for up to 5s; 1 connection open \(1 Active\)/)
        await refused(target)
        const slow = await responseOf(client, 2)
        expect(slow).toMatchObject({ status: 200, complete: true })
        expect(slow.body.toString()).toBe("hello, two seconds later\n")
        expect(saysClose(slow)).toBe(true)
      })
      expect(await child.exit(startLimit)).toMatchObject({ code: 0 })
      position(child, drained)
    }))

  it("databasePool: an order that is being written at SIGTERM is written, and the pool is released last", () =>
    withExample("databasePool", async ({ child, logged, target }) => {
      await withClient(target, async (client) => {
        const what = "two coffees"
        await client.write(`POST /orders HTTP/1.1\r\nHost: test\r\nContent-Length: ${what.length}\r\n\r\n${what}`)
        await logged(/order received/)
        child.signal("SIGTERM")
        await logged(/Shutting down/)
        await client.write(get("/orders"))
        expect(await responseOf(client)).toMatchObject({ status: 201, complete: true })
      })
      expect(await child.exit(startLimit)).toMatchObject({ code: 0 })
      expect(position(child, /^order written/)).toBeLessThan(position(child, drained))
      expect(position(child, drained)).toBeLessThan(position(child, /^database connection closed/))
      expect(messages(child).filter((message) => message === "database connection closed")).toHaveLength(2)
    }))

  it("hooks: all run once, each is bounded, and the report says how each ended", () =>
    withExample("hooks", async ({ child, target }) => {
      await withClient(target, async (client) => {
        await client.write(get("/"))
        expect(await responseOf(client)).toMatchObject({ status: 200 })
      })
      child.signal("SIGINT")
      expect(await child.exit(startLimit)).toMatchObject({ code: 0 })
      expect(messages(child).filter((message) => message === "left the service registry")).toHaveLength(1)
      expect(position(child, /^metrics flushed$/)).toBeLessThan(position(child, drained))
      for (
        const line of [
          /^Shutdown hook "notify the old system" Failed/,
          /^Shutdown hook "sync caches" TimedOut/,
          /^leave registry: Succeeded/,
          /^flush metrics: Succeeded/,
          /^notify the old system: Failed/,
          /^sync caches: TimedOut/
        ]
      ) position(child, line)
      expect(child.stdout()).toContain("the old system does not answer")
    }))

  it.for(["background", "queue"])(
    "%s: orders that were accepted are fulfilled, and what they use is closed last",
    (name) =>
      withExample(name, async ({ child, target }) => {
        const orders = Array.from({ length: 20 }, (_, n) => `order ${n}`)
        await withClient(target, async (client) => {
          for (const [n, order] of orders.entries()) {
            await client.write(`POST /orders HTTP/1.1\r\nHost: test\r\nContent-Length: ${order.length}\r\n\r\n${order}`)
            expect(await responseOf(client, n + 1)).toMatchObject({ status: 202, complete: true })
          }
        })
        child.signal("SIGTERM")
        expect(await child.exit(startLimit)).toMatchObject({ code: 0 })
        const said = child.stdout()
        const at = (text: string | RegExp) => said.search(text)
        for (const order of orders) expect(said).toMatch(new RegExp(`fulfilled ${order}\\b`))
        expect(at(/Background work "stocktaking" Completed/)).toBeGreaterThan(0)
        expect(at(/Background work "orders" Completed \(\d+\)/)).toBeGreaterThan(at(/fulfilled order 19\b/))
        expect(at(/20 orders fulfilled; (warehouse|database) closed/)).toBeGreaterThan(
          at(/Shut down in .* \(Drained\)/)
        )
      })
  )

  it("twoListeners: a TCP and a Unix client are answered by the same app, and the socket's file is gone", async () => {
    const directory = Fs.mkdtempSync(Path.join(Os.tmpdir(), "quiesce-examples-"))
    const path = Path.join(directory, "example.sock")
    try {
      await withExample("twoListeners", async ({ child, logged, target }) => {
        await logged(/Listening on unix:/)
        await withClient(target, (tcp) =>
          withClient({ path }, async (unix) => {
            await Promise.all([tcp.write(get("/")), unix.write(get("/"))])
            await logged(/request received[^]*request received/)
            child.signal("SIGTERM")
            for (const client of [tcp, unix]) {
              const response = await responseOf(client)
              expect(response).toMatchObject({ status: 200, complete: true })
              expect(response.body.toString()).toBe("hello\n")
            }
          }))
        expect(await child.exit(startLimit)).toMatchObject({ code: 0 })
        position(child, /2 connections open \(2 Active\)/)
        position(child, /^Shut down in .* \(Drained\): 2 requests answered/)
        expect(Fs.existsSync(path)).toBe(false)
      }, { SOCKET: path })
    } finally {
      Fs.rmSync(directory, { recursive: true, force: true })
    }
  })

  it("health: not ready at SIGTERM while it serves on, and the admin listener says what is waited for", () =>
    withExample("health", async ({ child, logged, target }) => {
      const admin = `http://127.0.0.1:${/Admin on http:\/\/127\.0\.0\.1:(\d+)/.exec(child.stdout())?.[1]}`
      const ask = async (path: string) => {
        const response = await fetch(admin + path)
        return { status: response.status, body: await response.text() }
      }
      expect((await ask("/startupz?verbose")).body).toBe("[+]ping ok\n[+]app ok\nstartupz check passed\n")
      expect((await ask("/readyz?verbose")).body).toBe(
        "[+]ping ok\n[+]app ok\n[+]database ok\n[+]shutdown ok\nreadyz check passed\n"
      )
      await withClient(target, async (slow) => {
        await slow.write(get("/slow"))
        child.signal("SIGTERM")
        await logged(/Shutting down: serving on for 5s/)
        expect(await ask("/readyz")).toMatchObject({ status: 500 })
        expect(await ask("/livez")).toMatchObject({ status: 200 })
        expect((await ask("/requests")).body).toContain(`"path": "/slow"`)
        expect((await ask("/metrics")).body).toMatch(
          /^quiesce_shutdown_waiting_request_age_seconds\{[^}]*method="GET",path="\/slow"/m
        )
        // it still accepts
        await withClient(target, async (client) => {
          await client.write(get("/"))
          expect(await responseOf(client)).toMatchObject({ status: 200, complete: true })
        })
        await refused(target, 10_000)
        expect(await ask("/livez")).toMatchObject({ status: 200 })
        expect((await responseOf(slow)).body.toString()).toBe("eight seconds later\n")
      })
      expect(await child.exit(startLimit)).toMatchObject({ code: 0 })
      expect(position(child, drained)).toBeLessThan(position(child, /^database closed/))
    }, { ADMIN_PORT: "0" }))

  it("perConnection: acquired by the first request, shared, released with the connection, also in a shutdown", () =>
    withExample("perConnection", async ({ child, logged, target }) => {
      await withClient(target, (stays) =>
        withClient(target, async (leaves) => {
          await leaves.write(get("/") + get("/"))
          await responseOf(leaves, 2)
          leaves.leave()
          await logged(/session closed after 2 requests/)
          for (const nth of [1, 2, 3]) {
            await stays.write(get("/"))
            expect((await responseOf(stays, nth)).body.toString()).toBe(`request ${nth} of connection 1\n`)
          }
          child.signal("SIGTERM")
          await stays.untilEnded(5000)
        }))
      expect(await child.exit(startLimit)).toMatchObject({ code: 0 })
      position(child, /^session closed after 3 requests/)
      expect(messages(child).filter((message) => message === "session opened")).toHaveLength(2)
    }))

  it("configuration: the policy comes from the environment", () =>
    withExample("configuration", async ({ child, logged, target }) => {
      child.signal("SIGTERM")
      await logged(/Shutting down: serving on for 8s, then draining for up to 20s/)
      // the lame duck still accepts and serves, and asks to leave
      await withClient(target, async (client) => {
        await client.write(get("/"))
        const response = await responseOf(client)
        expect(response.body.toString()).toBe("hello\n")
        expect(saysClose(response)).toBe(true)
      })
      const exit = await child.exit(startLimit)
      expect(exit.code).toBe(0)
      expect(exit.msSinceSignal).toBeGreaterThanOrEqual(8000 - timerGrain)
    }, { SHUTDOWN_LAME_DUCK: "8 seconds", SHUTDOWN_TIMEOUT: "20 seconds" }))

  for (
    const [name, env, says] of [
      ["a value that is no duration", { SHUTDOWN_TIMEOUT: "soon" }, /SHUTDOWN_TIMEOUT.*"soon"/],
      ["a port that cannot be", { PORT: "99999" }, /Cannot listen with port 99999: /]
    ] as const
  ) {
    it(`configuration: ${name} is an error that names it, and nothing listens`, () =>
      withChild(new URL("../../../examples/configuration.ts", import.meta.url), [], async (child) => {
        expect(await child.exit(startLimit)).toMatchObject({ code: 1 })
        expect(child.stdout()).toMatch(says)
        expect(child.stdout()).not.toContain("Listening")
      }, { env: { PORT: "0", ...env } }))
  }

  it("telemetry: JSON lines name the request that is waited for, and say how it ended", () =>
    withExample("telemetry", async ({ child, logged, target }) => {
      await withClient(target, async (client) => {
        await client.write(get("/slow"))
        // a second answer on another connection: the first request has long arrived
        await withClient(target, async (other) => {
          await other.write(get("/"))
          await responseOf(other)
        })
        child.signal("SIGTERM")
        await logged(/waiting for/)
        expect(await responseOf(client)).toMatchObject({ status: 200, complete: true })
      })
      expect(await child.exit(startLimit)).toMatchObject({ code: 0 })
      const lines = child.stdout().trim().split("\n").map((line) => JSON.parse(line))
      const said = (message: RegExp) => lines.find((line) => message.test(line.message))?.annotations.quiesce
      expect(said(/waiting for/)).toMatchObject({ phase: "Draining", requests: [{ method: "GET", path: "/slow" }] })
      expect(said(/^Shut down/)).toMatchObject({ outcome: "Drained", hooks: [{ name: "flush cache" }] })
    }))

  it("stream: it ends when a shutdown begins, whole and with a last word", () =>
    withExample("stream", async ({ child, target }) => {
      await withClient(target, async (client) => {
        await client.write(get("/clock"))
        await client.untilText(/\dZ\n/, 15_000)
        child.signal("SIGTERM")
        const response = await responseOf(client)
        expect(response).toMatchObject({ status: 200, complete: true })
        expect(response.body.toString()).toMatch(/\dZ\nthe server is shutting down: come back later\n$/)
      })
      const exit = await child.exit(startLimit)
      expect(exit.code).toBe(0)
      expect(exit.msSinceSignal).toBeLessThan(4000)
      position(child, drained)
    }))

  it("rpc: a call that is in flight at SIGTERM gets its result", () => {
    const rpc = new URL("../../../examples/rpc.ts", import.meta.url)
    const logged = (child: Child, pattern: RegExp) =>
      waitFor(
        () => `${String(pattern)} in the log: ${child.stdout()}${child.stderr()}`,
        () => pattern.exec(child.stdout()),
        startLimit
      )
    return withChild(rpc, [], async (server) => {
      const [, PORT = ""] = await logged(server, /Listening on 127\.0\.0\.1:(\d+)/)
      await withChild(rpc, ["call"], async (client) => {
        await logged(server, /Greeting Ada/)
        server.signal("SIGTERM")
        await logged(client, /hello Ada, two seconds later/)
        expect(await client.exit(15_000)).toMatchObject({ code: 0 })
      }, { env: { PORT } })
      const exit = await server.exit(15_000)
      expect(exit.code).toBe(0)
      expect(exit.msSinceSignal).toBeLessThan(4500)
      position(server, /1 connection open \(1 Hijacked\)/)
      position(server, drained)
    }, { env: { PORT: "0" } })
  })
})

describe("npm start", { timeout: 60_000 }, () => {
  const serving = async (child: Child): Promise<Target> => {
    const port = await waitFor(
      () => `the app to serve: ${child.stdout()}${child.stderr()}`,
      () => /Serving on http:\/\/localhost:(\d+)/.exec(child.stdout())?.[1],
      startLimit
    )
    return { port: Number(port) }
  }
  const start = new URL("../../../examples/start.ts", import.meta.url)
  const env = { PORT: "0" }

  it("shows who is connected, and on SIGINT what is waited for, what was answered, and the report, as lines", () =>
    withChild(start, [], async (child) => {
      const target = await serving(child)
      await withClient(target, (page) =>
        withClient(target, (slow) =>
          withClient(target, async (stream) => {
            await page.write(get("/"))
            expect((await responseOf(page)).body.toString()).toMatch(/<button data-work="\/slow\?seconds=5">/)
            await slow.write(get("/slow?seconds=3"))
            await stream.write(get("/stream"))
            await stream.untilText("tick 1", 10_000)
            await page.write(get("/connections"))
            expect((await responseOf(page, 2)).body.toString()).toMatch(/"path":"\/slow\?seconds=3"/)
            child.signal("SIGINT")
            // as npm does for one Ctrl-C, where the shell has made way for node
            await pace(90)
            child.signal("SIGINT")
            expect(await responseOf(slow)).toMatchObject({ status: 200, complete: true })
            expect((await responseOf(stream)).body.toString()).toMatch(/that was all\n$/)
          })))
      expect(await child.exit(startLimit)).toMatchObject({ code: 0 })
      const shown = child.stdout()
      expect(shown).toMatch(/Draining, 3 connections: (1 Idle, 2 Active|2 Active, 1 Idle)/)
      expect(shown).toMatch(/done GET \/stream from 127/)
      expect(shown).toMatch(
        /log: INFO Draining: waiting for .* GET \/slow\?seconds=3 from 127\.0\.0\.1:\d+ \(.*\); .* left/
      )
      expect(shown).toMatch(/done GET \/slow\?seconds=3 from 127/)
      expect(shown).toMatch(/Shut down in \d\.\d s: every request got its whole response\.\n {2}[23] requests answered/)
      expect(shown).not.toContain("\u001b[")
    }, { env }))

  it("closes at once on a second signal, and says what was cut", () =>
    withChild(start, [], async (child) => {
      await withClient(await serving(child), async (client) => {
        await client.write(get("/slow?seconds=30"))
        await pace(200)
        child.signal("SIGINT")
        await afterDuplicateWindow(child)
        child.signal("SIGINT")
        expect(await responseOf(client)).toMatchObject({ status: 503 })
      })
      await child.exit(startLimit)
      expect(child.stdout()).toMatch(/Closed at once: 1 request did not get the whole response\./)
      expect(child.stdout()).toMatch(/Cut: GET \/slow\?seconds=30 .* its client was told 503/)
    }, { env }))

  describeWith([script, npm], () => {
    it("draws the drain on a terminal to its end when Ctrl-C is pressed under npm", async () => {
      const terminal = startProgram(script, ["-qefc", "npm start", "/dev/null"], {
        stdin: "pipe",
        cwd: new URL("../../..", import.meta.url),
        env: { ...process.env, ...env, TERM: "xterm-256color" }
      })
      const shown = terminal.output
      try {
        const port = await waitFor(
          () => `the app to serve: ${shown()}`,
          () => /Serving on http:\/\/localhost:(\d+)/.exec(shown())?.[1],
          startLimit
        )
        await withClient({ port: Number(port) }, async (client) => {
          await client.write(get("/slow?seconds=2"))
          await waitFor(
            () => `the request to be seen: ${shown()}`,
            () => shown().includes("1 request in flight"),
            15_000
          )
          terminal.child.stdin?.write("\u0003")
          expect(await responseOf(client)).toMatchObject({ status: 200, complete: true })
        })
        await terminal.ran(10_000)
      } finally {
        await terminal.kill()
      }
      expect(shown()).toMatch(/Draining, \d\.\d s left: 1 connection \(1 Active\)/)
      expect(shown()).toMatch(/ {2}GET \/slow\?seconds=2 from 127\.0\.0\.1:\d+ \(\d\.\d s\)/)
      expect(shown()).toContain("every request got its whole response.")
      expect(shown()).toContain("\u001b[J")
    })
  })

  it("names the port that is taken, and what to do", () =>
    withChild(start, [], async (first) => {
      const target = await serving(first)
      const taken = String("port" in target ? target.port : 0)
      await withChild(start, [], async (second) => {
        expect(await second.exit(startLimit)).toMatchObject({ code: 1 })
        expect(second.stderr()).toContain(`Cannot listen with port ${taken}`)
        expect(second.stderr()).not.toContain("    at ")
      }, { env: { PORT: taken } })
    }, { env }))
})
