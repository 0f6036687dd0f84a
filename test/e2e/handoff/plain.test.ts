import * as Fs from "node:fs"
import * as Http from "node:http"
import * as Os from "node:os"
import * as Path from "node:path"
import { describe, expect, it } from "vitest"
import { HandoffFailed, InvalidPolicy, type Options as Policy, quiesce } from "../../../src/promise.js"
import { type Child, withChild } from "../../support/child.js"
import { waitFor } from "../../support/wait.js"
import { freePorts } from "../rolling/proxy.js"
import type { Options } from "./fixtures/plain.js"
import { ask, limit, startLoad } from "./handoffProcesses.js"

// Hand-over and workers of programs without Effect, as processes, under load.

const withProgram = (options: Options, use: (child: Child) => Promise<void>) =>
  withChild(new URL("fixtures/plain.ts", import.meta.url), [JSON.stringify(options)], async (child) => {
    try {
      await use(child)
    } finally {
      for (const { pid } of child.linesOf("started")) killIfAlive(Number(pid))
    }
  })

const killIfAlive = (pid: number) => {
  try {
    process.kill(pid, "SIGKILL")
  } catch {
    // it has ended
  }
}

const portOf = async (child: Child) => Number((await child.line("listening", limit))["port"])

const logged = (child: Child, pattern: RegExp, nth = 1) =>
  waitFor(
    () => `${String(pattern)}: ${child.stdout()}${child.stderr()}`,
    () => Array.from(child.stdout().matchAll(new RegExp(pattern, "g")))[nth - 1],
    limit
  )

const ended = (child: Child, pid: number) =>
  waitFor(
    () => `the end of ${pid}: ${child.stdout()}${child.stderr()}`,
    () => child.linesOf("exit").find((line) => line["pid"] === pid),
    limit
  )

describe("a hand-over without Effect", { timeout: 240_000 }, () => {
  it("loses nothing under load, over TCP and a Unix socket, and `finally` is told of it", async () => {
    const folder = Fs.mkdtempSync(Path.join(Os.tmpdir(), "quiesce-plain-"))
    const path = Path.join(folder, "app.sock")
    const [admin = 0] = await freePorts(1)
    try {
      await withProgram({ admin, path }, async (child) => {
        const port = await portOf(child)
        const load = startLoad([{ port }, { port }, { port }])
        const slow = ask({ port }, "GET", "/slow")
        await child.line("request", limit)
        const asked = await ask({ port }, "POST", "/upgrade")
        const second = Number(asked.body)
        expect((await ask({ port }, "GET", "/")).body).toBe(String(second))
        expect((await slow).body).toBe(String(child.pid))
        expect(await ended(child, child.pid)).toMatchObject({ code: 0 })
        expect(child.linesOf("finally")).toMatchObject([{ pid: child.pid, handedOver: true }])
        // the admin listener was handed over, too
        expect((await ask({ port: admin }, "GET", "/readyz")).body).toBe("ok")
        const before = load.answered()
        await waitFor("requests to be answered", () => load.answered() > before + 20, limit)

        process.kill(second, "SIGUSR2")
        const [, third] = await logged(child, /Process (\d+) accepts from now on/, 2)
        expect(await ended(child, second)).toMatchObject({ code: 0 })
        expect((await ask({ port }, "GET", "/")).body).toBe(third)
        expect((await ask({ path }, "GET", "/")).body).toBe("other")
        await load.stop()
        expect(load.failures).toEqual([])
        process.kill(Number(third), "SIGTERM")
        await logged(child, /Shutting down: serving on for/, 3)
        // it has no successor: the second signal ends the lame duck
        await waitFor("half a second", new Promise((resolve) => setTimeout(resolve, 600)), limit)
        process.kill(Number(third), "SIGTERM")
        expect(await ended(child, Number(third))).toMatchObject({ code: 0 })
        expect(child.linesOf("finally").at(-1)).toMatchObject({ handedOver: false, signal: "SIGTERM" })
        expect(Fs.existsSync(path)).toBe(false)
        const executed = child.linesOf("exit").reduce((sum, line) => sum + Number(line["executed"]), 0)
        // those of the load, `/slow`, `/upgrade` and two more
        expect(executed).toBe(load.answered() + 4)
      })
    } finally {
      Fs.rmSync(folder, { recursive: true, force: true })
    }
  })

  it("goes on to serve where its successor fails to start", () =>
    withProgram({ failsAfter: true }, async (child) => {
      const port = await portOf(child)
      expect((await ask({ port }, "POST", "/upgrade")).body).toBe("Ended")
      expect((await ask({ port }, "GET", "/")).body).toBe(String(child.pid))
    }))

  it("takes no option that is none, and says where it cannot listen", async () => {
    const node = () => Http.createServer()
    const wrong: ReadonlyArray<readonly [string, unknown, RegExp]> = [
      ["nothing", null, /handoff is null/],
      ["no place", {}, /handoff\.listen/],
      ["too many places", { listen: [{ port: 0 }, { port: 0 }] }, /handoff\.listen/],
      ["a misspelt option", { listen: { port: 0 }, timout: 1 }, /timout.*timeout/],
      ["a time that cannot be", { listen: { port: 0 }, timeout: -1 }, /timeout is -1/],
      ["a signal that there is not", { listen: { port: 0 }, signals: ["SIGFOO"] }, /SIGFOO/]
    ]
    for (const [what, handoff, message] of wrong) {
      const call = () => quiesce(node(), { handoff: handoff as NonNullable<Policy["handoff"]> })
      expect(call, what).toThrow(InvalidPolicy)
      expect(call, what).toThrow(message)
    }
    const taken = node().listen(0, "127.0.0.1")
    await new Promise((resolve) => taken.once("listening", resolve))
    const { port } = taken.address() as { readonly port: number }
    const listening = (handoff: Policy["handoff"]) => {
      const server = quiesce(node(), { handoff, logger: false, signals: false })
      return Promise.all([server.listening, server.closed])
    }
    await expect(listening({ listen: { host: "127.0.0.1", port }, signals: [] })).rejects
      .toMatchObject({ _tag: "ListenError", reason: "AddressInUse" })
    const alone = quiesce(taken, { logger: false })
    await expect(alone.upgrade()).rejects.toThrow(HandoffFailed)
    expect(alone.listening).toBeUndefined()
    await alone.close()
  })

  it("rejects `listening` where it has bound, and cannot take over", async () => {
    const folder = Fs.mkdtempSync(Path.join(Os.tmpdir(), "quiesce-plain-"))
    const handoff = { listen: { host: "127.0.0.1", port: 0 }, pidFile: Path.join(folder, "none", "pid"), signals: [] }
    const server = quiesce(Http.createServer(), { handoff, logger: false, signals: false })
    try {
      await expect(server.listening).rejects.toMatchObject({ _tag: "HandoffFailed", reason: "PidFile" })
      expect((await server.closed).outcome).toBe("Drained")
    } finally {
      Fs.rmSync(folder, { recursive: true })
    }
  })

  it("may be shut down before it listens", () =>
    withProgram({ stopsAtOnce: true }, async (child) => {
      expect(await child.exit(limit)).toMatchObject({ code: 0 })
      expect(child.linesOf("finally")).toMatchObject([{ handedOver: false }])
      expect(child.linesOf("stopped")).toMatchObject([{ outcome: "Drained" }])
    }))
})

describe("workers without Effect", { timeout: 240_000 }, () => {
  it("are replaced one by one under load, and nothing is lost", () =>
    withProgram({ workers: 2 }, async (child) => {
      const port = await portOf(child)
      await logged(child, /2 workers serve/)
      const first = child.linesOf("listening").map(({ pid }) => Number(pid))
      const load = startLoad([{ port }, { port }, { port }])
      await waitFor("requests to be answered", () => load.answered() > 20, limit)
      child.signal("SIGUSR2")
      await logged(child, /Every worker has been replaced/)
      for (const pid of first) expect(await ended(child, pid)).toMatchObject({ code: 0 })
      const before = load.answered()
      await waitFor("requests to be answered", () => load.answered() > before + 20, limit)
      await load.stop()
      expect(load.failures).toEqual([])
      child.signal("SIGTERM")
      expect(await child.exit(limit)).toMatchObject({ code: 0 })
      expect(child.linesOf("over")).toHaveLength(1)
      const executed = child.linesOf("exit").reduce((sum, line) => sum + Number(line["executed"]), 0)
      expect(executed).toBe(load.answered())
    }))
})
