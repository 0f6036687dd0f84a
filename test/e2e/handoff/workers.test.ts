import { Effect } from "effect"
import { describe, expect, it } from "vitest"
import { Handoff, Shutdown } from "../../../src/index.js"
import { type Child, untilLogged, withChild } from "../../support/child.js"
import { codeOfInterrupted } from "../../support/runMain.js"
import { pace, waitFor } from "../../support/wait.js"
import { ask, limit, startLoad } from "./handoffProcesses.js"
import { fixture, portOf, untilWorkersServe, withWorkers, workerPids } from "./workerProcesses.js"

const withControl = (use: (child: Child, next: (mode: string) => void) => Promise<void>) =>
  withWorkers({}, async (child, next) => {
    await untilWorkersServe(child)
    await use(child, next)
    child.signal("SIGTERM")
    expect(await child.exit(limit)).toMatchObject({ code: codeOfInterrupted })
  })

const rolls = 3

describe("workers of node:cluster", { timeout: 180_000 }, () => {
  it("are replaced one by one, and no client on a fresh connection sees it", () =>
    withChild(fixture, [], async (child) => {
      await untilWorkersServe(child)
      const { port } = await child.line("listening", limit, 2)
      const clients = startLoad(Array.from({ length: 6 }, () => ({ port: Number(port) })))
      try {
        for (let n = 1; n <= rolls; n++) {
          const before = clients.answered()
          await waitFor("requests to be answered", () => clients.answered() > before + 50, limit)
          child.signal("SIGUSR2")
          await untilLogged(child, "Every worker has been replaced", n, 60_000)
        }
      } finally {
        await clients.stop()
      }
      child.signal("SIGTERM")
      expect(await child.exit(limit)).toMatchObject({ code: codeOfInterrupted })
      expect(clients.failures).toEqual([])
      const ends = child.linesOf("exit").filter(({ worker }) => worker)
      expect(ends).toHaveLength(2 * (rolls + 1))
      // none has ended without the primary's last answer
      expect(child.linesOf("heard").filter((line) => JSON.stringify(line).includes("leaving"))).toHaveLength(
        ends.length
      )
      expect(ends.every(({ code }) => code === codeOfInterrupted)).toBe(true)
      expect(ends.reduce((sum, { executed }) => sum + Number(executed), 0)).toBe(clients.answered())
      console.info(`${rolls * 2} workers replaced, ${clients.answered()} requests, ${clients.failures.length} failures`)
    }))

  it("one that is killed is replaced", () =>
    withChild(fixture, [], async (child) => {
      await untilWorkersServe(child)
      const { pid } = await child.line("listening", limit, 2)
      process.kill(Number(pid), "SIGKILL")
      await untilLogged(child, `Worker ${String(pid)} ended, with signal SIGKILL; a new one is started in its place`)
      const next = await child.line("listening", limit, 3)
      await untilLogged(child, `Worker ${String(next["pid"])} serves, in place of one that ended`)
      child.signal("SIGTERM")
      expect(await child.exit(limit)).toMatchObject({ code: codeOfInterrupted })
    }))

  it(
    "one that dies while the others are replaced is replaced once",
    withControl(async (child, next) => {
      next("slow")
      const second = workerPids(child)[1] ?? 0
      child.signal("SIGUSR2")
      await untilLogged(child, "replacing the workers")
      process.kill(second, "SIGKILL")
      await untilLogged(child, "Every worker has been replaced")
      next("")
      await waitFor("2 workers", () => workerPids(child).length === 2, limit)
      // a third one would have begun by now
      await pace(4000)
      expect(workerPids(child)).toHaveLength(2)
    })
  )

  it(
    "one whose replacement fails is replaced when that is possible",
    withControl(async (child, next) => {
      next("fails")
      process.kill(workerPids(child)[0] ?? 0, "SIGKILL")
      await untilLogged(child, "tried again")
      expect(workerPids(child)).toHaveLength(1)
      next("")
      await waitFor("2 workers", () => workerPids(child).length === 2, limit)
    })
  )

  // Ctrl-C in a terminal, and systemd's KillMode=control-group
  for (
    const [signal, handles] of [
      ["SIGTERM", "nothing"],
      ["SIGINT", "nothing"],
      ["SIGTERM", "signals"],
      ["SIGINT", "signals"]
    ] as const
  ) {
    it(`${signal} to the whole group is no second signal to the workers (they handle ${handles})`, () =>
      withChild(fixture, ["", JSON.stringify({ handlesSignals: handles === "signals" })], async (child) => {
        await untilWorkersServe(child)
        const port = await portOf(child)
        const requests = [ask({ port }, "GET", "/slow"), ask({ port }, "GET", "/slow")]
        await child.line("request", limit, 2)
        process.kill(-child.pid, signal)
        expect(await Promise.all(requests)).toMatchObject([{ status: 200 }, { status: 200 }])
        const clean = handles === "signals" ? 0 : codeOfInterrupted
        expect(await child.exit(limit)).toMatchObject({ code: clean })
        expect(child.linesOf("exit").map(({ code }) => code)).toEqual([clean, clean, clean])
      }, { ownGroup: true }))
  }

  for (const workers of [0, -1, 1.5, Number.NaN]) {
    it(`${workers} of them are refused`, async () => {
      const error = await Effect.runPromise(Effect.flip(Handoff.launchWorkers({ workers })))
      expect(error).toBeInstanceOf(Shutdown.InvalidPolicy)
      expect(error.message).toContain(`workers is ${workers}`)
    })
  }
})
