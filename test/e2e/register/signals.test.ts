import { constants } from "node:os"
import { describe, expect, it } from "vitest"
import { timesLogged, untilLogged } from "../../support/child.js"
import { afterDuplicateWindow } from "../../support/duplicateWindow.js"
import { get } from "../../support/httpRequests.js"
import { withClient } from "../../support/rawClient.js"
import { answer, limit, pathOf, register, release, whole, withRequest } from "./registered.js"

// Pins internal/node: processEmit

describe.concurrent("the program's own listener for a signal", { timeout: 90_000 }, () => {
  for (
    const [handler, ends] of [
      ["exits", { code: 3, signal: null }],
      ["closes", { code: 0, signal: null }],
      ["ends later", { code: 5, signal: null }],
      ["sends it again", { code: null, signal: "SIGTERM" }],
      ["throws", { code: 1, signal: null }]
    ] as const
  ) {
    it(`runs when all requests have been answered, and is the end: it ${handler}`, () =>
      withRequest({ handlers: [handler], alive: true }, async (child, client) => {
        child.signal("SIGTERM")
        await untilLogged(child, "SIGTERM: shutting down")
        expect(child.linesOf("handler")).toEqual([])
        release(child)
        expect(await answer(client)).toEqual(whole)
        expect(await child.exit(limit)).toMatchObject(ends)
        // as Node calls it
        expect(child.linesOf("handler")).toMatchObject([{ handler, args: ["SIGTERM", constants.signals.SIGTERM] }])
        expect(timesLogged(child, "SIGTERM: what the servers owed is done; now the program's own listener")).toBe(1)
      }))
  }

  it("runs, and the process ends by itself where nothing is left", () =>
    withRequest({ handlers: ["closes, and lets go"] }, async (child, client) => {
      child.signal("SIGINT")
      await untilLogged(child, "SIGINT: shutting down")
      release(child)
      expect(await answer(client)).toEqual(whole)
      expect(await child.exit(limit)).toMatchObject({ code: 0, signal: null })
      expect(child.linesOf("closed")).toHaveLength(1)
    }))

  it("is named, and what it calls", () =>
    withRequest({ handlers: ["exits", "stays"] }, async (child) => {
      child.signal("SIGTERM")
      release(child)
      await child.exit(limit)
      expect(child.stdout()).toContain("now the 2 listeners of the program for it run (listener, listener)")
    }))

  it("is not in the way of the end, where a second signal has cut what was open", () =>
    withRequest({ handlers: ["exits"] }, async (child, client) => {
      child.signal("SIGTERM")
      await untilLogged(child, "SIGTERM: shutting down")
      await afterDuplicateWindow(child)
      child.signal("SIGTERM")
      await untilLogged(child, "Another SIGTERM: closing at once")
      expect(await child.exit(limit)).toMatchObject({ code: 3, signal: null })
      expect(await client.untilEnded(limit)).not.toBe("open")
      expect(child.linesOf("handler")).toHaveLength(1)
    }))

  it("waits, too, where it was added before", () =>
    withRequest({}, async (child, client) => {
      child.signal("SIGTERM")
      await untilLogged(child, "SIGTERM: shutting down")
      release(child)
      expect(await answer(client)).toEqual(whole)
      expect(await child.exit(limit)).toMatchObject({ code: 4, signal: null })
    }, { execArgv: ["--import", pathOf("before.mjs"), ...register] }))

  it("goes on to decide when the process ends", () =>
    withRequest({ handlers: ["stays"], alive: true }, async (child, client) => {
      child.signal("SIGTERM")
      release(child)
      expect(await answer(client)).toEqual(whole)
      await untilLogged(child, /All is over, and the process has not ended after \d+ s: others handle SIGTERM, too/)
      // it hears of the next one at once
      child.signal("SIGTERM")
      await child.line("handler", limit, 2)
      expect(child.exited).toBe(undefined)
    }))
})

describe.concurrent("without a listener of the program's own", { timeout: 90_000 }, () => {
  it("the exit code is 1 where requests were cut", () =>
    withRequest({ alive: true }, async (child, client) => {
      child.signal("SIGTERM")
      expect(await child.exit(limit)).toMatchObject({ code: 1, signal: null })
      expect(await client.untilEnded(limit)).not.toBe("open")
      expect(child.stdout()).toContain("cut GET /slow from 127.0.0.1")
    }, { env: { SHUTDOWN_TIMEOUT: "100", SHUTDOWN_KILL_TIMEOUT: "100" } }))

  it("the second signal closes at once, and the exit code is that of its name", () =>
    withRequest({ alive: true }, async (child) => {
      child.signal("SIGTERM")
      await untilLogged(child, "SIGTERM: shutting down")
      await afterDuplicateWindow(child)
      child.signal("SIGINT")
      await untilLogged(child, "Another SIGINT: closing at once")
      expect(await child.exit(limit)).toMatchObject({ code: 130, signal: null })
    }, { env: { SHUTDOWN_TIMEOUT: "infinity" } }))

  it("two within half a second are one", () =>
    withRequest({ alive: true }, async (child, client) => {
      for (const signal of ["SIGINT", "SIGTERM", "SIGINT"] as const) child.signal(signal)
      await untilLogged(child, ": shutting down")
      release(child)
      expect(await answer(client)).toEqual(whole)
      expect(await child.exit(limit)).toMatchObject({ code: 0, signal: null })
      expect(timesLogged(child, "Another")).toBe(0)
    }))
})

describe.concurrent("process.exit of the program", { timeout: 90_000 }, () => {
  it("in the middle of a drain is said, with what it cuts and where it was called", () =>
    withRequest({}, async (child) => {
      await withClient(await child.listening(), async (other) => {
        await other.write(get("/"))
        await other.untilResponses(1, limit)
        child.signal("SIGTERM")
        await untilLogged(child, "SIGTERM: shutting down")
        await other.write(get("/exit"))
        expect(await child.exit(limit)).toMatchObject({ code: 9, signal: null })
        expect(child.stdout()).toMatch(
          /The program called process\.exit\(9\) before its servers had drained: cut 2 requests in flight: GET \/slow from 127\.0\.0\.1:\d+, GET \/exit from .*It was called at .*program\.cjs:\d+/
        )
      })
    }))

  it("where no signal has come is said, if it cuts something", () =>
    withRequest({}, async (child) => {
      await withClient(await child.listening(), async (other) => {
        await other.write(get("/exit"))
        expect(await child.exit(limit)).toMatchObject({ code: 9, signal: null })
        expect(timesLogged(child, "The program called process.exit(9) and its servers were not drained: cut")).toBe(1)
      })
    }))
})
