import { once } from "node:events"
import { pathToFileURL } from "node:url"
import { Worker } from "node:worker_threads"
import { describe, expect, it } from "vitest"
import { nodeArgs } from "../../support/bundle.js"
import { timesLogged, untilLogged } from "../../support/child.js"
import { afterDuplicateWindow } from "../../support/duplicateWindow.js"
import { withClient } from "../../support/rawClient.js"
import { waitFor } from "../../support/wait.js"
import { answer, limit, whole, withProcess, withRequest } from "./sharedProcess.js"

// Pins internal/node: processKill

// Other code in the process listens for the same signals, and sends them again; other programs send two for one.

describe.concurrent("a signal that the process sends to itself", { timeout: 90_000 }, () => {
  for (
    const [api, other, again] of [
      ["promise", "once", "kill"],
      ["promise", "on, and off", "kill, taken before"],
      ["promise", "once", "kill the group"],
      ["promise", "once", "after all listeners are gone"],
      ["effect", "once", "kill, taken before"]
    ] as const
  ) {
    it(`is no second one (${api}, ${again}), and a third party's still is`, () =>
      // a group of its own: it may kill it
      withRequest({ api, other, again, work: 700, timeout: "1 minute" }, async (child, client) => {
        await untilLogged(child, "Another SIGTERM, which this process has sent itself: ignored")
        expect(timesLogged(child, "closing at once")).toBe(0)
        await afterDuplicateWindow(child)
        child.signal("SIGTERM")
        expect(await answer(client)).toMatchObject({ status: 503 })
        expect(timesLogged(child, "Another SIGTERM: closing at once")).toBe(1)
        expect(await child.exit(limit)).toMatchObject({ code: 143 })
      }, { ownGroup: true }))
  }

  it("is none either where it is emitted, however often", () =>
    withRequest({ api: "promise", other: "on", again: "emit", work: 300 }, async (child, client) => {
      await child.line("work done", limit, 2)
      child.write("release\n")
      expect(await answer(client)).toEqual(whole)
      // it goes on for ever, and so it is never over for the process
      await untilLogged(child, "All is over, and the process has not ended")
      expect(child.exited).toBe(undefined)
    }))

  for (const api of ["promise", "effect"] as const) {
    it(`leaves the exit code alone, whether it comes during the drain or after it (${api})`, () =>
      Promise.all([
        withRequest({ api, other: "once", again: "kill", work: 500 }, async (child, client) => {
          await untilLogged(child, "Another SIGTERM, which this process has sent itself: ignored")
          child.write("release\n")
          expect(await answer(client)).toEqual(whole)
          expect(await child.exit(limit)).toMatchObject({ code: 0, signal: null })
          // given back when all is over
          expect(child.linesOf("exit")).toMatchObject([{ kill: "_kill" }])
        }),
        withProcess({ api, other: "once", again: "kill", work: 2500, held: true, exitCode: 3 }, async (child) => {
          child.signal("SIGTERM")
          await child.line("last", limit)
          expect(child.linesOf("work done")).toEqual([])
          expect(await child.exit(limit)).toMatchObject({ code: 3, signal: null })
          expect(child.linesOf("work done")).toHaveLength(1)
        })
      ]).then(() => undefined))
  }
})

describe.concurrent("two signals", { timeout: 90_000 }, () => {
  for (const api of ["promise", "effect"] as const) {
    it(`within half a second are one, whatever their names (${api})`, () =>
      withProcess({ api, timeout: "1 minute" }, async (child) => {
        await withClient(await child.listening(), async (client) => {
          await client.write("GET /slow HTTP/1.1\r\nHost: test\r\n\r\n")
          await child.line("request", limit)
          for (const signal of ["SIGINT", "SIGTERM", "SIGINT", "SIGTERM"] as const) child.signal(signal)
          await untilLogged(child, ": shutting down")
          child.write("release\n")
          // a second one that counted would have cut it
          expect(await answer(client)).toEqual(whole)
          expect(await child.exit(limit)).toMatchObject({ code: 0, signal: null })
          expect(timesLogged(child, "Another")).toBe(0)
        })
      }))
  }
})

describe.concurrent("other listeners for a signal", { timeout: 90_000 }, () => {
  for (const api of ["promise", "effect"] as const) {
    it(`are named in one warning when it comes (${api})`, () =>
      withRequest({ api, other: "once" }, async (child, client) => {
        await untilLogged(child, /SIGTERM: 1 other listener handles it, too \(consumer, which calls process\.exit\)/)
        child.write("release\n")
        expect(await answer(client)).toEqual(whole)
        await child.exit(limit)
        expect(timesLogged(child, "other listener handles it, too")).toBe(1)
      }))
  }

  it("are not named where there are none but ours, and those of `runMain`", () =>
    withProcess({ api: "effect" }, async (child) => {
      child.signal("SIGTERM")
      expect(await child.exit(limit)).toMatchObject({ code: 0 })
      expect(child.stdout()).not.toContain("WARN")
    }))
})

describe.concurrent("signals in a worker thread, where none arrives", { timeout: 90_000 }, () => {
  it("are an error that says what to do, and none are taken", async () => {
    const worker = new Worker(pathToFileURL(nodeArgs(new URL("fixtures/worker.ts", import.meta.url))[0]!))
    try {
      const [said] = await waitFor("the worker's word", once(worker, "message"), limit)
      const refused = (signals: string) => ({
        tag: "InvalidPolicy",
        field: "signals",
        message: expect.stringMatching(
          new RegExp(`^signals is .*${signals}.*worker thread, where no signal arrives: handle them in the main thread`)
        ) as unknown
      })
      expect(said).toEqual({
        promise: [refused("SIGTERM, SIGINT"), refused("SIGTERM"), "taken"],
        effect: [refused("SIGTERM, SIGINT, SIGQUIT"), refused("SIGTERM"), "taken"]
      })
    } finally {
      await worker.terminate()
    }
  })
})
