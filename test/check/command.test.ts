import { describe, expect, it } from "vitest"
import { withChild } from "../support/child.js"
import { waitFor } from "../support/wait.js"
import { aliveIn, behaving, faulty, pidsIn, startedIn, withFolder } from "./servers.js"

const program = new URL("../../src/bin/quiesce.ts", import.meta.url)

interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

const quiesce = (args: ReadonlyArray<string>): Promise<Ended> =>
  withChild(program, args, async (child) => {
    const { code } = await child.exit(50_000)
    return { code, stdout: child.stdout(), stderr: child.stderr() }
  })

/** Long enough for a machine with much else to do. */
const limit = { timeout: 60_000 }

describe("the command", limit, () => {
  it("says what was lost, what that means and what to do, and exits with 1", async () => {
    const { code, stdout } = await quiesce([
      "check",
      "--only",
      "half-head,exit-code",
      "-v",
      "--",
      ...faulty("exit-code")
    ])
    expect(stdout).toMatch(/^✓ half-head +answered 200, with Connection: close$/m)
    expect(stdout).toMatch(/^✗ exit-code +exit code 3 after [\d.]+ m?s$/m)
    expect(stdout).toMatch(/^1 kept, 1 lost, in /m)
    expect(stdout).toMatch(/^ {2}remedy +Handle SIGTERM/m)
    expect(stdout).toMatch(/server +signal +SIGTERM$/m)
    expect(stdout).not.toContain("\x1b")
    expect(code).toBe(1)
  })

  it("gives programs a report of their own on its standard output", async () => {
    const [json, junit, tap] = await Promise.all(
      ["--json", "--junit", "--tap"].map((format) =>
        quiesce(["check", format, "--only", "half-head", "--", ...faulty()])
      )
    )
    expect(JSON.parse(json?.stdout ?? "")).toMatchObject({ kept: 1, lost: 0, exitCode: 0 })
    expect(junit?.stdout).toMatch(
      /^<\?xml[^]*<testsuite [^>]*tests="1" failures="0" errors="0" skipped="0"[^]*<\/testsuites>\n$/
    )
    expect(tap?.stdout).toMatch(/^TAP version 14\n1\.\.1\nok 1 - half-head: [^\n]*\n$/)
    expect([json, junit, tap].map((ended) => ended?.code)).toEqual([0, 0, 0])
    expect(tap?.stderr).toMatch(/^✓ half-head/m)
  })

  it("compares two servers", async () => {
    const { code, stdout } = await quiesce([
      "check",
      "--only=exit-code",
      "--compare",
      faulty("exit-code").map((part) => `'${part}'`).join(" "),
      "--",
      ...faulty()
    ])
    expect(stdout).toMatch(/^exit-code +✓ kept +✗ lost$/m)
    expect(code).toBe(0)
  })

  it("says what cannot be compared, and all about the server that is checked", async () => {
    const { code, stderr, stdout } = await quiesce([
      "check",
      "--only=exit-code",
      "--json",
      "--compare=false",
      "--",
      ...faulty()
    ])
    expect(stderr).toContain("it ended before it answered: exit code 1")
    expect(JSON.parse(stdout)).toMatchObject({ kept: 1, lost: 0 })
    expect(code).toBe(2)
  })

  it("exits with 2 where nothing can be asked, and says why", async () => {
    const [dies, missing, remote, misspelt, unknown] = await Promise.all([
      quiesce(["check", "--", ...behaving("dies")]),
      quiesce(["check"]),
      quiesce(["check", "--host", "192.0.2.1", "--", ...faulty()]),
      quiesce(["check", "--only", "bussy", "--", ...faulty()]),
      quiesce(["czech"])
    ])
    expect(dies?.stderr).toMatch(
      /it ended before it answered: exit code 7\nIt printed:\n {2}the database is not there\n$/
    )
    expect(missing?.stderr).toContain("the command that starts the server is missing")
    expect(remote?.stderr).toContain("192.0.2.1 is not a loopback address")
    expect(misspelt?.stderr).toContain("there is no scenario \"bussy\"")
    expect(unknown?.stderr).toContain("there is no command \"czech\"")
    expect([dies, missing, remote, misspelt, unknown].map((ended) => ended?.code)).toEqual([2, 2, 2, 2, 2])
  })

  it("lists its scenarios, and says how it is used", async () => {
    const [list, help] = await Promise.all([quiesce(["check", "--list"]), quiesce(["check", "--help"])])
    expect(list?.stdout.match(/^[a-z0-9-]+\n {2}\S.*\n {2}\S.*\n {2}https:\/\/\S+$/gm)?.length).toBeGreaterThan(25)
    expect(help?.stdout).toContain("quiesce check [options] -- command [arguments]")
    expect([list?.code, help?.code]).toEqual([0, 0])
  })
})

describe("nothing is left of the server when the command", limit, () => {
  for (const signal of ["SIGINT", "SIGTERM", "SIGKILL"] as const) {
    it(`gets ${signal}`, () =>
      withFolder((folder) =>
        withChild(program, ["check", "--only=never-sends", "--", ...behaving("ignores")], async (child) => {
          // the first start is there to be asked what it offers
          await waitFor("the server of the scenario", () => startedIn(folder).length >= 2, 30_000)
          child.signal(signal)
          expect(await child.exit(10_000)).toMatchObject({ code: null, signal })
          await waitFor(() => `the end of ${aliveIn(folder).join()}`, () => aliveIn(folder).length === 0, 5000)
        }, { env: { PIDS: pidsIn(folder) } })
      ))
  }

  it("cannot print any more", () =>
    withFolder((folder) =>
      withChild(program, ["check", "--only=exit-code", "--", ...behaving("serves")], async (child) => {
        await waitFor("the first server", () => startedIn(folder).length >= 1, 30_000)
        child.closeOutput()
        expect(await child.exit(30_000)).toMatchObject({ code: null, signal: "SIGTERM" })
        await waitFor(() => `the end of ${aliveIn(folder).join()}`, () => aliveIn(folder).length === 0, 5000)
      }, { env: { PIDS: pidsIn(folder) } })
    ))
})
