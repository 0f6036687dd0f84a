import { describe, expect, it } from "vitest"
import { DuplicateWindow } from "../../../src/internal/signals/duplicates.js"
import { now, timerGrain } from "../../support/wait.js"

// In real time, as signals come.

const opened = () => {
  const window = new DuplicateWindow()
  window.open()
  return window
}

const closed = (window: DuplicateWindow) => new Promise<void>((resolve) => window.whenClosed(resolve))

/** Nothing else of the process runs meanwhile. */
const block = (millis: number) => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, millis)

describe("the window of duplicates", () => {
  it("is closed until a signal counts, and half a second after that", async () => {
    const window = new DuplicateWindow()
    expect(window.isOpen).toBe(false)
    const before = now()
    window.open()
    expect(window.isOpen).toBe(true)
    await closed(window)
    expect(window.isOpen).toBe(false)
    expect(now() - before).toBeGreaterThanOrEqual(500 - timerGrain)
  })

  it("is open where nothing was read for longer, and closes after that", async () => {
    const window = opened()
    block(1000)
    expect(window.isOpen).toBe(true)
    await closed(window)
  })

  it("opens again with the next signal that counts", async () => {
    const window = opened()
    await closed(window)
    window.open()
    expect(window.isOpen).toBe(true)
    await closed(window)
  })

  it("is closed after 5 seconds, whatever the event loop does", () => {
    const window = opened()
    block(5001)
    expect(window.isOpen).toBe(false)
    window.dispose()
  })

  it("is closed when nobody asks any more, and tells nobody", async () => {
    const window = opened()
    let told = false
    window.whenClosed(() => {
      told = true
    })
    window.dispose()
    expect(window.isOpen).toBe(false)
    await closed(opened())
    expect(told).toBe(false)
  })
})
