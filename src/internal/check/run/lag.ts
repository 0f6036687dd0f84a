/**
 * How late this process is: on a machine with too much to do, clients act later than their scenario says, and what becomes
 * of them then says nothing about the server.
 */
import { clearInterval, setInterval } from "../../node/timers.js"
import { now, pause } from "../wait.js"

const beatMillis = 10

/** A beat of a machine that has nothing else to do may be as late as that. */
const usualMillis = 5

/** By how much beats were late, since it was asked to forget the others. */
export class Lag {
  #last = now()
  #longest = 0
  #total = 0
  #noted = { longest: 0, total: 0 }
  readonly #timer = setInterval(() => this.#beat(), beatMillis)

  #beat(): void {
    const at = now()
    const late = at - this.#last - beatMillis
    this.#longest = Math.max(this.#longest, late)
    if (late > usualMillis) this.#total += late
    this.#last = at
  }

  forget(): void {
    this.#beat()
    this.#longest = 0
    this.#total = 0
    this.#noted = { longest: 0, total: 0 }
  }

  longest(): number {
    this.#beat()
    return Math.round(this.#longest)
  }

  /** All of them together: for so long this process did not run when it should have. */
  total(): number {
    this.#beat()
    return Math.round(this.#total)
  }

  /** A client does something: what this process was late until now has been to its detriment. */
  note(): void {
    this.#noted = { longest: this.longest(), total: this.total() }
  }

  /** How late it was until a client last did something. */
  noted(): { readonly longest: number; readonly total: number } {
    return this.#noted
  }

  stop(): void {
    clearInterval(this.#timer)
  }
}

/** Waits until this process is on time for a while, and not longer than the limit. */
export const untilOnTime = async (lateMillis: number, limitMillis: number): Promise<void> => {
  const limit = now() + limitMillis
  const lag = new Lag()
  for (;;) {
    lag.forget()
    await pause(300)
    if (lag.longest() <= lateMillis / 4 || now() > limit) break
  }
  lag.stop()
}
