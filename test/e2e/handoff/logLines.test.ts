import { describe, expect, it } from "vitest"
import type { Child } from "../../support/child.js"
import { untilLogged } from "../../support/child.js"
import { limit, withHandoffProcesses } from "./handoffProcesses.js"
import { untilWorkersServe, withWorkers } from "./workerProcesses.js"

// Several processes write to one log: each line says whose it is.

interface Logged {
  readonly message: string
  readonly annotations: { readonly pid?: number; readonly role?: string }
}

const isLogged = (value: object): value is Logged => "message" in value && "annotations" in value

const logged = (child: Child): ReadonlyArray<Logged> =>
  child.stdout().split("\n").filter((line) => line.startsWith("{")).map((line): object => JSON.parse(line))
    .filter(isLogged)

const whose = (child: Child, text: string) =>
  logged(child).filter(({ message }) => message.includes(text)).map(({ annotations: { pid, role } }) => ({ pid, role }))

const byPid = (one: { readonly pid: number | undefined }, other: { readonly pid: number | undefined }) =>
  (one.pid ?? 0) - (other.pid ?? 0)

describe.concurrent("whose a line in the log is", { timeout: 120_000 }, () => {
  it(
    "says a program that hands over",
    withHandoffProcesses(() => ({ json: true }), async (app) => {
      const pid = await app.handOver()
      await app.ended(app.child.pid)
      await app.finish()
      const predecessor = { pid: app.child.pid, role: "predecessor" }
      expect(whose(app.child, "handing over to a successor")).toEqual([predecessor])
      expect(whose(app.child, "accepts from now on")).toEqual([predecessor])
      expect(whose(app.child, "Took over from")).toEqual([{ pid, role: "successor" }])
      expect(whose(app.child, "Shut down in").map((line) => line.pid)).toEqual([app.child.pid, pid])
      expect(logged(app.child).filter(({ annotations }) => annotations.pid === undefined)).toEqual([])
    })
  )

  it(
    "say workers and their primary",
    withWorkers({ handlesSignals: true, json: true }, async (child) => {
      await untilWorkersServe(child)
      const workers = child.linesOf("listening").map(({ pid }) => ({ pid: Number(pid), role: "worker" }))
      const primary = { pid: child.pid, role: "primary" }
      child.signal("SIGTERM")
      await untilLogged(child, "Shut down in")
      expect(await child.exit(limit)).toMatchObject({ code: 0 })
      expect(whose(child, "2 workers serve")).toEqual([primary])
      expect(whose(child, "Shut down in").toSorted(byPid)).toEqual(workers.toSorted(byPid))
      expect(whose(child, "SIGTERM: shutting down").toSorted(byPid)).toEqual([primary, ...workers].toSorted(byPid))
      expect(logged(child).filter(({ annotations }) => annotations.pid === undefined)).toEqual([])
    })
  )
})
