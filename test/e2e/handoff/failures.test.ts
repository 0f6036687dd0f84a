import { describe, expect, it } from "vitest"
import { isGone } from "../../support/isGone.js"
import { waitFor } from "../../support/wait.js"
import { ask, type HandoffProcesses, limit, startLoad, withHandoffProcesses } from "./handoffProcesses.js"

// A successor that does not come to serve changes nothing, and the next one is welcome.

const asks = async ({ target }: HandoffProcesses) => (await ask(target, "POST", "/work")).body

const started = ({ child }: HandoffProcesses, nth: number, event = "started") => child.line(event, limit, nth)

/** The first one serves on, with its clients, and can still hand over. */
const servesOn = async (app: HandoffProcesses) => {
  expect(await asks(app)).toBe(String(app.child.pid))
  app.next("starts")
  const pid = await app.handOver()
  expect(await app.ended(app.child.pid)).toMatchObject({ code: 0 })
  expect(await asks(app)).toBe(String(pid))
  await app.finish()
}

describe("a successor that does not come to serve", { timeout: 120_000 }, () => {
  for (
    const [name, mode, says] of [
      ["that ends at once", "exits", /ended before it accepted, with exit code 3/],
      ["whose layer fails", "fails", /ended before it accepted, with exit code 1/],
      ["that cannot listen with what it was given", "cannotListen", /ended before it accepted, with exit code 1/]
    ] as const
  ) {
    it(
      `one ${name} leaves the old one serving, without a failed request`,
      withHandoffProcesses(() => ({}), async (app) => {
        const clients = startLoad([app.target, app.target])
        app.next(mode)
        app.child.signal("SIGUSR2")
        await app.logged(says)
        await app.logged(/why is in what it has written to the standard output and error/)
        if (mode === "fails") await app.logged(/it cannot start/)
        await app.ended(Number((await started(app, 2))["pid"]))
        const before = clients.answered()
        await waitFor("requests to be answered", () => clients.answered() > before + 20, limit)
        await clients.stop()
        expect(clients.failures).toEqual([])
        expect((await app.ended(Number((await started(app, 2))["pid"]))).executed).toBe(0)
        await servesOn(app)
      })
    )
  }

  it(
    "one that hangs is stopped when its time is over",
    withHandoffProcesses(() => ({ timeout: "10 seconds" }), async (app) => {
      app.next("hangs")
      app.child.signal("SIGUSR2")
      await app.logged(/did not become ready within 10000 ms/)
      const { pid } = await started(app, 2)
      expect(await app.ended(Number(pid))).toMatchObject({ code: 0, executed: 0 })
      expect(await asks(app)).toBe(String(app.child.pid))
      await app.finish()
    })
  )

  it(
    "one that hangs and cannot be interrupted is killed",
    withHandoffProcesses(() => ({ timeout: "10 seconds" }), async (app) => {
      app.next("stubborn")
      app.child.signal("SIGUSR2")
      const { pid } = await started(app, 2)
      await app.logged(/did not become ready within 10000 ms/)
      await app.logged(new RegExp(`Process ${String(pid)} did not end within 1000 ms of SIGTERM, and is killed`))
      await waitFor("its end", () => isGone(Number(pid)), limit)
      expect(app.child.linesOf("exit")).toEqual([])
      expect(await asks(app)).toBe(String(app.child.pid))
      await app.finish()
    })
  )

  it(
    "one that is killed while it starts",
    withHandoffProcesses(() => ({}), async (app) => {
      app.next("hangs")
      app.child.signal("SIGUSR2")
      process.kill(Number((await started(app, 2))["pid"]), "SIGKILL")
      await app.logged(/ended before it accepted, with signal SIGKILL/)
      await servesOn(app)
    })
  )

  it(
    "a command that cannot be run",
    withHandoffProcesses(() => ({ command: ["/nowhere/node"] }), async (app) => {
      expect(await ask(app.target, "POST", "/upgrade")).toEqual({ status: 503, body: "NotStarted" })
      expect(await asks(app)).toBe(String(app.child.pid))
      await app.finish()
    })
  )

  it(
    "one that dies after it has taken over: what the old one was doing is answered all the same",
    withHandoffProcesses(() => ({}), async (app) => {
      const slow = ask(app.target, "GET", "/slow")
      await app.child.line("request", limit)
      const pid = await app.handOver()
      process.kill(pid, "SIGKILL")
      expect(await slow).toEqual({ status: 200, body: String(app.child.pid) })
      expect(await app.ended(app.child.pid)).toMatchObject({ code: 0 })
    })
  )

  it(
    "a predecessor that dies while its successor starts is succeeded",
    withHandoffProcesses(() => ({}), async (app) => {
      app.next("slow")
      app.child.signal("SIGUSR2")
      const { pid } = await started(app, 2)
      process.kill(app.child.pid, "SIGKILL")
      // the socket is held, and so this waits for it
      expect(await asks(app)).toBe(String(pid))
      process.kill(Number(pid), "SIGTERM")
      expect(await app.ended(Number(pid))).toMatchObject({ code: 0 })
    })
  )
})
