import type { Report } from "quiesce/check"
import { beforeAll, describe, expect, it } from "vitest"
import { checkOf } from "./checked.js"
import { effectScenarios } from "./effectScenarios.js"

// What quiesce does where stock loses something: the other half of the table, see stock.test.ts.

const cannotBeAsked = ["tls-handshake", "h2-goaway", "h2-in-flight", "h2-crossing", "socket-file"]

describe("quiesce", { timeout: 40_000 }, () => {
  let report: Report
  beforeAll(async () => {
    // A drain takes up to 9 s by its own clock, which test/conformance/guarantees holds it to. The rest is for a machine
    // with much else to do, on which the signal comes later.
    report = await checkOf("quiesce", { parallel: 2, killAfterMillis: 15_000 })
  }, 300_000)

  it("keeps all that `quiesce check` asks", () => {
    const others = report.results.filter(({ name, verdict }) => verdict !== "kept" && !cannotBeAsked.includes(name))
    expect(others.map(({ name, saw, verdict }) => `${verdict} ${name}: ${saw}`)).toEqual([])
    expect(report.kept).toBeGreaterThan(20)
  })

  it("sends 1001 to a WebSocket, and says close to who was in flight", () => {
    const saw = (scenario: string) => report.results.find(({ name }) => name === scenario)?.saw
    expect(saw("websocket")).toBe("a close frame with 1001, then closed")
    expect(saw("next-request")).toBe("it was told to close")
  })

  it("exits with 1 where it has cut a request", () => {
    expect(report.results.find(({ name }) => name === "stream")?.end?.code).toBe(1)
  })

  for (const { run, title } of effectScenarios) {
    it(`keeps its promise to ${title}`, async () => {
      const { kept, saw } = await run("quiesce")
      expect({ kept, saw }).toEqual({ kept: true, saw })
    })
  }
})
