import { describe, expect, it } from "vitest"
import { cyclesHold } from "./cycles.js"

// Rule 4, a thousand times in one process.

describe("a thousand starts and stops in one process", () => {
  it("hold no more sockets, timers, listeners and fibers than one; the heap is flat; the process ends by itself", {
    timeout: 120_000
  }, async () => {
    expect(await cyclesHold(1000, 100_000)).toEqual({ problems: [] })
  })
})
