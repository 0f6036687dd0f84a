/**
 * What `quiesce check` is known to see, as tests.
 */
import type { Report, Verdict } from "quiesce/check"
import { expect, it } from "vitest"

export type Expected = readonly [title: string, scenario: string, verdict: Verdict, saw: RegExp]

export const sees = (expected: ReadonlyArray<Expected>, report: () => Report): void => {
  for (const [title, scenario, verdict, saw] of expected) {
    it(title, () => {
      const result = report().results.find(({ name }) => name === scenario)
      expect({ verdict: result?.verdict, saw: result?.saw }).toEqual({ verdict, saw: expect.stringMatching(saw) })
    })
  }
}
