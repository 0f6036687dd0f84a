import { expect, it } from "vitest"
import { get } from "../../support/httpRequests.js"
import { withClient } from "../../support/rawClient.js"
import { pace, waitFor } from "../../support/wait.js"
import { ask } from "../handoff/handoffProcesses.js"
import { freePorts } from "../rolling/proxy.js"
import { describeSystemd, withSystemd } from "./realSystemd.js"
import { body, fixture, limit } from "./supervisedApp.js"

// app.socket and app.service of examples/deploy: what a restart means to those who come meanwhile.

const example = new URL("../../../examples/deploy/server.ts", import.meta.url)

/** Clients that post, one request after the other, each on a connection of its own. */
const load = (port: number, clients: number) => {
  let going = true
  const answeredBy = new Map<string, number>()
  const failures: Array<string> = []
  const all = Array.from({ length: clients }, async () => {
    while (going) {
      try {
        const { body, status } = await ask({ port }, "POST", "/work")
        if (status === 200) answeredBy.set(body, (answeredBy.get(body) ?? 0) + 1)
        else failures.push(`status ${status}`)
      } catch (error) {
        failures.push(String(error))
      }
      await pace(2)
    }
  })
  return {
    answeredBy,
    failures,
    stop: async () => {
      going = false
      await Promise.all(all)
    }
  }
}

await describeSystemd("systemd, socket activation", () => {
  it(
    "restarts under load: who comes meanwhile waits in the socket, and each request is executed once and answered",
    { timeout: 120_000 },
    () =>
      withSystemd(fixture, async ({ install, output, show, systemctl, until }) => {
        const [port = 0] = await freePorts(1)
        await install(port, { args: `'${JSON.stringify({ launch: "signals", socket: "http", systemd: {} })}'` })
        await systemctl("start", "app.socket")
        // the first connection starts the service, and is answered by it
        expect(await ask({ port }, "GET", "/")).toMatchObject({ status: 200 })
        const pids = [(await show())["MainPID"]!]
        const { answeredBy, failures, stop } = load(port, 4)
        try {
          for (let restart = 1; restart <= 3; restart++) {
            const pid = pids.at(-1)!
            await waitFor(() => `answers by ${pid}: ${failures.join()}`, () => (answeredBy.get(pid) ?? 0) > 20, limit)
            await withClient({ port }, async (client) => {
              await client.write(get("/slow"))
              await waitFor("the request", () => output().split(`"request"`).length > restart, limit)
              const restarted = systemctl("restart", "app.service")
              await until("the drain", ({ SubState }) => SubState === "stop-sigterm")
              await waitFor("the drain", () => output().split("Shutting down").length > restart, limit)
              // meanwhile nobody accepts
              await pace(500)
              await systemctl("kill", "--kill-whom=main", "--signal=SIGUSR2", "app.service")
              expect(await body(client)).toBe("whole")
              await restarted
            })
            pids.push((await show())["MainPID"]!)
          }
          const last = pids.at(-1)!
          await waitFor(() => `answers by ${last}: ${failures.join()}`, () => (answeredBy.get(last) ?? 0) > 20, limit)
        } finally {
          await stop()
        }
        await systemctl("stop", "app.service")
        expect(await show()).toMatchObject({ Result: "success", ExecMainStatus: "0" })
        const executed = Array.from(
          output().matchAll(/"event":"executed","pid":(\d+),"executed":(\d+)/g),
          ([, pid, count]) => [pid, Number(count)]
        )
        expect(failures).toEqual([])
        expect(new Set(pids).size).toBe(4)
        expect(executed).toEqual(pids.map((pid) => [pid, answeredBy.get(pid)]))
      })
  )

  it(
    "without the socket unit, the same restart refuses",
    { timeout: 120_000 },
    () =>
      withSystemd(fixture, async ({ install, show, systemctl }) => {
        const [port = 0] = await freePorts(1)
        await install(port, {
          args: `'${JSON.stringify({ launch: "signals", port, systemd: {} })}'`,
          noSocket: true
        })
        await systemctl("start", "app.service")
        const pid = (await show())["MainPID"]!
        const { answeredBy, failures, stop } = load(port, 4)
        await waitFor("answers", () => (answeredBy.get(pid) ?? 0) > 20, limit)
        await systemctl("restart", "app.service")
        await stop()
        expect(failures.join()).toContain("ECONNREFUSED")
      })
  )

  it(
    "the example itself, with its units as they are",
    { timeout: 120_000 },
    () =>
      withSystemd(example, async ({ install, show, systemctl }) => {
        const [port = 0, admin = 0] = await freePorts(2)
        await install(port, {
          service: { Environment: `NODE_ENV=production DEPLOYED_BY=systemd ADMIN_PORT=${admin}` }
        })
        await systemctl("start", "app.socket", "app.service")
        expect(await show()).toMatchObject({ ActiveState: "active", StatusText: "Serving" })
        expect(await ask({ port: admin }, "GET", "/readyz")).toMatchObject({ status: 200 })
        const first = ask({ port }, "POST", "/slow")
        await pace(500)
        const restarted = systemctl("restart", "app.service")
        const second = ask({ port }, "GET", "/")
        expect(await first).toMatchObject({ status: 200 })
        await restarted
        expect(await second).toMatchObject({ status: 200 })
        await systemctl("stop", "app.service")
        expect(await show()).toMatchObject({ ActiveState: "inactive", Result: "success", ExecMainStatus: "0" })
      })
  )
})
