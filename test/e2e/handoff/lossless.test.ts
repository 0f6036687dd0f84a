import * as Fs from "node:fs"
import * as Path from "node:path"
import { describe, expect, it } from "vitest"
import type { Target } from "../../support/rawClient.js"
import { waitFor } from "../../support/wait.js"
import { type HandoffProcesses, limit, startLoad, withHandoffProcesses } from "./handoffProcesses.js"

// Clients that open a connection for each request see nothing of a hand-over.

const handOvers = 6

const through = (use: (running: HandoffProcesses) => ReadonlyArray<Target>) =>
  withHandoffProcesses((directory) => ({ unix: Path.join(directory, "app.sock") }), async (app) => {
    const clients = startLoad(use(app))
    const pids = [app.child.pid]
    for (let n = 0; n < handOvers; n++) {
      const before = clients.answered()
      await waitFor("requests to be answered", () => clients.answered() > before + 50, limit)
      pids.push(await app.handOver(n % 2 === 0 ? "SIGUSR2" : "SIGHUP"))
      expect(await app.ended(pids[n]!)).toMatchObject({ code: 0 })
    }
    const before = clients.answered()
    await waitFor("requests to be answered", () => clients.answered() > before + 50, limit)
    await clients.stop()
    const file = Path.join(app.directory, "app.sock")
    expect(Fs.existsSync(file)).toBe(true)
    await app.finish()
    expect(Fs.existsSync(file)).toBe(false)
    expect(clients.failures).toEqual([])
    const executed = await Promise.all(pids.map(async (pid) => (await app.ended(pid)).executed))
    expect(executed.reduce((sum, n) => sum + n, 0)).toBe(clients.answered())
    expect(executed.every((n) => n > 0)).toBe(true)
    console.info(`${handOvers} hand-overs, ${clients.answered()} requests, ${clients.failures.length} failures`)
  })

describe("hand-overs under load", { timeout: 240_000 }, () => {
  it(
    "TCP: no connection is refused or reset, and what was executed was answered",
    through(({ target }) => Array.from({ length: 6 }, () => target))
  )

  it(
    "a Unix socket: the same, and its file stays until the last process has ended",
    through(({ directory }) => Array.from({ length: 6 }, () => ({ path: Path.join(directory, "app.sock") })))
  )
})
