import { describe, expect, it } from "vitest"
import { EventQueue } from "../../src/internal/plan/eventQueue.js"
import { seeded } from "../../src/internal/plan/random.js"
import { meanInterval, poissonInterval } from "../../src/internal/plan/statistics.js"

const drawn = (count: number, draw: () => number): ReadonlyArray<number> => Array.from({ length: count }, draw)
const meanOf = (values: ReadonlyArray<number>): number => values.reduce((sum, one) => sum + one, 0) / values.length

describe("the events of a simulation", () => {
  it("happen by their time, and in the order in which they were put in where that is the same", () => {
    const queue = new EventQueue()
    const random = seeded(1)
    const happened: Array<readonly [at: number, nth: number]> = []
    const put = Array.from({ length: 2000 }, (_, nth) => [random.below(100), nth] as const)
    for (const [at, nth] of put) queue.add(at, () => void happened.push([at, nth]))
    queue.add(Number.POSITIVE_INFINITY, () => void happened.push([-1, -1]))
    queue.run()
    expect(happened).toEqual(put.toSorted(([one, first], [other, second]) => one - other || first - second))
  })

  it("may add others while they happen", () => {
    const queue = new EventQueue()
    const happened: Array<number> = []
    const again = (at: number) => {
      happened.push(at)
      if (at < 5) queue.add(at + 1, again)
    }
    queue.add(0, again)
    queue.add(2.5, (at) => void happened.push(at))
    queue.run()
    expect(happened).toEqual([0, 1, 2, 2.5, 3, 4, 5])
  })
})

describe("a seeded generator", () => {
  it("draws the same for the same seed, and nothing alike for the next", () => {
    const of = (seed: number) => drawn(20, seeded(seed).next)
    expect(of(3)).toEqual(of(3))
    expect(of(3).filter((value) => of(4).includes(value))).toEqual([])
  })

  it("draws numbers, gaps and counts with the mean that they should have", () => {
    const random = seeded(5)
    const n = 100_000
    expect(meanOf(drawn(n, random.next))).toBeCloseTo(0.5, 2)
    expect(meanOf(drawn(n, () => random.gap(0.1))) / 10).toBeCloseTo(1, 1)
    expect(meanOf(drawn(n, () => random.count(3)))).toBeCloseTo(3, 1)
    // in pieces
    expect(meanOf(drawn(1000, () => random.count(1200))) / 1200).toBeCloseTo(1, 2)
    expect(random.gap(0)).toBe(Number.POSITIVE_INFINITY)
    expect(random.count(0)).toBe(0)
  })
})

describe("the interval of a mean", () => {
  it("of a Poisson distribution is that of Garwood's table", () => {
    const table: ReadonlyArray<readonly [count: number, low: number, high: number]> = [
      [0, 0, 3.69],
      [1, 0.0253, 5.57],
      [5, 1.62, 11.67],
      [10, 4.8, 18.39],
      [50, 37.11, 65.92],
      [100, 81.36, 121.63]
    ]
    for (const [count, low, high] of table) {
      expect(poissonInterval(count).low).toBeCloseTo(low, 1)
      expect(poissonInterval(count).high).toBeCloseTo(high, 1)
    }
  })

  it("has the mean in it as often as it says, where counts are of a Poisson distribution", () => {
    const random = seeded(11)
    const trials = 2000
    const within = drawn(trials, () => {
      const { high, low } = meanInterval(drawn(12, () => random.count(4)))
      return low <= 4 && 4 <= high ? 1 : 0
    })
    // exact intervals are a little wider than they say, and those that allow for dispersion more so
    expect(meanOf(within)).toBeGreaterThan(0.94)
  })

  it("is wider where counts vary more than by chance", () => {
    const same = meanInterval([10, 10, 10, 10])
    const varied = meanInterval([0, 40, 0, 0])
    expect(same.mean).toBe(varied.mean)
    expect(varied.high - varied.low).toBeGreaterThan(3 * (same.high - same.low))
  })
})
