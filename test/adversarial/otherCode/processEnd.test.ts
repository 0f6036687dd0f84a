import { build } from "esbuild"
import { fork, spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import { describe, expect, it } from "vitest"
import { nodeArgs } from "../../support/bundle.js"
import { timesLogged, untilLogged } from "../../support/child.js"
import { afterDuplicateWindow } from "../../support/duplicateWindow.js"
import { waitFor } from "../../support/wait.js"
import type { Options } from "./fixtures/process.js"
import { fixture, limit, withProcess } from "./sharedProcess.js"

// Pins internal/node: activeHandles, isPipe, kindOf

// Who decides when a process ends that a signal has asked to end.

describe.concurrent("a process that others use", { timeout: 90_000 }, () => {
  for (const api of ["promise", "effect"] as const) {
    it(`is left to them, and the log says again and again what keeps it alive (${api})`, () =>
      Promise.all(
        (["once", "on", "on, and off"] as const).map((other) =>
          withProcess({ api, other, work: 6000 }, async (child) => {
            child.signal("SIGTERM")
            const text =
              /WARN.*the process has not ended after \d s: others handle SIGTERM, too \(consumer.*Alive: a timer/
            await untilLogged(child, text, 2)
            expect(child.linesOf("work done")).toEqual([])
            expect(await child.exit(limit)).toMatchObject({ code: 0, signal: null })
            expect(child.linesOf("work done")).toHaveLength(1)
            expect(timesLogged(child, "ending it with exit code")).toBe(0)
          })
        )
      ).then(() => undefined))
  }

  it("may be another copy of this package", async () => {
    const folder = mkdtempSync(join(tmpdir(), "copy-"))
    try {
      const copy = join(folder, "quiesce.cjs")
      await build({
        entryPoints: [fileURLToPath(new URL("../../../src/promise.ts", import.meta.url))],
        outfile: copy,
        bundle: true,
        platform: "node",
        format: "cjs",
        logLevel: "error"
      })
      for (const api of ["promise", "effect"] as const) {
        await withProcess({ api, copy: pathToFileURL(copy).href }, async (child) => {
          child.signal("SIGTERM")
          expect(await child.exit(limit)).toMatchObject({ code: 0, signal: null })
          expect(child.linesOf("the copy's finally")).toHaveLength(1)
          // each is known to the other: neither warns of it
          expect(child.stdout()).not.toContain("WARN")
        })
      }
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })
})

/** A child with a channel to this process, as those of `node:cluster` and PM2 have. */
const forked = async (options: Options, signal: NodeJS.Signals, leftWhen?: string) => {
  const child = fork(nodeArgs(fixture)[0]!, [JSON.stringify(options)], {
    execArgv: [],
    stdio: ["ignore", "pipe", "pipe", "ipc"]
  })
  let out = ""
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (text: string) => {
      out += text
    })
  }
  const ended = new Promise<number | NodeJS.Signals | null>((resolve) => {
    // Node says no "close" of a child that it was disconnected from
    child.once(leftWhen === undefined ? "close" : "exit", (code, signal) => resolve(code ?? signal))
  })
  try {
    await waitFor(() => `it to listen: ${out}`, () => out.includes("listening"), limit)
    child.kill(signal)
    if (leftWhen !== undefined) {
      await waitFor(() => `"${leftWhen}": ${out}`, () => out.includes(leftWhen) || child.exitCode !== null, limit)
      child.disconnect()
    }
    const code = await waitFor(() => `the end: ${out}`, ended, limit)
    return { code, out }
  } finally {
    child.kill("SIGKILL")
    await ended
  }
}

describe.concurrent("the channel to a parent process", { timeout: 90_000 }, () => {
  for (
    const [api, signal] of [["promise", "SIGTERM"], ["effect", "SIGTERM"], ["effect", "SIGQUIT"]] as const
  ) {
    it(`keeps no process alive, and is no matter for a warning (${api}, ${signal})`, async () => {
      const { code, out } = await forked({ api, messages: true }, signal)
      expect(code).toBe(0)
      expect(out).toContain("(Drained)")
      expect(out).not.toContain("WARN")
    })
  }

  it("is left to the parent, and said, where nobody has asked us for the end", async () => {
    const text = "it listens for messages of its parent process. To end it, call process.disconnect()"
    const { code, out } = await forked({ api: "runFork", messages: true }, "SIGTERM", text)
    expect(code).toBe(0)
    expect(out).toMatch(/WARN.*the process has not ended after \d s: it listens for messages of its parent process/)
  })

  it("keeps none alive either where others handle the signal, too", async () => {
    const { code, out } = await forked({ api: "promise", messages: true, other: "once", work: 100 }, "SIGTERM")
    expect(code).toBe(0)
    expect(out).toContain("work done")
    expect(out).not.toContain("All is over")
  })
})

describe.concurrent("the end of a process that something keeps alive", { timeout: 90_000 }, () => {
  it("is said in words, with the exit code that the program has set", () =>
    Promise.all(
      (["promise", "effect"] as const).map((api) =>
        withProcess({ api, held: true, exitCode: 3, signals: ["SIGQUIT"] }, async (child) => {
          child.signal("SIGQUIT")
          expect(await child.exit(limit)).toMatchObject({ code: 3 })
          expect(child.stdout()).toMatch(
            /WARN.*keeps the process alive \(a server on port \d+, a timer\): ending it with exit code 3/
          )
        })
      )
    ).then(() => undefined))

  it("is only said where nobody has asked us for it", () =>
    withProcess({ api: "runFork", held: true }, async (child) => {
      child.signal("SIGTERM")
      await untilLogged(
        child,
        /WARN.*the process has not ended after \d s: something.*Alive: a server on port \d+, a timer/,
        2
      )
      expect(child.exited).toBe(undefined)
    }))

  it("waits until stdout has taken what was written to it", async () => {
    const lastWords = 3_000_000
    const options: Options = { api: "promise", held: true, lastWords, logToStderr: true }
    const child = spawn(process.execPath, [...nodeArgs(fixture), JSON.stringify(options)], {
      stdio: ["pipe", "pipe", "pipe"]
    })
    let log = ""
    let out = 0
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      log += text
    })
    const ended = new Promise<number | null>((resolve) => child.once("close", resolve))
    try {
      // it reads no more than this, for now
      await waitFor("it to listen", () => child.stdout.read() as Buffer | null, limit)
      child.kill("SIGTERM")
      await waitFor(() => `the warning: ${log}`, () => log.includes("ending it with exit code 0"), limit)
      child.stdout.on("data", (chunk: Buffer) => {
        out += chunk.length
      })
      expect(await waitFor(() => `the end: ${log}`, ended, limit)).toBe(0)
      expect(out).toBeGreaterThan(lastWords)
    } finally {
      child.kill("SIGKILL")
      await ended
    }
  })
})

describe.concurrent("what is to be done last, and hangs", { timeout: 90_000 }, () => {
  it("is said after two seconds, and again, and one more signal ends the process", () =>
    Promise.all([
      withProcess({ api: "promise", hangs: true }, async (child) => {
        child.signal("SIGTERM")
        await untilLogged(child, /WARN.*`finally` has not finished after \d s: .*nothing bounds that/, 2)
        await afterDuplicateWindow(child)
        child.signal("SIGTERM")
        await untilLogged(child, "one more ends the process")
        expect(child.exited).toBe(undefined)
      }),
      withProcess({ api: "effect", hangs: true }, async (child) => {
        child.signal("SIGTERM")
        await untilLogged(child, /WARN.*No server is open, and the program has not ended after \d s/, 2)
        expect(child.exited).toBe(undefined)
      })
    ]).then(() => undefined))

  it("is given up after `finallyTimeout`, which is a failure", () =>
    withProcess({ api: "promise", hangs: true, finallyTimeout: 300 }, async (child) => {
      child.signal("SIGTERM")
      expect(await child.line("closed", limit)).toMatchObject({ error: "FinallyTimedOut" })
      expect(await child.exit(limit)).toMatchObject({ code: 1 })
      expect(child.stdout()).toMatch(/ERROR.*`finally` has not finished within 300ms/)
      expect(timesLogged(child, "ending it with exit code 1")).toBe(1)
    }))
})
