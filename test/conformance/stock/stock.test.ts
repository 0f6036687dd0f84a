import type { Report } from "quiesce/check"
import { beforeAll, describe, expect, it } from "vitest"
import { checkOf } from "./checked.js"
import { clientLeft, requestBeforeServe } from "./effectScenarios.js"
import { sees } from "./expected.js"
import { expected, requestOfWhoLeft } from "./stockServer.js"

// docs/guarantees.md says in a table what stock @effect/platform-node does when SIGTERM comes, and what quiesce does. The
// table is printed by table.ts; these tests fail on the day when the one half is no longer true, and those of kept.test.ts
// when the other is not.

/** Long enough to see that a process does not end by itself: the longest that does end takes 6.3 s. */
const patienceMs = 7500

describe("stock @effect/platform-node", { timeout: 40_000 }, () => {
  let report: Report
  beforeAll(async () => {
    report = await checkOf("stock", { killAfterMillis: patienceMs })
  }, 300_000)

  sees(expected, () => report)

  it("never answers a request that arrives before `serve` is attached, and never exits", async () => {
    const { result } = await requestBeforeServe.run("stock", patienceMs)
    expect(result).toEqual({ status: undefined, end: { code: undefined, ms: patienceMs } })
  })

  it(`${requestOfWhoLeft.title} of a client that left before an uninterruptible handler answered`, async () => {
    const { result } = await clientLeft.run("stock")
    expect(result.requestScopesOpen).toBe(requestOfWhoLeft.scopesOpen)
  })
})
