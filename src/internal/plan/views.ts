/**
 * What the parts of a balancer believe of one instance that is restarted.
 */
import type { Learns } from "./model.js"
import type { Random } from "./random.js"

export interface Views {
  /** Whether this part sends to the instance. */
  readonly sends: (view: number, at: number) => boolean
  /** From when on no part sends to it, as far as is known. */
  readonly leftAt: () => number
  /** From this moment on it is not ready: its stop has begun, or nobody answers. */
  readonly notReady: (at: number) => void
  /** A request of this part has failed there. */
  readonly failed: (view: number, at: number) => void
  /** It listens again, and is ready; answers from when on all parts send to it. */
  readonly ready: (at: number) => number
}

const never = Number.POSITIVE_INFINITY

/** The share of `from` to `to` in which a part sends, over all parts. */
export const sendingMillis = (views: Views, count: number, from: number, to: number): number => {
  let millis = 0
  for (let view = 0; view < count; view++) {
    // what is left, is left for good until it is ready again: one change at the most
    if (!views.sends(view, from)) continue
    if (views.sends(view, to)) millis += to - from
    else {
      let [low, high] = [from, to]
      while (high - low > 1) {
        const middle = (low + high) / 2
        if (views.sends(view, middle)) low = middle
        else high = middle
      }
      millis += low - from
    }
  }
  return millis / count
}

/** `begunAt` is when those who tell it begin to. */
export const makeViews = (learns: Learns, count: number, begunAt: number, random: Random): Views => {
  switch (learns._tag) {
    case "Told": {
      const left = Array.from({ length: count }, () => begunAt + random.between(learns.least, learns.most))
      const last = Math.max(...left)
      return {
        sends: (view, at) => at < (left[view] ?? 0),
        leftAt: () => last,
        notReady: () => {},
        failed: () => {},
        ready: (at) => at
      }
    }
    case "Checks":
      return checked(learns, count, random)
    case "Refused":
      return refused(learns.failTimeout, count)
    case "Never":
      return { sends: () => true, leftAt: () => never, notReady: () => {}, failed: () => {}, ready: (at) => at }
  }
}

const checked = (
  { fall, interval, rise }: Extract<Learns, { readonly _tag: "Checks" }>,
  count: number,
  random: Random
): Views => {
  const phase = Array.from({ length: count }, () => random.between(0, interval))
  const left = Array.from({ length: count }, () => never)
  const back = Array.from({ length: count }, () => never)
  const nextCheck = (view: number, at: number) => {
    const first = phase[view] ?? 0
    return first + Math.ceil((at - first) / interval) * interval
  }
  let isReady = true
  return {
    sends: (view, at) => at < (left[view] ?? never) || at >= (back[view] ?? never),
    leftAt: () => Math.max(...left),
    notReady: (at) => {
      if (!isReady) return
      isReady = false
      for (let view = 0; view < count; view++) left[view] = nextCheck(view, at) + (fall - 1) * interval
    },
    failed: () => {},
    ready: (at) => {
      for (let view = 0; view < count; view++) {
        // it was away for less than the checks take to see
        if ((left[view] ?? never) > at) left[view] = never
        else back[view] = nextCheck(view, at) + (rise - 1) * interval
      }
      return Math.max(at, ...back.filter((time) => time < never))
    }
  }
}

/** As nginx: it counts in whole seconds, and lets one request try when the time is over. */
const refused = (failTimeout: number, count: number): Views => {
  const checkedAt = Array.from({ length: count }, () => -never)
  const second = (at: number) => Math.floor(at / 1000)
  const isOver = (view: number, at: number) =>
    second(at) - second(checkedAt[view] ?? -never) > Math.floor(failTimeout / 1000)
  return {
    sends: isOver,
    leftAt: () => never,
    notReady: () => {},
    failed: (view, at) => {
      checkedAt[view] = at
    },
    ready: (at) =>
      Math.max(at, ...checkedAt.map((checked) => (second(checked) + Math.floor(failTimeout / 1000) + 1) * 1000))
  }
}
