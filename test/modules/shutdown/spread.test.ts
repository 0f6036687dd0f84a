/** When each of many is told to leave: no server, no clock. */
import { describe, expect, it } from "@effect/vitest"
import fc from "fast-check"
import { pauseBeforeRest, spreadOfRest, turnAt, turnsUntil } from "../../../src/internal/drain/spread.js"

const spreads = fc.record({ count: fc.integer({ min: 1, max: 20_000 }), millis: fc.integer({ min: 1, max: 600_000 }) })

describe("a spread", () => {
  it("has the first at once, the others evenly after it, and none at its end", () => {
    const spread = { count: 4, millis: 1000 }
    expect([0, 1, 2, 3].map((nth) => turnAt(nth, spread))).toEqual([0, 250, 500, 750])
    expect([-1, 0, 249, 250, 749, 750, 5000].map((elapsed) => turnsUntil(elapsed, spread))).toEqual([
      0,
      1,
      1,
      2,
      3,
      4,
      4
    ])
  })

  it("of no time has all at once, and one of nobody has none", () => {
    expect(turnsUntil(0, { count: 7, millis: 0 })).toBe(7)
    expect(turnAt(6, { count: 7, millis: 0 })).toBe(0)
    expect(turnsUntil(0, { count: 0, millis: 0 })).toBe(0)
    expect(turnsUntil(10, { count: 0, millis: 1000 })).toBe(0)
  })

  it("has in any stretch of time as many as its share, and one more at the most", () => {
    fc.assert(fc.property(spreads, fc.nat(600_000), fc.nat(60_000), (spread, from, length) => {
      const turns = turnsUntil(from + length, spread) - turnsUntil(from, spread)
      expect(turns).toBeLessThanOrEqual(length * spread.count / spread.millis + 1)
    }))
  })

  it("has told each of them when its turn has come, and none before", () => {
    fc.assert(fc.property(spreads, fc.nat(20_000), (spread, any) => {
      const nth = any % spread.count
      const at = turnAt(nth, spread)
      // a timer fires on the whole millisecond, or after it
      expect(turnsUntil(Math.ceil(at) + 1, spread)).toBeGreaterThan(nth)
      expect(turnsUntil(Math.ceil(at) - 1, spread)).toBeLessThanOrEqual(nth + (at === Math.ceil(at) - 1 ? 1 : 0))
    }))
  })
})

describe("the rest of a spread", () => {
  it("goes on at the same pace, and no longer than there is room", () => {
    const meant = { count: 1000, millis: 10_000 }
    expect(spreadOfRest(250, meant, 60_000)).toEqual({ count: 250, millis: 2500 })
    expect(spreadOfRest(2000, meant, 60_000)).toEqual({ count: 2000, millis: 20_000 })
    expect(spreadOfRest(250, meant, 1000)).toEqual({ count: 250, millis: 1000 })
    expect(spreadOfRest(250, meant, -1)).toEqual({ count: 250, millis: 0 })
    expect(spreadOfRest(250, meant, Number.POSITIVE_INFINITY)).toEqual({ count: 250, millis: 2500 })
    expect(spreadOfRest(3, { count: 0, millis: 10_000 }, 60_000)).toEqual({ count: 3, millis: 10_000 })
  })

  it("begins with the turn that would have come next, and sooner where all of them share little room", () => {
    expect(pauseBeforeRest(2000, 1, 30_000)).toBe(2000)
    expect(pauseBeforeRest(2000, 6, 3000)).toBe(500)
    expect(pauseBeforeRest(1.2, 3, Number.POSITIVE_INFINITY)).toBe(2)
    expect(pauseBeforeRest(-50, 3, 30_000)).toBe(0)
    expect(pauseBeforeRest(2000, 3, -1)).toBe(0)
    expect(pauseBeforeRest(2000, 0, 30_000)).toBe(0)
  })
})
