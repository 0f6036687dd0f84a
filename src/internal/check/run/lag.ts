/**
 * How late this process is: on a machine with too much to do, clients act later than their scenario says, and what becomes
 * of them then says nothing about the server.
 */
import { clearInterval, setInterval } from "../../node/timers.js"
import { now, pause } from "../wait.js"

const beatMillis = 10

/** The longest time by which a beat was late, since it was asked to forget the others. */
export class Lag {
  #last = now()
  #longest = 0
  readonly #timer = setInterval(() => this.#beat(), beatMillis)

  #beat(): void {
    const at = now()
    this.#longest = Math.max(this.#longest, at - this.#last - beatMillis)
    this.#last = at
  }

  forget(): void {
    this.#beat()
    this.#longest = 0
  }

  longest(): number {
    this.#beat()
    return Math.round(this.#longest)
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
