/**
 * A seeded generator: the same seed draws the same numbers on every machine.
 */

export interface Random {
  /** At least 0, and less than 1. */
  readonly next: () => number
  /** A whole number, at least 0 and less than `end`. */
  readonly below: (end: number) => number
  readonly between: (least: number, most: number) => number
  /** The time until the next of events that are independent of each other and come at this rate. */
  readonly gap: (perMilli: number) => number
  /** How many of such events there are, where so many are expected. */
  readonly count: (expected: number) => number
}

/** sfc32 of PractRand, which passes its tests; seeded by splitmix32, so that seeds that are close draw nothing alike. */
export const seeded = (seed: number): Random => {
  let state = seed >>> 0
  const splitmix = () => {
    state = (state + 0x9e3779b9) | 0
    let mixed = state ^ (state >>> 16)
    mixed = Math.imul(mixed, 0x21f0aaad)
    mixed ^= mixed >>> 15
    mixed = Math.imul(mixed, 0x735a2d97)
    return mixed ^ (mixed >>> 15)
  }
  let [a, b, c, counter] = [splitmix(), splitmix(), splitmix(), 1]
  const next = () => {
    const sum = (((a + b) | 0) + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (((c << 21) | (c >>> 11)) + sum) | 0
    return (sum >>> 0) / 2 ** 32
  }
  for (let round = 0; round < 12; round++) next()

  const gap = (perMilli: number) => perMilli > 0 ? -Math.log(1 - next()) / perMilli : Number.POSITIVE_INFINITY
  /** Knuth's method in pieces, since the exponential of a large number is 0. */
  const count = (expected: number): number => {
    let drawn = 0
    for (let left = expected; left > 0; left -= 500) {
      const limit = Math.exp(-Math.min(left, 500))
      for (let product = next(); product > limit; product *= next()) drawn++
    }
    return drawn
  }
  return {
    next,
    below: (end) => Math.floor(next() * end),
    between: (least, most) => least + (most - least) * next(),
    gap,
    count
  }
}
