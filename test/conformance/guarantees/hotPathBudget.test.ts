import { expect, it } from "vitest"
import { type Counts, exceeded, type Kind, kinds, measure } from "../../bench/budget.js"

// Rule 11, counted: of what a request makes, nothing is made on our account.

it("rule 11: a request has no timer, and no listener but one, on our account, and with an app no more than with platform-node", async () => {
  const counts = {} as Record<Kind, Counts>
  for (const kind of kinds) counts[kind] = await measure(kind, 100)
  expect(exceeded(counts)).toEqual([])
  // what is counted is there to be counted
  expect(counts["@effect/platform-node"].listeners).toBeGreaterThan(counts["node:http"].listeners)
})
