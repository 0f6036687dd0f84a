import { expect, it } from "vitest"
import { get } from "../../support/httpRequests.js"
import { withClient } from "../../support/rawClient.js"
import { pace, waitFor } from "../../support/wait.js"
import { ask } from "../handoff/handoffProcesses.js"
import { freePorts } from "../rolling/proxy.js"
import type { Options } from "./fixtures/app.js"
import { describeSystemd, type Systemd, withSystemd } from "./realSystemd.js"
import { body, fixture, limit } from "./supervisedApp.js"

// `systemctl reload` as a hand-over: systemd follows the service to its successor.

const options: Options = { launch: "handoff", socket: "http", systemd: {}, pidFile: "/run/app/pid" }

const withService = (use: (systemd: Systemd, port: number) => Promise<void>) =>
  withSystemd(fixture, async (systemd) => {
    const [port = 0] = await freePorts(1)
    const own = systemd.version >= 253
    await systemd.install(port, {
      args: `'${JSON.stringify(options)}'`,
      service: {
        ExecReload: "kill -HUP $MAINPID",
        // systemd reads it anew when the main process ends
        PIDFile: "/run/app/pid",
        RuntimeDirectory: "app",
        // a predecessor that still drains is the main process, and its successor is to hear of the end, too
        KillMode: "control-group",
        TimeoutStopSec: "1",
        // the descriptor goes with the service, too
        ...(own
          ? { NotifyAccess: "all", OpenFile: "/run/systemd/notify:notify", Environment: "PATH=/nowhere" }
          : {})
      }
    })
    await systemd.systemctl("start", "app.service")
    await use(systemd, port)
  })

const pidOf = async ({ show }: Systemd): Promise<string> => (await show())["MainPID"] ?? ""

const answeredBy = async (port: number): Promise<string> => (await ask({ port }, "POST", "/work")).body

const serving = { ActiveState: "active", SubState: "running", Result: "success", NRestarts: "0", StatusText: "Serving" }

await describeSystemd("systemd, hand-over", () => {
  it(
    "the successor becomes the main process when the predecessor has drained",
    { timeout: 120_000 },
    () =>
      withService(async (systemd, port) => {
        const { output, show, systemctl, until } = systemd
        const first = await pidOf(systemd)
        expect(await answeredBy(port)).toBe(first)
        let second = ""
        await withClient({ port }, async (client) => {
          await client.write(get("/slow"))
          await waitFor("the request", () => output().includes(`"request"`), limit)
          await systemctl("reload", "app.service")
          await waitFor("the successor", () => output().includes("accepts from now on"), 30_000)
          second = await answeredBy(port)
          expect(second).not.toBe(first)
          expect(await show()).toMatchObject({ ...serving, MainPID: first })
          // the predecessor, too, which drains
          await systemctl("kill", "--kill-whom=all", "--signal=SIGUSR2", "app.service")
          expect(await body(client)).toBe("whole")
        })
        await waitFor("the predecessor's end", () => output().includes(`"executed","pid":${first}`), limit)
        expect(await answeredBy(port)).toBe(second)
        const then = await until("the successor", ({ MainPID }) => MainPID !== first && MainPID !== "0")
        expect(then).toMatchObject({ ...serving, MainPID: second })
        // an idle one ends at once
        await systemctl("reload", "app.service")
        const third = (await until("the next", ({ MainPID }) => MainPID !== second, 30_000))["MainPID"]!
        await waitFor("the end of the second", () => output().includes(`"executed","pid":${second}`), limit)
        expect(await answeredBy(port)).toBe(third)
        expect(await show()).toMatchObject({ ...serving, MainPID: third })
        await withClient({ port }, async (client) => {
          await client.write(get("/slow"))
          await waitFor("the request", () => output().split(`"request"`).length === 3, limit)
          const stopped = systemctl("stop", "app.service")
          await until("the drain", ({ StatusText }) => /1 request in flight/.test(StatusText ?? ""))
          await pace(2500)
          await systemctl("kill", "--kill-whom=main", "--signal=SIGUSR2", "app.service")
          expect(await body(client)).toBe("whole")
          await stopped
        })
        expect(await show()).toMatchObject({
          ActiveState: "inactive",
          Result: "success",
          ExecMainPID: third,
          ExecMainStatus: "0"
        })
      })
  )

  it(
    "server.ts and app-handoff.service of examples/deploy: a reload answers what has begun",
    { timeout: 120_000 },
    () =>
      withSystemd(new URL("../../../examples/deploy/server.ts", import.meta.url), async (systemd) => {
        const [port = 0, admin = 0] = await freePorts(2)
        await systemd.install(port, {
          file: "app-handoff.service",
          noSocket: true,
          service: { Environment: `DEPLOYED_BY=systemd PID_FILE=/run/app/pid PORT=${port} ADMIN_PORT=${admin}` }
        })
        await systemd.systemctl("start", "app.service")
        const first = await pidOf(systemd)
        await withClient({ port }, async (client) => {
          await client.write("POST /slow HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n")
          await systemd.systemctl("reload", "app.service")
          expect(await body(client)).toBe("hello, two seconds later\n")
        })
        const second = await systemd.until(
          "the successor",
          ({ MainPID }) => MainPID !== first && MainPID !== "0",
          30_000
        )
        expect(second).toMatchObject({ ActiveState: "active", SubState: "running", Result: "success", NRestarts: "0" })
        expect((await ask({ port }, "GET", "/")).body).toBe("hello\n")
        await systemd.systemctl("stop", "app.service")
        expect(await systemd.show()).toMatchObject({ ActiveState: "inactive", Result: "success", ExecMainStatus: "0" })
      })
  )

  it(
    "a successor that does not start leaves the service as it is, and one that dies is started again",
    { timeout: 120_000 },
    () =>
      withService(async (systemd, port) => {
        const { deploy, output, show, systemctl, until } = systemd
        const first = await pidOf(systemd)
        deploy((now) => `process.argv[2] = ${JSON.stringify(JSON.stringify({ ...options, fails: true }))}\n${now}`)
        await systemctl("reload", "app.service")
        await waitFor(() => `its end: ${output()}`, () => output().includes("Not handed over"), 30_000)
        expect(await show()).toMatchObject({ ...serving, MainPID: first })
        expect(await answeredBy(port)).toBe(first)
        deploy((now) => now)
        await systemctl("reload", "app.service")
        const second = (await until("the successor", ({ MainPID }) => MainPID !== first, 30_000))["MainPID"]
        await waitFor("the predecessor's end", () => output().includes(`"executed","pid":${first}`), limit)
        await systemctl("kill", "--kill-whom=main", "--signal=SIGKILL", "app.service")
        const again = await until(
          "a restart",
          ({ ActiveState, NRestarts }) => NRestarts === "1" && ActiveState === "active"
        )
        expect(again["MainPID"]).not.toBe(second)
        expect(await answeredBy(port)).toBe(again["MainPID"])
      })
  )
})
