/**
 * Waits, each with a limit.
 */
import { clearTimeout, machineMillis, setTimeout } from "../node/timers.js"

/** Milliseconds on a clock that does not jump. */
export const now = machineMillis

export const pause = (millis: number): Promise<void> =>
  new Promise((resolve) => void setTimeout(resolve, Math.max(0, millis)))

/** What a promise resolves to, or `undefined` at the limit. */
export const within = <A>(promise: Promise<A>, millis: number): Promise<A | undefined> =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(() => resolve(undefined), Math.max(0, millis))
    const settle = (then: () => void) => {
      clearTimeout(timer)
      then()
    }
    promise.then((value) => settle(() => resolve(value)), (cause) => settle(() => reject(cause)))
  })

/** Looks every `everyMillis` until it is so, and says whether it was within the limit. */
export const until = async (
  isSo: () => boolean | Promise<boolean>,
  limitMillis: number,
  everyMillis = 5
): Promise<boolean> => {
  const limit = now() + limitMillis
  while (!(await isSo())) {
    if (now() >= limit) return false
    await pause(everyMillis)
  }
  return true
}

/** Something changes; whoever waits for it looks again. */
export class Changes {
  readonly #waiting = new Set<() => void>()

  changed(): void {
    for (const look of this.#waiting) look()
  }

  /** Whether it was so within the limit. */
  until(isSo: () => boolean, limitMillis: number): Promise<boolean> {
    if (isSo()) return Promise.resolve(true)
    return new Promise((resolve) => {
      const settle = (was: boolean) => {
        clearTimeout(timer)
        this.#waiting.delete(look)
        resolve(was)
      }
      const look = () => {
        if (isSo()) settle(true)
      }
      const timer = setTimeout(() => settle(isSo()), Math.max(0, limitMillis))
      this.#waiting.add(look)
    })
  }
}
