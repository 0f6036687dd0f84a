import { describe, expect, it } from "vitest"
import { untilLogged } from "../../support/child.js"
import { afterDuplicateWindow } from "../../support/duplicateWindow.js"
import { isGone } from "../../support/isGone.js"
import { codeOfFurtherSignal, codeOfInterrupted } from "../../support/runMain.js"
import { waitFor } from "../../support/wait.js"
import { ask, limit } from "./handoffProcesses.js"
import { portOf, untilWorkersServe, withWorkers, workerPids } from "./workerProcesses.js"

// What the signals that a primary gets do, from its first worker's start to its last worker's end.

/** Longer than the tests wait. */
const long = "5 minutes"

describe("signals to the primary of workers", { timeout: 120_000 }, () => {
  for (const signal of ["SIGUSR2", "SIGHUP"] as const) {
    it(
      `${signal} before the first workers serve is turned down, and afterwards replaces them`,
      withWorkers({}, async (child, next) => {
        await child.line("forked", limit)
        child.signal(signal)
        await untilLogged(child, `${signal}: not replaced, the workers have not started yet`)
        next("")
        await untilWorkersServe(child)
        child.signal(signal)
        await untilLogged(child, "Every worker has been replaced")
        child.signal("SIGTERM")
        expect(await child.exit(limit)).toMatchObject({ code: codeOfInterrupted })
      }, "slow")
    )

    it(
      `${signal} while they drain is turned down`,
      withWorkers({}, async (child) => {
        await untilWorkersServe(child)
        const answer = ask({ port: await portOf(child) }, "GET", "/slow")
        await child.line("request", limit)
        child.signal("SIGTERM")
        await untilLogged(child, "Shutting down")
        child.signal(signal)
        await untilLogged(child, `${signal}: not replaced, the workers shut down`)
        expect(await answer).toMatchObject({ status: 200 })
        expect(await child.exit(limit)).toMatchObject({ code: codeOfInterrupted })
      })
    )
  }

  for (const handlesSignals of [false, true]) {
    const handled = handlesSignals ? "handled" : "not handled"

    it(
      `a second one closes what the workers have open (signals are ${handled})`,
      withWorkers({ handlesSignals, policy: { timeout: long } }, async (child) => {
        await untilWorkersServe(child)
        const cut = expect(ask({ port: await portOf(child) }, "GET", "/never")).resolves.toMatchObject({ status: 503 })
        const { pid } = await child.line("request", limit)
        child.signal("SIGTERM")
        await untilLogged(child, "Draining: waiting for 1 connection")
        await waitFor("the end of the idle worker", () => workerPids(child).length === 1, limit)
        await afterDuplicateWindow(child)
        child.signal("SIGTERM")
        await untilLogged(child, `Another SIGTERM: 1 worker still drains: ${String(pid)}; passed on`)
        await cut
        // one that has been cut has said so by its own exit code
        expect(await child.exit(limit)).toMatchObject({ code: handlesSignals ? 1 : codeOfFurtherSignal })
        expect(child.linesOf("exit")).toHaveLength(3)
      })
    )

    it(
      `a second one ends the workers' lame duck, and cuts nothing (signals are ${handled})`,
      withWorkers({ handlesSignals, policy: { lameDuck: long } }, async (child) => {
        await untilWorkersServe(child)
        child.signal("SIGTERM")
        await untilLogged(child, "Shutting down: serving on")
        await afterDuplicateWindow(child)
        const answer = ask({ port: await portOf(child) }, "GET", "/slow")
        await child.line("request", limit)
        child.signal("SIGTERM")
        await untilLogged(child, "Another SIGTERM: 2 workers still drain: ")
        expect(await answer).toMatchObject({ status: 200 })
        expect(await child.exit(limit)).toMatchObject({ code: handlesSignals ? 0 : codeOfFurtherSignal })
      })
    )

    it(
      `a third one ends the primary, and with it the workers (signals are ${handled})`,
      withWorkers({ handlesSignals, policy: { timeout: long } }, async (child) => {
        await untilWorkersServe(child)
        const lost = ask({ port: await portOf(child) }, "GET", "/block").catch(() => "cut")
        const { pid } = await child.line("request", limit)
        child.signal("SIGTERM")
        await waitFor("the end of the idle worker", () => workerPids(child).length === 1, limit)
        await afterDuplicateWindow(child)
        child.signal("SIGTERM")
        await untilLogged(child, "Another SIGTERM: 1 worker still drains")
        await afterDuplicateWindow(child)
        child.signal("SIGTERM")
        // it hears of nothing, and holds the pipes that the end of the primary is seen by
        await waitFor("the end of the primary", () => isGone(child.pid), limit)
        process.kill(Number(pid), "SIGKILL")
        expect(await child.exit(limit)).toMatchObject({ signal: "SIGTERM" })
        expect(await lost).toBe("cut")
      })
    )
  }

  const blockable = { policy: { timeout: "1 second" }, primary: { killAfter: "1 second" } }

  it(
    "one while they are replaced replaces all of them once more",
    withWorkers({}, async (child, next) => {
      await untilWorkersServe(child)
      next("slow")
      child.signal("SIGUSR2")
      await untilLogged(child, "SIGUSR2: replacing the workers one by one")
      await afterDuplicateWindow(child)
      const replacements = new Set(workerPids(child))
      child.signal("SIGUSR2")
      await untilLogged(child, "SIGUSR2: the workers are replaced once more after this")
      await untilLogged(child, "Every worker has been replaced")
      for (const pid of workerPids(child)) replacements.add(pid)
      next("")
      await waitFor(
        "the second round",
        () => child.stdout().split("Every worker has been replaced").length === 3,
        limit
      )
      expect(workerPids(child).filter((pid) => replacements.has(pid))).toEqual([])
      child.signal("SIGTERM")
      expect(await child.exit(limit)).toMatchObject({ code: codeOfInterrupted })
    })
  )

  it(
    "a worker whose event loop is blocked holds no shutdown",
    withWorkers(blockable, async (child) => {
      await untilWorkersServe(child)
      const lost = ask({ port: await portOf(child) }, "GET", "/block").catch(() => "cut")
      const { pid } = await child.line("request", limit)
      child.signal("SIGTERM")
      // 1 second each: timeout, killTimeout, killAfter
      await untilLogged(child, `Worker ${String(pid)} has not ended within 3000 ms, and is killed`)
      await untilLogged(child, `Ended: worker ${String(pid)} with signal SIGKILL`)
      expect(await child.exit(limit)).toMatchObject({ code: 1 })
      expect(await lost).toBe("cut")
    })
  )

  it(
    "nor does it hold those that replace the others",
    withWorkers(blockable, async (child) => {
      await untilWorkersServe(child)
      const before = workerPids(child)
      const lost = ask({ port: await portOf(child) }, "GET", "/block").catch(() => "cut")
      const { pid } = await child.line("request", limit)
      child.signal("SIGUSR2")
      await untilLogged(child, "Every worker has been replaced")
      expect(child.stdout()).toContain(`Worker ${String(pid)} has not ended within 3000 ms, and is killed`)
      expect(workerPids(child)).toHaveLength(2)
      expect(workerPids(child).filter((worker) => before.includes(worker))).toEqual([])
      child.signal("SIGTERM")
      expect(await child.exit(limit)).toMatchObject({ code: codeOfInterrupted })
      expect(await lost).toBe("cut")
    })
  )
})
