import { existsSync } from "node:fs"
import * as Net from "node:net"
import { join } from "node:path"
import { check, type CheckFailed, type Options, type Report } from "quiesce/check"
import { describe, expect, it } from "vitest"
import { freePort } from "../../src/internal/check/process/listening.js"
import { waitFor } from "../support/wait.js"
import { aliveIn, behaving, faulty, lostIn, pidsIn, sawIn, startedIn, withFolder } from "./servers.js"

const quick = ["half-head", "exit-code"]

const run = (options: Partial<Options> & Pick<Options, "command">): Promise<Report> =>
  check({ only: quick, ...options })

/** Long enough for a machine with much else to do. */
const limit = { timeout: 60_000 }

describe("a check", limit, () => {
  it("finds nothing in a good server, and what is wrong in a bad one", async () => {
    const [good, bad] = await Promise.all([
      run({ command: faulty(), only: ["half-head", "half-body", "signal-twice"] }),
      run({ command: faulty("exit-code"), only: ["half-head", "half-body", "exit-code", "slow"] })
    ])
    expect(sawIn(good)).toContain("kept half-body: answered 200, with Connection: close")
    expect(good).toMatchObject({ kept: 3, lost: 0, notAsked: 0, exitCode: 0 })
    expect(bad).toMatchObject({ kept: 2, lost: 1, notAsked: 1, exitCode: 1 })
    expect(bad.results.map(({ name, saw, verdict }) => ({ name, verdict, saw }))).toEqual([
      { name: "half-head", verdict: "kept", saw: expect.any(String) },
      { name: "half-body", verdict: "kept", saw: expect.any(String) },
      { name: "slow", verdict: "notAsked", saw: "--slow PATH: a path whose answer takes 0.2 s or more" },
      { name: "exit-code", verdict: "lost", saw: expect.stringMatching(/^exit code 3 after /) }
    ])
  })

  it("says that what was asked for could not be", async () => {
    const report = await run({ command: faulty(), only: ["slow", "big"], slow: "/", big: "/" })
    expect(report).toMatchObject({ kept: 0, lost: 0, notAsked: 2, exitCode: 2 })
    expect(sawIn(report)).toMatch(/--slow \/: it answered after \d+ ms/)
    expect(sawIn(report)).toContain("--big /: its answer has 5 bytes")
  })

  it("finds a server on ::1, and on a port that it has chosen itself", async () => {
    const port = await freePort()
    const [ipv6, own] = await Promise.all([
      run({ command: behaving("serves"), env: { HOST: "::1" } }),
      run({ command: behaving("serves"), env: { OWN_PORT: String(port) } })
    ])
    expect(ipv6.offer).toMatchObject({ target: { host: "::1" }, separate: true })
    expect(own.offer).toMatchObject({ target: { host: "127.0.0.1", port }, separate: false })
    expect([...lostIn(ipv6), ...lostIn(own)]).toEqual([])
  })

  it("waits for a server that needs five seconds to start, wherever it listens then", async () => {
    const port = await freePort()
    const LATE = "5000"
    const [told, own] = await Promise.all([
      run({ command: behaving("serves"), env: { LATE }, only: ["half-head"] }),
      run({ command: behaving("serves"), env: { LATE, OWN_PORT: String(port) }, only: ["half-head"] })
    ])
    expect(told.offer.startMillis).toBeGreaterThanOrEqual(5000)
    expect(told.offer).toMatchObject({ separate: true })
    expect(own.offer).toMatchObject({ target: { port }, separate: false })
    expect([told, own].map(({ kept, lost }) => ({ kept, lost }))).toEqual([
      { kept: 1, lost: 0 },
      { kept: 1, lost: 0 }
    ])
  })

  it("knows a second port, which no two starts can have at once, and asks the one that has the path", async () => {
    const [second, own, metrics] = [await freePort(), await freePort(), await freePort()]
    const [told, found] = await Promise.all([
      run({ command: behaving("metrics"), env: { METRICS_PORT: String(second) } }),
      run({
        command: behaving("metrics"),
        env: { METRICS_PORT: String(metrics), OWN_PORT: String(own) },
        only: ["half-head"]
      })
    ])
    expect(told).toMatchObject({ kept: 2, lost: 0, offer: { separate: false, otherPorts: [second] } })
    expect(found).toMatchObject({ kept: 1, lost: 0, offer: { status: 200, target: { port: own } } })
  })

  it("knows a Unix socket, that of the server and one of its own for each start", () =>
    withFolder(async (folder) => {
      const path = join(folder, "server.sock")
      const report = await run({
        command: behaving("serves"),
        unix: path,
        env: { SOCKET: path },
        only: ["half-head", "socket-file"]
      })
      expect(report.offer).toMatchObject({ target: { path }, separate: false })
      expect(lostIn(report)).toEqual([])
      expect(existsSync(path)).toBe(false)
      const own = await run({ command: ["/bin/sh", "-c", `SOCKET={socket} exec "$0" "$@"`, ...behaving("serves")] })
      expect(own.offer).toMatchObject({ target: { path: expect.stringContaining("quiesce-") }, separate: true })
      expect(lostIn(own)).toEqual([])
    }))

  it("leaves a port alone that another process has", async () => {
    const other = Net.createServer((socket) => socket.destroy())
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve))
    const { port } = other.address() as Net.AddressInfo
    const failure = await run({ command: behaving("serves"), port }).catch((cause: unknown) => cause as CheckFailed)
    other.close()
    expect(failure).toMatchObject({
      reason: "DiedAtStart",
      message: `127.0.0.1:${port} is in use by another process`
    })
  })
})

describe("nothing is left of a server", limit, () => {
  const gone = async (folder: string, processes: number) => {
    expect(startedIn(folder).length).toBeGreaterThanOrEqual(processes)
    await waitFor(() => `the end of ${aliveIn(folder).join()}`, () => aliveIn(folder).length === 0, 30_000)
  }

  it("that forks, also where a child has left its process group", () =>
    withFolder(async (folder) => {
      const report = await run({
        command: behaving("forks"),
        env: { PIDS: pidsIn(folder) },
        only: ["half-head", "left-behind"]
      })
      expect(sawIn(report)).toMatch(/lost left-behind: 2 left: .*behaviours\.mjs forks child/)
      expect(lostIn(report)).toEqual(["left-behind"])
      await gone(folder, 9)
    }))

  it("that ignores its signal", () =>
    withFolder(async (folder) => {
      const report = await run({
        command: behaving("ignores"),
        env: { PIDS: pidsIn(folder) },
        only: ["exit-code"],
        killAfterMillis: 500
      })
      expect(sawIn(report)).toMatch(/^lost exit-code: still running after /)
      await gone(folder, 2)
    }))

  it("that dies at its start, and says why", () =>
    withFolder(async (folder) => {
      const failure = await run({ command: behaving("dies"), env: { PIDS: pidsIn(folder) } })
        .catch((cause: unknown) => cause as CheckFailed)
      expect(failure).toMatchObject({
        reason: "DiedAtStart",
        message: "it ended before it answered: exit code 7\nIt printed:\n  the database is not there",
        output: "the database is not there\n"
      })
      await gone(folder, 1)
    }))

  it("that goes into the background", () =>
    withFolder(async (folder) => {
      const failure = await run({ command: behaving("daemon"), env: { PIDS: pidsIn(folder) } })
        .catch((cause: unknown) => cause as CheckFailed)
      expect(failure).toMatchObject({ reason: "DiedAtStart", message: expect.stringContaining("in the foreground") })
      await gone(folder, 2)
    }))

  it("that never answers", () =>
    withFolder(async (folder) => {
      const failure = await run({
        command: behaving("never"),
        env: { PIDS: pidsIn(folder) },
        startTimeoutMillis: 1500
      }).catch((cause: unknown) => cause as CheckFailed)
      expect(failure).toMatchObject({ reason: "DoesNotAnswer", output: "" })
      await gone(folder, 2)
    }))

  it("that has closed its output", () =>
    withFolder(async (folder) => {
      const report = await run({ command: behaving("mute"), env: { PIDS: pidsIn(folder) } })
      expect(lostIn(report)).toEqual([])
      await gone(folder, 3)
    }))

  it("that prints without end", () =>
    withFolder(async (folder) => {
      const report = await run({ command: behaving("prints"), env: { PIDS: pidsIn(folder) } })
      expect(lostIn(report)).toEqual([])
      await gone(folder, 3)
    }))
})

it("a program that is not there is said to be so", async () => {
  const failure = await run({ command: ["/there/is/no/such/program"] }).catch((cause: unknown) => cause as CheckFailed)
  expect(failure).toMatchObject({ reason: "DiedAtStart" })
  expect((failure as CheckFailed).message).toMatch(/cannot be started: .*ENOENT/)
})
