import { expect, it } from "vitest"
import { withExample } from "../../support/example.js"
import { waitFor } from "../../support/wait.js"
import { ask, limit } from "./handoffProcesses.js"

// Pins internal/node: descriptorOf

it("the example: what the old process has begun is answered by it, and the rest by its successor", {
  timeout: 60_000
}, () =>
  withExample("handoff", async ({ child, logged, target }) => {
    const pids: Array<number> = []
    try {
      expect((await ask(target, "GET", "/")).body).toBe(`hello from process ${child.pid}\n`)
      const slow = ask(target, "GET", "/slow")
      const { body } = await ask(target, "POST", "/upgrade")
      const pid = Number(/process (\d+) accepts now/.exec(body)?.[1])
      pids.push(pid)
      expect((await ask(target, "GET", "/")).body).toBe(`hello from process ${pid}\n`)
      expect((await slow).body).toBe(`slowly, from process ${child.pid}\n`)
      await logged(/Shut down in .*\(Drained\)/)
      process.kill(pid, "SIGUSR2")
      const next = await waitFor(
        () => `another successor: ${child.stdout()}`,
        () => [...child.stdout().matchAll(/Process (\d+) accepts from now on/g)][1]?.[1],
        limit
      )
      pids.push(Number(next))
      expect((await ask(target, "GET", "/")).body).toBe(`hello from process ${next}\n`)
      process.kill(Number(next), "SIGTERM")
      pids.length = 0
      expect(await child.exit(limit)).toMatchObject({ code: 0 })
    } finally {
      for (const pid of pids) process.kill(pid, "SIGKILL")
    }
  }))
