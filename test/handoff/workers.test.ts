import { describe, expect, it } from "vitest"
import { withChild } from "../support/child.js"
import { waitFor } from "../support/wait.js"
import { limit, load } from "./running.js"

const rolls = 3

describe("workers of node:cluster", { timeout: 180_000 }, () => {
  it("are replaced one by one, and no client on a fresh connection sees it", () =>
    withChild(new URL("fixtures/workers.ts", import.meta.url), [], async (child) => {
      await waitFor(() => child.stdout() + child.stderr(), () => /2 workers serve/.test(child.stdout()), limit)
      const { port } = await child.line("listening", limit, 2)
      const clients = load(Array.from({ length: 6 }, () => ({ port: Number(port) })))
      try {
        for (let n = 1; n <= rolls; n++) {
          const before = clients.answered()
          await waitFor("requests to be answered", () => clients.answered() > before + 50, limit)
          child.signal("SIGUSR2")
          await waitFor(
            () => `roll ${n}: ${child.stdout()}${child.stderr()}`,
            () => child.stdout().split("Every worker has been replaced").length > n,
            60_000
          )
        }
      } finally {
        await clients.stop()
      }
      child.signal("SIGTERM")
      expect(await child.exit(limit)).toMatchObject({ code: 0 })
      expect(clients.failures).toEqual([])
      const ends = child.linesOf("exit").filter(({ worker }) => worker)
      expect(ends).toHaveLength(2 * (rolls + 1))
      // none has ended without the primary's last answer
      expect(child.linesOf("heard").filter((line) => JSON.stringify(line).includes("leaving"))).toHaveLength(
        ends.length
      )
      expect(ends.every(({ code }) => code === 0)).toBe(true)
      expect(ends.reduce((sum, { executed }) => sum + Number(executed), 0)).toBe(clients.answered())
      console.info(`${rolls * 2} workers replaced, ${clients.answered()} requests, ${clients.failures.length} failures`)
    }))

  it("one that is killed is replaced", () =>
    withChild(new URL("fixtures/workers.ts", import.meta.url), [], async (child) => {
      await waitFor(() => child.stdout() + child.stderr(), () => /2 workers serve/.test(child.stdout()), limit)
      const { pid } = await child.line("listening", limit, 2)
      process.kill(Number(pid), "SIGKILL")
      await child.line("listening", limit, 3)
      child.signal("SIGTERM")
      expect(await child.exit(limit)).toMatchObject({ code: 0 })
    }))
})
