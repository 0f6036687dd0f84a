import { describe, expect, it } from "vitest"
import type { Scenario } from "./scenario.js"
import { scenarios } from "./scenarios/all.js"
import * as Load from "./scenarios/manyClients.js"

// What quiesce does where stock loses something: the other half of the table, see stock.test.ts.

// Scenarios with many clients are sequential: they take the whole machine, and beside others they would measure that.

describe.concurrent("quiesce", { timeout: 40_000 }, () => {
  const busy: ReadonlyArray<Scenario<unknown>> = Object.values(Load)
  for (const scenario of scenarios) {
    it(`keeps its promise to ${scenario.title}`, { concurrent: !busy.includes(scenario) }, async () => {
      const { kept, saw } = await scenario.run("quiesce")
      expect({ kept, saw }).toEqual({ kept: true, saw })
    })
  }
})
