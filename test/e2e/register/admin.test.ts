import { once } from "node:events"
import * as Fs from "node:fs"
import * as Http from "node:http"
import * as Net from "node:net"
import * as Os from "node:os"
import * as Path from "node:path"
import { describe, expect, it } from "vitest"
import type { AdminStatus } from "../../../src/promise.js"
import { type Child, startLimit, untilLogged, withChild } from "../../support/child.js"
import { get } from "../../support/httpRequests.js"
import { listenOnLoopback, portOf } from "../../support/nodeServer.js"
import { withClient } from "../../support/rawClient.js"
import { waitFor } from "../../support/wait.js"
import { answer, limit, register, release, whole, withProgram, withRequest } from "./registered.js"

// The admin listener of a program that knows nothing of it, and HAProxy's agent check.

type Where = { readonly port: number } | { readonly path: string }

const found = (child: Child, pattern: RegExp) =>
  waitFor(
    () => `${String(pattern)} in: ${child.stdout()}${child.stderr()}`,
    () => pattern.exec(child.stdout()),
    startLimit
  )

const portIn = async (child: Child, listener = "admin listener"): Promise<number> =>
  Number((await found(child, new RegExp(`The ${listener} listens on 127\\.0\\.0\\.1:(\\d+)`)))[1])

const ask = async (where: Where, path: string, options: Http.RequestOptions = {}, body = "") => {
  const request = Http.request({ agent: false, host: "127.0.0.1", ...options, ...addressOf(where, path) }).end(body)
  const [response] = await once(request, "response") as [Http.IncomingMessage]
  let text = ""
  for await (const chunk of response.setEncoding("utf8")) text += String(chunk)
  return { status: response.statusCode, body: text }
}

const addressOf = (where: Where, path: string) =>
  "port" in where ? { port: where.port, path } : { socketPath: where.path, path }

const statusOf = async (where: Where) => JSON.parse((await ask(where, "/status")).body) as AdminStatus

const lineOf = async (port: number): Promise<string> => {
  let line = ""
  for await (const chunk of Net.connect(port, "127.0.0.1").setEncoding("utf8")) line += String(chunk)
  return line
}

const anyPort = { SHUTDOWN_ADMIN_PORT: "0" }

const lingers = "still keeps the process alive"

describe.concurrent("the admin listener of quiesce/register", { timeout: 120_000 }, () => {
  it("shows all servers of the process, answers through the drain, and keeps nothing alive", () =>
    withRequest({ servers: ["http", "http"] }, async (child, client) => {
      const admin = { port: await portIn(child) }
      const agent = await portIn(child, "agent check")
      expect(await ask(admin, "/readyz")).toEqual({ status: 200, body: "ok" })
      expect(await lineOf(agent)).toBe("up ready\n")
      expect(await statusOf(admin)).toMatchObject({
        phase: "Serving",
        listeners: [expect.stringMatching(/^127\.0\.0\.1:\d+$/), expect.stringMatching(/^127\.0\.0\.1:\d+$/)],
        connections: 1,
        inFlight: 1,
        accepted: 1
      })
      // whoever stays connected holds it no longer
      const idle = new Http.Agent({ keepAlive: true })
      const [kept] = await once(Http.get({ agent: idle, host: "127.0.0.1", path: "/livez", ...admin }), "response") as [
        Http.IncomingMessage
      ]
      await once(kept.resume(), "end")

      child.signal("SIGTERM")
      await untilLogged(child, "Shutting down: draining for up to", 2)
      const { leftMillis = Number.NaN, ...draining } = await statusOf(admin)
      expect(draining).toMatchObject({ phase: "Draining", inFlight: 1 })
      expect(leftMillis).toBeGreaterThan(0)
      expect(leftMillis).toBeLessThanOrEqual(8000)
      expect((await ask(admin, "/readyz")).status).toBe(500)
      expect((await ask(admin, "/livez")).status).toBe(200)
      expect(await lineOf(agent)).toBe("stopped # shutting down\n")
      expect(JSON.parse((await ask(admin, "/requests")).body)).toMatchObject({
        phase: "Draining",
        requests: [{ server: expect.stringMatching(/^\d+$/), method: "GET", path: "/slow" }]
      })
      const { body: metrics } = await ask(admin, "/metrics")
      expect(metrics.match(/^quiesce_phase\{.*phase="(Draining|Closed)".*\} 1$/gm)).toHaveLength(2)
      expect(metrics).toMatch(/^quiesce_shutdown_waiting_request_age_seconds\{.*path="\/slow".*\} /m)
      release(child)
      expect(await answer(client)).toEqual(whole)
      expect(await child.exit(limit)).toMatchObject({ code: 0, signal: null })
      expect(child.stdout()).not.toContain(lingers)
      idle.destroy()
    }, { env: { ...anyPort, SHUTDOWN_AGENT_CHECK_PORT: "0" } }))

  it("is not there unless it is asked for", () =>
    withRequest({}, async (child, client) => {
      child.signal("SIGTERM")
      await untilLogged(child, "Shutting down: draining for up to")
      release(child)
      expect(await answer(client)).toEqual(whole)
      await child.exit(limit)
      expect(child.stdout()).not.toContain("admin listener")
    }))

  it("goes on where a program closes its server and opens another one, and counts what the first has done", () =>
    withProgram({ reopens: "another" }, async (child) => {
      const first = await child.listening()
      const admin = { port: await portIn(child) }
      await withClient(first, async (client) => {
        await client.write(get("/close"))
        await client.untilResponses(1, limit)
      })
      const second = await child.listening(startLimit, 2)
      await withClient(second, async (client) => {
        await client.write(get("/"))
        await client.untilResponses(1, limit)
      })
      await untilLogged(child, "Shut down in")
      expect((await ask(admin, "/readyz")).status).toBe(200)
      const { listeners, ...status } = await statusOf(admin)
      expect(listeners).toEqual(["port" in second ? `127.0.0.1:${second.port}` : second.path])
      expect(status).toMatchObject({ phase: "Serving", served: 2, accepted: 2 })
    }, { env: anyPort }))

  it("a port in use is said with what to do, and the program serves and drains without it", async () => {
    const taken = await listenOnLoopback(Http.createServer())
    await withRequest({}, async (child, client) => {
      await untilLogged(child, `No admin listener: it cannot listen on 127.0.0.1:${portOf(taken)}, which is in use`)
      expect(child.stdout()).toContain("Set SHUTDOWN_ADMIN_PORT to one that is free")
      child.signal("SIGTERM")
      await untilLogged(child, "Shutting down: draining for up to")
      release(child)
      expect(await answer(client)).toEqual(whole)
      expect(await child.exit(limit)).toMatchObject({ code: 0, signal: null })
    }, { env: { SHUTDOWN_ADMIN_PORT: String(portOf(taken)) } })
    taken.close()
    await once(taken, "close")
  })

  it("its button drains without a lame duck, and then the program's own listeners for SIGTERM run", () =>
    withRequest({ handlers: ["exits"] }, async (child, client) => {
      const admin = { port: await portIn(child) }
      const { body: page } = await ask(admin, "/", { headers: { accept: "text/html" } })
      const form = `token=${/name="token" value="([^"]+)"/.exec(page)?.[1]}`
      const headers = {
        "content-type": "application/x-www-form-urlencoded",
        "content-length": Buffer.byteLength(form),
        host: "localhost"
      }
      expect((await ask(admin, "/drain", { method: "POST", headers }, form)).status).toBe(303)
      await waitFor(() => `no lame duck: ${child.stdout()}`, draining(admin), limit)
      release(child)
      expect(await answer(client)).toEqual(whole)
      expect(await child.exit(limit)).toMatchObject({ code: 3, signal: null })
      expect(child.linesOf("handler")).toMatchObject([{ handler: "exits", args: ["SIGTERM", 15] }])
    }, { env: { ...anyPort, SHUTDOWN_ADMIN_ACTIONS: "true", SHUTDOWN_LAME_DUCK: "1 hour" } }))
})

const draining = async (where: Where): Promise<AdminStatus> => {
  const status = await statusOf(where)
  return status.phase === "Draining" ? status : draining(where)
}

describe.concurrent("in the workers of a cluster", { timeout: 120_000 }, () => {
  const workers = new URL("fixtures/workers.cjs", import.meta.url)
  const withWorkers = (env: NodeJS.ProcessEnv, use: (child: Child, pids: ReadonlyArray<number>) => Promise<void>) =>
    withChild(workers, [], async (child) => {
      await child.line("listening", startLimit, 2)
      await use(child, child.linesOf("listening").map(({ pid }) => Number(pid)))
      child.signal("SIGTERM")
      expect(await child.exit(limit)).toMatchObject({ code: 0, signal: null })
    }, { asItStands: true, execArgv: register, env })

  it("a port would be shared, and so there is none: the log says what to set", () =>
    withWorkers({ SHUTDOWN_ADMIN_PORT: "9", SHUTDOWN_AGENT_CHECK_PORT: "9" }, async (child) => {
      await untilLogged(child, "No admin listener on 127.0.0.1:9: the workers of a cluster would share it", 2)
      await untilLogged(child, "Set SHUTDOWN_ADMIN_PORT=0, for a port of its own, or SHUTDOWN_ADMIN_PATH", 2)
      await untilLogged(child, "No agent check on 127.0.0.1:9: the workers", 2)
    }))

  it("a path with %p is that of each, which answers for itself, and its file goes with it", async () => {
    const folder = Fs.mkdtempSync(Path.join(Os.tmpdir(), "admin-"))
    try {
      await withWorkers({ SHUTDOWN_ADMIN_PATH: Path.join(folder, "admin-%p.sock") }, async (child, pids) => {
        await untilLogged(child, "The admin listener listens on ", 2)
        for (const pid of pids) {
          const { body, status } = await ask({ path: Path.join(folder, `admin-${pid}.sock`) }, "/", {
            headers: { accept: "text/html" }
          })
          expect(status).toBe(200)
          expect(body).toContain(`process ${pid} on `)
        }
        expect(Fs.readdirSync(folder).sort()).toEqual(pids.map((pid) => `admin-${pid}.sock`).sort())
      })
      expect(Fs.readdirSync(folder)).toEqual([])
    } finally {
      Fs.rmSync(folder, { recursive: true })
    }
  })

  it("with port 0 each has one of its own", () =>
    withWorkers({ SHUTDOWN_ADMIN_PORT: "0" }, async (child, pids) => {
      await untilLogged(child, "The admin listener listens on ", 2)
      const ports = [...child.stdout().matchAll(/The admin listener listens on 127\.0\.0\.1:(\d+)/g)].map(([, port]) =>
        Number(port)
      )
      const pages = await Promise.all(ports.map((port) => ask({ port }, "/", { headers: { accept: "text/html" } })))
      const answering = pages.map(({ body }) => Number(/process (\d+) on /.exec(body)?.[1]))
      expect(answering).toHaveLength(2)
      expect(new Set(answering)).toEqual(new Set(pids))
    }))
})
