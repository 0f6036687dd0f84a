import { describe, expect, it } from "vitest"
import { withChild } from "../support/child.js"
import { growers, measureHeap } from "./heap.js"
import type { Result } from "./soak.js"

// `npm run soak` for half a minute. Rule 4, under everything that clients do.

describe("cycles of mixed load and shutdowns in one process", { timeout: 180_000 }, () => {
  it("leave no socket, fiber, timer, listener or heap behind, and wrong nobody", () =>
    withChild(new URL("main.ts", import.meta.url), ["--seconds", "20", "--json"], async (child) => {
      const exit = await child.exit(150_000)
      expect(child.stdout(), child.stderr()).not.toBe("")
      const { cycles, failures, handles, leaked, outcomes, tally } = JSON.parse(child.stdout()) as Result
      expect(failures, failures.join("\n")).toEqual([])
      expect(leaked, JSON.stringify(leaked)).toEqual([])
      expect(handles).toEqual({})
      expect(outcomes).toEqual({ Drained: 3 * cycles })
      for (const name of ["answered", "streams", "webSockets", "messages", "http2", "aborted"] as const) {
        expect(tally[name], name).toBeGreaterThan(cycles)
      }
      expect(exit).toMatchObject({ code: 0, signal: null })
    }, { execArgv: ["--expose-gc"], modules: true }))

  it("a heap snapshot shows what is kept, by the name of its class", async () => {
    class Kept {
      readonly at = performance.now()
    }
    const before = await measureHeap()
    const kept = Array.from({ length: 10 }, () => new Kept())
    const after = await measureHeap()
    expect(kept.length).toBe(10)
    expect(growers(before, after)).toContainEqual({ name: "Kept", before: 0, after: 10 })
  })
})
