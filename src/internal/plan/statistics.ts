/**
 * What is known of a mean from the few counts that were seen.
 */

export interface Interval {
  readonly low: number
  readonly high: number
}

/** ln Γ, by Lanczos: to 10 digits and more. */
const logGamma = (x: number): number => {
  const coefficients = [
    76.18009172947146,
    -86.50532032941678,
    24.01409824083091,
    -1.231739572450155,
    0.1208650973866179e-2,
    -0.5395239384953e-5
  ]
  const shifted = x + 5.5
  const series = coefficients.reduce((sum, value, nth) => sum + value / (x + nth + 1), 1.000000000190015)
  return (x + 0.5) * Math.log(shifted) - shifted + Math.log(Math.sqrt(2 * Math.PI) * series / x)
}

/** The regularized incomplete gamma function: the share of a gamma distribution of this shape that is below `x`. */
const gammaBelow = (shape: number, x: number): number => {
  if (x <= 0) return 0
  const scale = Math.exp(shape * Math.log(x) - x - logGamma(shape))
  if (x < shape + 1) {
    let term = 1 / shape
    let sum = term
    for (let n = shape + 1; term > sum * 1e-13; n++) {
      term *= x / n
      sum += term
    }
    return sum * scale
  }
  // Lentz's continued fraction
  let b = x + 1 - shape
  let c = 1e300
  let d = 1 / b
  let fraction = d
  for (let i = 1; i < 10_000; i++) {
    const a = -i * (i - shape)
    b += 2
    d = 1 / (a * d + b)
    c = b + a / c
    const step = c * d
    fraction *= step
    if (Math.abs(step - 1) < 1e-13) break
  }
  return 1 - scale * fraction
}

const gammaQuantile = (shape: number, share: number): number => {
  let [low, high] = [0, shape + 20 * Math.sqrt(shape) + 20]
  for (let step = 0; step < 100; step++) {
    const middle = (low + high) / 2
    if (gammaBelow(shape, middle) < share) low = middle
    else high = middle
  }
  return (low + high) / 2
}

/** The exact interval of the mean of a Poisson distribution of which `count` was drawn (Garwood, 1936). */
export const poissonInterval = (count: number, confidence = 0.95): Interval => {
  const outside = (1 - confidence) / 2
  return {
    low: count === 0 ? 0 : gammaQuantile(count, outside),
    high: gammaQuantile(count + 1, 1 - outside)
  }
}

/**
 * The interval of the mean of counts. They may differ by more than chance makes them, as where each restart is seen after
 * another time: then it is as many times wider as they vary more than a Poisson distribution does (quasi-Poisson).
 */
export const meanInterval = (
  counts: ReadonlyArray<number>,
  confidence = 0.95
): Interval & { readonly mean: number } => {
  const sum = counts.reduce((sum, count) => sum + count, 0)
  const mean = sum / counts.length
  const squares = counts.reduce((sum, count) => sum + (count - mean) ** 2, 0)
  const dispersion = mean === 0 || counts.length < 2 ? 1 : Math.max(1, squares / mean / (counts.length - 1))
  const { high, low } = poissonInterval(sum / dispersion, confidence)
  return { mean, low: low * dispersion / counts.length, high: high * dispersion / counts.length }
}
