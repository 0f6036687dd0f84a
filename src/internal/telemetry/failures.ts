/**
 * Which failures of background work the log has in full. Printing a cause takes its time: thousands at once would keep the
 * event loop from the deadline. The rest is counted, and said in one line.
 */
import { clearTimeout, machineMillis, setTimeout } from "../node/timers.js"

/** How many of a name are printed in a second, and how many of all names. */
const inFull = 5
const inFullOfAll = 20

const secondMillis = 1000

export class Failures {
  #since = Number.NEGATIVE_INFINITY
  #all = 0
  readonly #printed = new Map<string, number>()
  readonly #rest = new Map<string, number>()
  #timer: NodeJS.Timeout | undefined

  /** Whether this one is printed. If not, `sayRest` is called when its second is over. */
  isPrinted(name: string, sayRest: () => void): boolean {
    const now = machineMillis()
    if (this.#timer === undefined && now - this.#since >= secondMillis) {
      this.#since = now
      this.#all = 0
      this.#printed.clear()
    }
    const ofName = this.#printed.get(name) ?? 0
    if (ofName < inFull && this.#all < inFullOfAll) {
      this.#printed.set(name, ofName + 1)
      this.#all++
      return true
    }
    this.#rest.set(name, (this.#rest.get(name) ?? 0) + 1)
    // it keeps the process until it is said
    this.#timer ??= setTimeout(sayRest, this.#since + secondMillis - now)
    return false
  }

  /** How many were not printed, by name. They are to be said now. */
  takeRest(): ReadonlyArray<readonly [name: string, count: number]> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const rest = Array.from(this.#rest)
    this.#rest.clear()
    return rest
  }
}
