import { describe, expect, it } from "vitest"
import { type Child, withChild } from "../../support/child.js"
import { afterDuplicateWindow } from "../../support/duplicateWindow.js"
import { withClient } from "../../support/rawClient.js"
import { pace } from "../../support/wait.js"

const limit = 15_000

const withServer = (options: object, use: (child: Child) => Promise<void>) => () =>
  withChild(new URL("fixtures/server.ts", import.meta.url), [JSON.stringify(options)], async (child) => {
    await child.listening()
    await use(child)
  })

const warning = /WARN.* keeps the process alive \(([^)]*)\): ending it with exit code (\d+)/

describe.concurrent("the end of the process", { timeout: 60_000 }, () => {
  it(
    "is brought about, and the log names what was in its way, where a signal has asked for it",
    withServer({ signals: true, held: true }, async (child) => {
      child.signal("SIGTERM")
      expect(await child.exit(limit)).toMatchObject({ code: 0 })
      expect(child.linesOf("closed")).toHaveLength(1)
      const [, holding, code] = warning.exec(child.stdout()) ?? []
      expect(holding).toMatch(/^a server on port \d+, 2 timers$/)
      expect(code).toBe("0")
    })
  )

  it(
    "comes as soon as nothing keeps the process alive, without what Node would take to release all that it has",
    withServer({ signals: true }, async (child) => {
      child.signal("SIGTERM")
      expect(await child.exit(limit)).toMatchObject({ code: 0 })
      expect(child.linesOf("ends")).toMatchObject([{ called: true }])
    })
  )

  it(
    "waits for what a listener of the program begins once nothing keeps the process alive",
    withServer({ signals: true, afterLoop: 300 }, async (child) => {
      child.signal("SIGTERM")
      expect(await child.exit(limit)).toMatchObject({ code: 0 })
      expect(child.linesOf("worked after the loop")).toHaveLength(1)
      expect(warning.exec(child.stdout())).toBe(null)
    })
  )

  it(
    "comes with the exit code of the second signal, which has closed the server",
    withServer(
      { signals: true, held: true, timeout: "1 minute" },
      (child) =>
        child.listening().then((target) =>
          withClient(target, async (client) => {
            await client.write("GET /slow HTTP/1.1\r\nHost: test\r\n\r\n")
            await child.line("request", limit)
            child.signal("SIGTERM")
            await child.line("draining", limit)
            await afterDuplicateWindow(child)
            child.signal("SIGTERM")
            expect(await child.exit(limit)).toMatchObject({ code: 143 })
            expect(child.linesOf("finally")).toMatchObject([{ outcome: "Closed" }])
            expect(warning.exec(child.stdout())?.[2]).toBe("143")
          })
        )
    )
  )

  it(
    "waits for every shutdown of the process, also for one that no signal began",
    withServer({ signals: true, held: true, more: 3000 }, async (child) => {
      child.signal("SIGTERM")
      await child.line("closed", limit)
      expect(await child.exit(limit)).toMatchObject({ code: 0 })
      expect(child.linesOf("the other one's finally")).toHaveLength(1)
      expect(child.stdout().match(new RegExp(warning, "g"))).toHaveLength(1)
    })
  )

  it(
    "is nobody's business where the program has shut down by itself",
    withServer({ signals: true, held: true }, async (child) => {
      child.write("shut down\n")
      await child.line("closed", limit)
      await pace(2500)
      expect(child.exited).toBe(undefined)
      expect(child.stdout()).not.toMatch(warning)
    })
  )

  it(
    "is none of work that `finally` begins, and that comes too late to be waited for",
    withServer({ signals: true, finallyTracks: true }, async (child) => {
      child.signal("SIGTERM")
      expect(await child.exit(limit)).toMatchObject({ code: 0 })
      expect(child.linesOf("refused")).toMatchObject([{ isClosed: true }])
      expect(child.linesOf("finally is done")).toHaveLength(1)
      expect(child.stdout()).toMatch(/ERROR.*Background work "mails" failed/)
    })
  )

  it(
    "is no success where `finally` has not finished",
    withServer({ signals: true, finallyForgets: true }, async (child) => {
      child.signal("SIGTERM")
      expect(await child.exit(limit)).toMatchObject({ code: 1 })
      expect(child.stdout()).toMatch(/ERROR.*`finally` has not finished/)
    })
  )

  it(
    "needs no help where nothing is in its way",
    withServer({ signals: true }, async (child) => {
      child.signal("SIGTERM")
      expect(await child.exit(limit)).toMatchObject({ code: 0 })
      expect(child.stdout()).not.toMatch(warning)
    })
  )
})
