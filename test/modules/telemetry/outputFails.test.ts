import { spawn } from "node:child_process"
import * as Fs from "node:fs"
import type { Readable } from "node:stream"
import { describe, expect, it } from "vitest"
import { nodeArgs } from "../../support/bundle.js"
import { withClient } from "../../support/rawClient.js"
import { waitFor } from "../../support/wait.js"

// Pins internal/node: isErrorListenerOfNode

// The log may fail, the drain does not: whoever reads the outputs of a process has gone before the shutdown or leaves
// in the middle of it, or the disk is full. The request in flight is answered, the hooks and finalizers run, and the
// exit code is that of a clean drain.

type When = "before the signal" | "during the drain"

interface Case {
  readonly api: "effect" | "promise"
  readonly logger: "default" | "stdout" | "console"
  /** The outputs go to a disk that is full, or their reader leaves. */
  readonly fails: "full" | When
  /** The standard error is another one, and read to the end. */
  readonly stderrWorks?: boolean
}

const fixture = new URL("./fixtures/outputs.ts", import.meta.url)

const limit = 60_000

const shutdownOf = async ({ api, fails, logger, stderrWorks = false }: Case) => {
  const full = fails === "full" ? Fs.openSync("/dev/full", "w") : undefined
  const output = full ?? "pipe"
  const child = spawn(process.execPath, [...nodeArgs(fixture), api, logger], {
    stdio: ["pipe", output, stderrWorks ? "pipe" : output, "pipe"]
  })
  try {
    let told = ""
    let stderr = ""
    const { stderr: err, stdin, stdout } = child
    const channel = child.stdio[3] as Readable
    channel.on("data", (text) => {
      told += String(text)
    })
    err?.on("data", (text) => {
      stderr += String(text)
    })
    // what is not read would fill the pipe
    stdout?.resume()
    const exit = new Promise<number | null>((resolve) => child.once("close", (code) => resolve(code)))
    const event = (name: string) =>
      waitFor(
        () => `"${name}" from the child, which has told ${told}`,
        () =>
          told.split("\n").flatMap((line) => line.endsWith("}") ? [JSON.parse(line)] : []).find(({ event }) =>
            event === name
          ),
        limit
      )
    const leave = (when: When) => {
      if (fails !== when) return
      stdout?.destroy()
      if (!stderrWorks) err?.destroy()
    }

    const { port } = await event("listening")
    return await withClient({ host: "127.0.0.1", port }, async (client) => {
      await client.write("GET /slow HTTP/1.1\r\nHost: test\r\n\r\n")
      await event("request")
      leave("before the signal")
      child.kill("SIGTERM")
      await event("draining")
      leave("during the drain")
      stdin?.write("answer\n")
      const { responses: [response] } = await client.untilResponses(1, limit)
      const code = await waitFor("the exit", exit, limit)
      return { status: response?.status, body: response?.body.toString(), code, told, stderr }
    })
  } finally {
    child.kill("SIGKILL")
    if (full !== undefined) Fs.closeSync(full)
  }
}

const readerHasGone = { logger: "default", fails: "before the signal", stderrWorks: true } as const

const cases: ReadonlyArray<Case> = [
  { api: "effect", ...readerHasGone },
  { api: "effect", logger: "stdout", fails: "full", stderrWorks: true },
  { api: "effect", logger: "default", fails: "during the drain" },
  { api: "promise", ...readerHasGone },
  { api: "promise", logger: "stdout", fails: "before the signal" },
  { api: "promise", logger: "console", fails: "full", stderrWorks: true }
]

describe("a shutdown whose log fails", () => {
  it("loses nothing, in both APIs, whatever fails and whenever; and says on the other output what it can", async () => {
    const ends = await Promise.all(cases.map(shutdownOf))
    expect(ends.map(({ body, code, status, told }, index) => ({
      ...cases[index],
      body,
      code,
      status,
      released: told.includes("released")
    }))).toEqual(cases.map((each) => ({ ...each, body: "whole", code: 0, status: 200, released: true })))
    for (const index of [0, 3]) {
      const stderr = ends[index]!.stderr
      expect(stderr.match(/The standard output cannot be written to any more \(its reader has gone\)/g)).toHaveLength(1)
      expect(stderr).toMatch(/^info: Shut down in .* \(Drained\)/m)
    }
  }, 120_000)
})
