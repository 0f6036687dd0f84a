import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, it } from "vitest"
import { type Child, startLimit, timesLogged, untilLogged, withChild } from "../../support/child.js"
import { describeWith } from "../../support/describeWith.js"
import { get } from "../../support/httpRequests.js"
import { python, systemdNotify } from "../../support/program.js"
import { withClient } from "../../support/rawClient.js"
import { codeOfInterrupted } from "../../support/runMain.js"
import { waitFor } from "../../support/wait.js"
import { body, likeSystemd, limit, plain, withApp } from "./supervisedApp.js"

// What a service tells systemd, at a datagram socket that is real.

interface Notification {
  readonly sender: number
  readonly state: Readonly<Record<string, string>>
}

const notifications = (child: Child): ReadonlyArray<Notification> =>
  child.linesOf("notified") as unknown as ReadonlyArray<Notification>

const untilNotified = (child: Child, what: string, is: (state: Notification["state"]) => boolean) =>
  waitFor(
    () => `${what}: ${child.stdout()}${child.stderr()}`,
    () => notifications(child).find(({ state }) => is(state)),
    limit
  )

const failed = "systemd could not be notified"

/** From the start to the end of a drain that waits for a request. */
const life = async (child: Child) => {
  const target = await child.listening()
  const ready = await untilNotified(child, "READY", ({ READY }) => READY === "1")
  expect(ready.state).toEqual({ READY: "1", STATUS: "Serving" })
  await withClient(target, async (client) => {
    await client.write(get("/slow"))
    await child.line("request", limit)
    child.signal("SIGTERM")
    const stopping = await untilNotified(child, "STOPPING", ({ STOPPING }) => STOPPING === "1")
    expect(stopping.state["EXTEND_TIMEOUT_USEC"]).toBe("30000000")
    await untilNotified(
      child,
      "what is waited for",
      ({ STATUS }) =>
        /^(Draining|LameDuck), .* left: 1 connection \(1 Active\); 1 request in flight, the oldest GET \/slow from /
          .test(STATUS ?? "")
    )
    child.signal("SIGUSR2")
    expect(await body(client)).toBe("whole")
  })
  await untilNotified(child, "the end", ({ STATUS }) => /^Shut down in .* \(Drained\)$/.test(STATUS ?? ""))
  expect(await child.exit(limit)).toMatchObject({ code: codeOfInterrupted })
  const order = notifications(child).map(({ state }) => "READY" in state ? 0 : "STOPPING" in state ? 1 : 2)
  expect(order).toEqual(order.toSorted((a, b) => a - b))
  expect(order.slice(0, 3)).toEqual([0, 1, 2])
  expect(child.stdout()).not.toContain(failed)
}

describeWith(python, () => {
  it(
    "by an inherited descriptor: from the process itself, with no other command",
    { timeout: 120_000 },
    () =>
      withApp({ systemd: {} }, { under: likeSystemd("--descriptor", "--path", "/nowhere") }, async (child) => {
        await life(child)
        const pid = child.linesOf("listening")[0]?.["pid"]
        expect(notifications(child).map(({ sender }) => sender)).toEqual(notifications(child).map(() => pid))
      })
  )

  it(
    "without Effect: when it says so, and from then on",
    { timeout: 120_000 },
    () =>
      withChild(plain, [], async (child) => {
        const target = await child.listening()
        expect(notifications(child)).toEqual([])
        process.kill(Number(child.linesOf("listening")[0]?.["pid"]), "SIGUSR1")
        await untilNotified(child, "READY", ({ READY }) => READY === "1")
        await withClient(target, async (client) => {
          await client.write(get("/slow"))
          await child.line("request", limit)
          child.signal("SIGTERM")
          await untilNotified(child, "STOPPING", ({ STOPPING }) => STOPPING === "1")
          child.signal("SIGUSR2")
          expect(await body(client)).toBe("whole")
        })
        await untilNotified(child, "the end", ({ STATUS }) => /^Shut down in .* \(Drained\)$/.test(STATUS ?? ""))
        expect(await child.exit(limit)).toMatchObject({ code: 0 })
      }, { under: likeSystemd("--descriptor") })
  )

  it(
    "the time to stop is extended for as long as the drain takes",
    { timeout: 120_000 },
    () =>
      withApp({ systemd: { extendTimeout: 300 } }, { under: likeSystemd("--descriptor") }, async (child) => {
        await withClient(await child.listening(), async (client) => {
          await client.write(get("/slow"))
          await child.line("request", limit)
          child.signal("SIGTERM")
          const extended = () => notifications(child).filter(({ state }) => state["EXTEND_TIMEOUT_USEC"] === "300000")
          await waitFor("5 extensions", () => extended().length >= 5, limit)
          child.signal("SIGUSR2")
          await body(client)
        })
        expect(await child.exit(limit)).toMatchObject({ code: codeOfInterrupted })
      })
  )

  it(
    "with 0 it is not extended",
    { timeout: 120_000 },
    () =>
      withApp({ systemd: { extendTimeout: 0 } }, { under: likeSystemd("--descriptor") }, async (child) => {
        await child.listening()
        await untilNotified(child, "READY", ({ READY }) => READY === "1")
        child.signal("SIGTERM")
        expect(await child.exit(limit)).toMatchObject({ code: codeOfInterrupted })
        await untilNotified(child, "STOPPING", ({ STOPPING }) => STOPPING === "1")
        expect(child.stdout()).not.toContain("EXTEND_TIMEOUT_USEC")
      })
  )

  it(
    "a hand-over: each notifies by the descriptor while it is the service, and not of the shutdown that comes after",
    { timeout: 120_000 },
    () =>
      withApp(
        { systemd: {}, launch: "handoff" },
        { under: likeSystemd("--descriptor", "--path", "/nowhere") },
        async (child) => {
          const target = await child.listening()
          const first = Number(child.linesOf("listening")[0]?.["pid"])
          await untilNotified(child, "READY", ({ READY }) => READY === "1")
          await withClient(target, async (client) => {
            await client.write(get("/slow"))
            await child.line("request", limit)
            process.kill(first, "SIGHUP")
            await waitFor(
              () => `READY of the successor: ${child.stdout()}`,
              () => notifications(child).filter(({ state }) => state["READY"] === "1").length === 2,
              startLimit
            )
            const second = Number(child.linesOf("listening")[1]?.["pid"])
            await untilLogged(child, "Shutting down")
            process.kill(second, "SIGTERM")
            await untilNotified(child, "STOPPING", ({ STOPPING }) => STOPPING === "1")
            await untilNotified(child, "the end", ({ STATUS }) => STATUS?.startsWith("Shut down in ") === true)
            process.kill(first, "SIGUSR2")
            expect(await body(client)).toBe("whole")
            await child.exit(limit)
            expect(notifications(child).filter(({ sender }) => sender === first)).toMatchObject([{
              state: { READY: "1" }
            }])
            expect(notifications(child).filter(({ sender }) => sender === second).slice(0, 2)).toMatchObject([
              { state: { READY: "1" } },
              { state: { STOPPING: "1" } }
            ])
            expect(new Set(notifications(child).map(({ sender }) => sender))).toEqual(new Set([first, second]))
          })
        }
      )
  )

  it(
    "a service that cannot notify serves and drains, and says so once",
    { timeout: 120_000 },
    () =>
      withApp({ systemd: {} }, { under: likeSystemd("--path", "/nowhere") }, async (child) => {
        const target = await child.listening()
        await untilLogged(child, failed)
        await withClient(target, async (client) => {
          await client.write(get("/"))
          expect(await body(client)).toMatch(/^hello/)
        })
        child.signal("SIGTERM")
        expect(await child.exit(limit)).toMatchObject({ code: codeOfInterrupted })
        expect(timesLogged(child, failed)).toBe(1)
        expect(child.stdout()).toContain("systemd-notify: it is not installed, or not on the PATH")
      })
  )
})

/** Runs with a folder that is gone afterwards. */
const withFolder = async (use: (folder: string) => Promise<void>): Promise<void> => {
  const folder = mkdtempSync(join(tmpdir(), "notify-"))
  try {
    await use(folder)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

describeWith(python, () => {
  for (const [what, args, told] of [["set", [], true], ["not set", ["--no-notify"], false]] as const) {
    it(
      `where NOTIFY_SOCKET is ${what}, systemd-notify is ${told ? "" : "not "}run`,
      { timeout: 120_000 },
      () =>
        withFolder(async (folder) => {
          const ran = join(folder, "ran")
          writeFileSync(ran, "")
          writeFileSync(join(folder, "systemd-notify"), `#!/bin/sh\necho "$@" >> '${ran}'\n`, { mode: 0o755 })
          await withApp({ systemd: {} }, { under: likeSystemd("--path", folder, ...args) }, async (child) => {
            await child.listening()
            if (told) await waitFor("READY", () => readFileSync(ran, "utf8").includes("READY=1"), limit)
            child.signal("SIGTERM")
            expect(await child.exit(limit)).toMatchObject({ code: codeOfInterrupted })
            expect(readFileSync(ran, "utf8").includes("STOPPING=1")).toBe(told)
            if (!told) expect(readFileSync(ran, "utf8")).toBe("")
            expect(child.stdout()).not.toContain(failed)
          })
        })
    )
  }
})

describeWith(python, () => {
  // systemd's KillMode=control-group
  it(
    "a systemd-notify that the stop's own SIGTERM has ended is run again",
    { timeout: 120_000 },
    () =>
      withFolder(async (folder) => {
        const ran = join(folder, "ran")
        writeFileSync(ran, "")
        const ended = `case "$1" in STOPPING*) [ $(grep -c STOPPING '${ran}') -gt 2 ] || kill -TERM $$;; esac`
        writeFileSync(
          join(folder, "systemd-notify"),
          `#!/bin/sh\nPATH=${process.env["PATH"] ?? ""}\necho "$@" >> '${ran}'\n${ended}\n`,
          { mode: 0o755 }
        )
        await withApp({ systemd: {} }, { under: likeSystemd("--path", folder) }, async (child) => {
          await child.listening()
          await waitFor("READY", () => readFileSync(ran, "utf8").includes("READY=1"), limit)
          child.signal("SIGTERM")
          expect(await child.exit(limit)).toMatchObject({ code: codeOfInterrupted })
          const states = readFileSync(ran, "utf8").trim().split("\n").map((line) => line.split(/[= ]/)[0])
          expect(states).toEqual(["READY", "STOPPING", "STOPPING", "STOPPING", "STATUS"])
          expect(child.stdout()).not.toContain(failed)
        })
      })
  )
})

describeWith([systemdNotify, python], () => {
  it(
    "by systemd-notify: in order, each with what it has to say",
    { timeout: 120_000 },
    () => withApp({ systemd: {} }, { under: likeSystemd() }, life)
  )

  it(
    "a socket that nobody listens on is a warning",
    { timeout: 120_000 },
    () =>
      withFolder((folder) =>
        withApp({ systemd: {} }, { env: { NOTIFY_SOCKET: join(folder, "none") } }, async (child) => {
          await child.listening()
          await untilLogged(child, failed)
          child.signal("SIGTERM")
          expect(await child.exit(limit)).toMatchObject({ code: codeOfInterrupted })
          expect(timesLogged(child, failed)).toBe(1)
        })
      )
  )
})
