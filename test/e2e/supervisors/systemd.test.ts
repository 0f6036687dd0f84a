import { expect, it } from "vitest"
import { get } from "../../support/httpRequests.js"
import { type RawClient, withClient } from "../../support/rawClient.js"
import { pace, waitFor } from "../../support/wait.js"
import { freePorts } from "../rolling/proxy.js"
import type { Options } from "./fixtures/app.js"
import { describeSystemd, type Systemd, type Unit, withSystemd } from "./realSystemd.js"
import { body, fixture, limit } from "./supervisedApp.js"

// What systemd makes of a service with the unit of examples/deploy: how it starts, stops and fails.

const withService = (
  options: Options,
  service: Unit["service"],
  use: (systemd: Systemd, port: number) => Promise<void>
): Promise<void> =>
  withSystemd(fixture, async (systemd) => {
    const [port = 0] = await freePorts(1)
    await systemd.install(port, {
      args: `'${JSON.stringify({ launch: "signals", socket: "http", ...options })}'`,
      ...(service === undefined ? {} : { service })
    })
    await use(systemd, port)
  })

/** A request that waits for {@link release}. */
const withSlow = (systemd: Systemd, port: number, use: (client: RawClient) => Promise<void>): Promise<void> =>
  withClient({ port }, async (client) => {
    await client.write(get("/slow"))
    await waitFor("the request", () => systemd.output().includes(`"request"`), limit)
    await use(client)
  })

const signal = ({ systemctl }: Systemd, name: NodeJS.Signals) =>
  systemctl("kill", "--kill-whom=main", `--signal=${name}`, "app.service")

const release = (systemd: Systemd) => signal(systemd, "SIGUSR2")

const running = { ActiveState: "active", SubState: "running", StatusText: "Serving", Result: "success" }
const stopped = { ActiveState: "inactive", SubState: "dead", Result: "success", ExecMainStatus: "0", NRestarts: "0" }

await describeSystemd("systemd", () => {
  it(
    "activating until it is ready, and not killed at TimeoutStopSec while a request is in flight",
    { timeout: 120_000 },
    () =>
      withService({ systemd: {} }, { TimeoutStopSec: "1" }, async (systemd, port) => {
        const started = systemd.systemctl("start", "app.service")
        const before = await systemd.until("activating", ({ MainPID, SubState }) =>
          SubState === "start" && MainPID !== "0")
        expect(before).toMatchObject({ ActiveState: "activating", StatusText: "" })
        await started
        expect(await systemd.show()).toMatchObject(running)
        await withSlow(systemd, port, async (client) => {
          const ended = systemd.systemctl("stop", "app.service")
          await systemd.until(
            "what it waits for",
            ({ StatusText, SubState }) =>
              SubState === "stop-sigterm" && /1 request in flight, the oldest GET \/slow/.test(StatusText ?? "")
          )
          await pace(3000)
          expect(await systemd.show()).toMatchObject({ ActiveState: "deactivating", SubState: "stop-sigterm" })
          await release(systemd)
          expect(await body(client)).toBe("whole")
          await ended
        })
        const after = await systemd.show()
        expect(after).toMatchObject(stopped)
        expect(after["StatusText"]).toMatch(/^Shut down in .* \(Drained\)$/)
      })
  )

  for (
    const [what, options, service] of [
      ["that does not extend its time", { systemd: { extendTimeout: 0 } }, {}],
      ["that says nothing to systemd", {}, { Type: "exec" }]
    ] as const
  ) {
    it(
      `a service ${what} is killed at TimeoutStopSec`,
      { timeout: 120_000 },
      () =>
        withService(options, { TimeoutStopSec: "1", ...service }, async (systemd, port) => {
          await systemd.systemctl("start", "app.service")
          await withSlow(systemd, port, async (client) => {
            await systemd.systemctl("stop", "app.service")
            expect(await systemd.show()).toMatchObject({
              ActiveState: "failed",
              Result: "timeout",
              ExecMainStatus: "9"
            })
            await waitFor("the end", () => client.ending !== "open", limit)
            expect(client.bytes).toBe(0)
          })
        })
    )
  }

  it(
    "a shutdown that the service begins itself is seen as one",
    { timeout: 120_000 },
    () =>
      withService({ systemd: {} }, {}, async (systemd, port) => {
        await systemd.systemctl("start", "app.service")
        await withSlow(systemd, port, async (client) => {
          await signal(systemd, "SIGTERM")
          await systemd.until("STOPPING=1", ({ SubState }) => SubState === "stop-sigterm")
          await release(systemd)
          expect(await body(client)).toBe("whole")
        })
        expect(await systemd.until("its end", ({ ActiveState }) => ActiveState === "inactive")).toMatchObject(stopped)
      })
  )

  it(
    "a deadline exceeded is a failure: exit-code 1, and who was not told to stop is restarted",
    { timeout: 120_000 },
    () =>
      withService({ systemd: {}, policy: { timeout: 300, killTimeout: 200 } }, {}, async (systemd, port) => {
        const failed = { Result: "exit-code", ExecMainCode: "1", ExecMainStatus: "1" }
        await systemd.systemctl("start", "app.service")
        const first = (await systemd.show())["MainPID"]
        await withSlow(systemd, port, async () => {
          await signal(systemd, "SIGTERM")
          await systemd.until("a restart", ({ NRestarts }) => NRestarts === "1")
          const again = await systemd.until("its start", ({ ActiveState }) => ActiveState === "active")
          expect(again).toMatchObject({ ...running, NRestarts: "1" })
          expect(again["MainPID"]).not.toBe(first)
        })
        await withClient({ port }, async (client) => {
          await client.write(get("/slow"))
          await waitFor("the request", () => systemd.output().split(`"request"`).length === 3, limit)
          await systemd.systemctl("stop", "app.service")
          expect(await systemd.show()).toMatchObject({ ActiveState: "failed", ...failed })
        })
        await pace(500)
        expect(await systemd.show()).toMatchObject({ ActiveState: "failed", ...failed })
      })
  )

  // what a notification by a child process takes
  for (
    const [what, service, counts] of [
      ["root, with no NotifyAccess", { DynamicUser: "no", NotifyAccess: undefined }, true],
      ["another user, with no NotifyAccess", { NotifyAccess: undefined }, false],
      ["another user, with NotifyAccess=exec", { NotifyAccess: "exec" }, false]
    ] as const
  ) {
    it(
      `systemd-notify as ${what}: ${counts ? "it counts" : "it does not count, and the start times out"}`,
      { timeout: 120_000 },
      () =>
        withService(
          { systemd: {} },
          { TimeoutStartSec: counts ? "60" : "3", Restart: "no", ...service },
          async (systemd) => {
            const started = systemd.systemctl("start", "app.service")
            if (counts) {
              await started
              expect(await systemd.show()).toMatchObject(running)
              await systemd.systemctl("stop", "app.service")
              expect(await systemd.show()).toMatchObject(stopped)
            } else {
              await expect(started).rejects.toThrow("timeout was exceeded")
              expect(await systemd.show()).toMatchObject({ ActiveState: "failed", Result: "timeout" })
              expect(systemd.output()).toContain(`"listening"`)
            }
          }
        )
    )
  }

  it(
    "OpenFile= passes what the service notifies by itself; before systemd 253 it is passed over",
    { timeout: 120_000 },
    () =>
      withService({ systemd: {} }, { OpenFile: "/run/systemd/notify:notify" }, async (systemd, port) => {
        // without a systemd-notify, and for the main process alone, where that is the way
        const own = systemd.version >= 253
        if (own) {
          await systemd.install(port, {
            args: `'${JSON.stringify({ launch: "signals", socket: "http", systemd: {} })}'`,
            service: {
              NotifyAccess: undefined,
              OpenFile: "/run/systemd/notify:notify",
              Environment: "NODE_ENV=production PATH=/nowhere"
            }
          })
        }
        await systemd.systemctl("start", "app.service")
        expect(await systemd.show()).toMatchObject(running)
        await systemd.systemctl("stop", "app.service")
        const after = await systemd.show()
        expect(after).toMatchObject(stopped)
        expect(after["StatusText"]).toMatch(/^Shut down in /)
      })
  )
})
