import { describe, expect, it } from "vitest"
import { type Child, withChild } from "../../support/child.js"
import { afterDuplicateWindow } from "../../support/duplicateWindow.js"
import { saysClose } from "../../support/httpResponses.js"
import { type RawClient, responseOf, withClient } from "../../support/rawClient.js"
import { pace, waitFor } from "../../support/wait.js"

const limit = 10_000

/** A child, and a client whose request is in flight. */
const withRequest = (options: object, use: (child: Child, client: RawClient) => Promise<void>) => () =>
  withChild(new URL("fixtures/server.ts", import.meta.url), [JSON.stringify(options)], async (child) => {
    await withClient(await child.listening(), async (client) => {
      await client.write("GET /slow HTTP/1.1\r\nHost: test\r\n\r\n")
      await child.line("request", limit)
      await use(child, client)
    })
  })

/** What `finally` and the promise said, and whether a signal listener was left. */
const ending = (child: Child) => ({
  finally: child.linesOf("finally").map(({ outcome }) => outcome),
  closed: child.linesOf("closed").length,
  listeners: child.linesOf("exit").map(({ listeners }) => listeners)
})

describe.concurrent("signals", { timeout: 60_000 }, () => {
  it(
    "answers what is in flight when SIGTERM comes, runs `finally`, and exits with 0 by itself",
    withRequest({ signals: true }, async (child, client) => {
      child.signal("SIGTERM")
      await child.line("draining", limit)
      child.write("release\n")
      const response = await responseOf(client)
      expect(response).toMatchObject({ status: 200, complete: true })
      expect(response.body.toString()).toBe("whole")
      expect(saysClose(response)).toBe(true)
      expect(await child.exit(limit)).toMatchObject({ code: 0 })
      expect(ending(child)).toEqual({ finally: ["Drained"], closed: 1, listeners: [0] })
      expect(child.linesOf("finally")[0]?.["signal"]).toBe("SIGTERM")
    })
  )

  it(
    "closes at once on the second signal, and exits with the code of that",
    withRequest({ signals: true, timeout: "1 minute" }, async (child, client) => {
      child.signal("SIGTERM")
      await child.line("draining", limit)
      await afterDuplicateWindow(child)
      child.signal("SIGTERM")
      expect(await responseOf(client)).toMatchObject({ status: 503 })
      expect(await child.exit(limit)).toMatchObject({ code: 143 })
      expect(ending(child)).toEqual({ finally: ["Closed"], closed: 1, listeners: [0] })
    })
  )

  it(
    "exits with 1 when a request was cut at the deadline, and the log names it",
    withRequest({ signals: ["SIGHUP"], timeout: 200, killTimeout: 50 }, async (child, client) => {
      child.signal("SIGHUP")
      expect(await responseOf(client)).toMatchObject({ status: 503 })
      expect(await child.exit(limit)).toMatchObject({ code: 1 })
      expect(ending(child)).toEqual({ finally: ["DeadlineExceeded"], closed: 1, listeners: [0] })
      expect(child.stdout()).toMatch(/\] ERROR .*cut GET \/slow/)
    })
  )

  it(
    "ends a lame duck with the second signal, and closes at once on the third",
    withRequest({ signals: true, timeout: "1 minute", lameDuck: "1 minute" }, async (child, client) => {
      child.signal("SIGTERM")
      await waitFor("the log to say so", () => child.stdout().includes("SIGTERM: shutting down"), limit)
      await afterDuplicateWindow(child)
      expect(child.linesOf("draining")).toEqual([])
      child.signal("SIGTERM")
      await child.line("draining", limit)
      await afterDuplicateWindow(child)
      child.signal("SIGTERM")
      expect(await responseOf(client)).toMatchObject({ status: 503 })
      expect(await child.exit(limit)).toMatchObject({ code: 143 })
      expect(ending(child)).toEqual({ finally: ["Closed"], closed: 1, listeners: [0] })
    })
  )

  it(
    "ends the process on one more, where `finally` hangs",
    withRequest({ signals: true, timeout: "1 minute", finallyHangs: true }, async (child) => {
      child.signal("SIGINT")
      await child.line("draining", limit)
      await afterDuplicateWindow(child)
      child.signal("SIGINT")
      // as npm does for one Ctrl-C
      await pace(90)
      child.signal("SIGINT")
      await child.line("finally", limit)
      await afterDuplicateWindow(child)
      expect(child.exited).toBe(undefined)
      child.signal("SIGINT")
      expect(await child.exit(limit)).toMatchObject({ code: null, signal: "SIGINT" })
    })
  )

  it(
    "takes the SIGINT that npm adds to a Ctrl-C for the first one",
    withRequest({ signals: true }, async (child, client) => {
      child.signal("SIGINT")
      await pace(50)
      child.signal("SIGINT")
      await child.line("draining", limit)
      await pace(200)
      child.write("release\n")
      expect(await responseOf(client)).toMatchObject({ status: 200, complete: true })
      expect(await child.exit(limit)).toMatchObject({ code: 0 })
      expect(ending(child)).toEqual({ finally: ["Drained"], closed: 1, listeners: [0] })
    })
  )

  it(
    "exits with 1 when `finally` fails, and says with what",
    withRequest({ signals: true, finallyFails: true }, async (child, client) => {
      child.signal("SIGTERM")
      await child.line("draining", limit)
      child.write("release\n")
      expect(await responseOf(client)).toMatchObject({ status: 200, complete: true })
      expect(await child.exit(limit)).toMatchObject({ code: 1 })
      expect(ending(child)).toEqual({ finally: ["Drained"], closed: 0, listeners: [0] })
      expect(child.stdout()).toContain("the database does not close")
      expect(child.stderr()).toBe("")
    })
  )

  it(
    "installs none unless asked: SIGTERM ends the process as ever",
    withRequest({}, async (child, client) => {
      child.signal("SIGTERM")
      expect(await child.exit(limit)).toMatchObject({ code: null, signal: "SIGTERM" })
      expect(await waitFor("the connection to end", client.untilEnded(limit), limit)).not.toBe("open")
      expect(child.linesOf("draining")).toEqual([])
    })
  )
})
