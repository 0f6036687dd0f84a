import * as Fs from "node:fs"
import * as Path from "node:path"
import { describe, expect, it } from "vitest"
import { afterDuplicateWindow } from "../../support/duplicateWindow.js"
import { isGone } from "../../support/isGone.js"
import { withClient } from "../../support/rawClient.js"
import { waitFor } from "../../support/wait.js"
import { ask, limit, withHandoffProcesses } from "./handoffProcesses.js"

// What starts a hand-over, and what it meets.

const started = /"event":"started"/g

describe("triggers", { timeout: 120_000 }, () => {
  it(
    "two at once share one hand-over",
    withHandoffProcesses(() => ({}), async (app) => {
      app.next("slow")
      const [one, two] = await Promise.all([ask(app.target, "POST", "/upgrade"), ask(app.target, "POST", "/upgrade")])
      expect(one).toEqual({ status: 200, body: String(app.current()) })
      expect(two).toEqual(one)
      expect(await app.ended(app.child.pid)).toMatchObject({ code: 0 })
      await app.finish()
      expect(app.child.stdout().match(started)).toHaveLength(2)
    })
  )

  it(
    "two signals at once are one wish",
    withHandoffProcesses(() => ({}), async (app) => {
      app.next("waits")
      app.child.signal("SIGUSR2")
      app.child.signal("SIGHUP")
      await app.child.line("starting", limit, 2)
      app.next("starts")
      expect(await app.ended(app.child.pid)).toMatchObject({ code: 0 })
      await app.finish()
      expect(app.child.stdout().match(started)).toHaveLength(2)
    })
  )

  it(
    "a signal while a successor starts, which may be out of date by now, is passed on to it",
    withHandoffProcesses(() => ({}), async (app) => {
      app.next("waits")
      app.child.signal("SIGUSR2")
      await app.child.line("starting", limit, 2)
      await afterDuplicateWindow(app.child)
      app.child.signal("SIGUSR2")
      await app.logged(/SIGUSR2: a hand-over is under way, and another one follows it/)
      app.next("starts")
      await app.logged(/SIGUSR2: passed on to process \d+, which hands over in its turn/)
      await app.logged(/accepts from now on/, 2)
      await app.finish()
      expect(app.child.stdout().match(started)).toHaveLength(3)
    })
  )

  it(
    "a signal while a successor starts that fails starts another one",
    withHandoffProcesses(() => ({ timeout: "10 seconds" }), async (app) => {
      app.next("hangs")
      app.child.signal("SIGUSR2")
      await app.child.line("starting", limit, 2)
      await afterDuplicateWindow(app.child)
      app.child.signal("SIGUSR2")
      await app.logged(/another one follows it/)
      app.next("starts")
      await app.logged(/Not handed over/)
      await app.logged(/accepts from now on/)
      await app.finish()
      expect(app.child.stdout().match(started)).toHaveLength(3)
    })
  )

  it(
    "one to a successor that has not started yet is done once it serves",
    withHandoffProcesses(() => ({}), async (app) => {
      app.next("waits")
      app.child.signal("SIGUSR2")
      const { pid } = await app.child.line("starting", limit, 2)
      process.kill(Number(pid), "SIGUSR2")
      await app.logged(/SIGUSR2: handing over once this process serves/)
      app.next("starts")
      await app.logged(/accepts from now on/, 2)
      await app.finish()
      expect(app.child.stdout().match(started)).toHaveLength(3)
    })
  )

  it(
    "one during a shutdown is turned down, and the shutdown goes on",
    withHandoffProcesses(() => ({}), async (app) => {
      const slow = ask(app.target, "GET", "/slow")
      await app.child.line("request", limit)
      app.child.signal("SIGTERM")
      await app.logged(/Shutting down/)
      app.child.signal("SIGUSR2")
      await app.logged(/Not handed over/)
      expect(await slow).toMatchObject({ status: 200 })
      expect(await app.child.exit(limit)).toMatchObject({ code: 0 })
      expect(app.child.stdout().match(started)).toHaveLength(1)
    })
  )

  it(
    "a shutdown of the server alone, without the program's, leaves nothing to hand over",
    withHandoffProcesses(() => ({}), async (app) => {
      await ask(app.target, "POST", "/shutdown")
      await app.logged(/Shut down in/)
      app.child.signal("SIGUSR2")
      await app.logged(/there is nothing to hand over/)
      await app.finish()
    })
  )

  it(
    "a shutdown that begins while a successor starts stops both",
    withHandoffProcesses(() => ({}), async (app) => {
      app.next("hangs")
      app.child.signal("SIGUSR2")
      const { pid } = await app.child.line("starting", limit, 2)
      app.child.signal("SIGTERM")
      expect(await app.ended(app.child.pid)).toMatchObject({ code: 0 })
      await waitFor("the end of the successor", () => isGone(Number(pid)), limit)
    })
  )

  it(
    "the server drains without its lame duck, and connections that are idle are let go",
    withHandoffProcesses(() => ({ lameDuck: "1 minute" }), (app) =>
      withClient(app.target, async (client) => {
        await client.write("POST /work HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n")
        await client.untilResponses(1, limit)
        const pid = await app.handOver()
        expect(await client.untilEnded(limit)).toBe("fin")
        expect(await app.ended(app.child.pid)).toMatchObject({ code: 0 })
        expect((await ask(app.target, "POST", "/work")).body).toBe(String(pid))
        process.kill(pid, "SIGKILL")
      }))
  )

  it(
    "the PID file names the process that serves, and is gone with the last",
    withHandoffProcesses((directory) => ({ pidFile: Path.join(directory, "pid") }), async (app) => {
      const file = Path.join(app.directory, "pid")
      const read = () => Fs.readFileSync(file, "utf8")
      await waitFor("the PID file", () => Fs.existsSync(file), limit)
      expect(read()).toBe(`${app.child.pid}\n`)
      const pid = await app.handOver()
      expect(read()).toBe(`${pid}\n`)
      await app.ended(app.child.pid)
      expect(read()).toBe(`${pid}\n`)
      await app.finish()
      expect(Fs.existsSync(file)).toBe(false)
    })
  )

  it(
    "a successor that listens elsewhere does so, and keeps nobody waiting at the old address",
    withHandoffProcesses(() => ({}), async (app) => {
      app.next("otherPort")
      const pid = await app.handOver()
      await app.ended(app.child.pid)
      await expect(ask(app.target, "POST", "/work")).rejects.toMatchObject({ code: "ECONNREFUSED" })
      const { port } = await app.child.line("listening", limit, 2)
      expect(port).not.toBe(app.target.port)
      process.kill(pid, "SIGTERM")
      expect(await app.ended(pid)).toMatchObject({ code: 0 })
    })
  )
})
