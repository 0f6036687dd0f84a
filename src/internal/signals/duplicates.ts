/**
 * Signals that come twice for one wish.
 */
import { clearInterval, clearTimeout, machineMillis, setInterval, setTimeout } from "../node/timers.js"

/**
 * Another signal this soon, of the same name or not, is not meant. npm passes on the SIGINT that its child has had from
 * the terminal (90 ms later, measured), GNU `timeout` sends each signal to its child and to the child's group, and
 * `concurrently -k` sends SIGINT, then SIGTERM, for one Ctrl-C. A person who will not wait, or a supervisor, takes
 * longer.
 */
const duplicateWindowMillis = 500

/** Whatever the event loop does, another signal after this is meant. */
const longestMillis = 5000

const tickMillis = 50

/** The most that a turn of the event loop counts: one that takes longer has read no signal meanwhile. */
const longestTickMillis = 100

/**
 * The time after a signal in which another one is its duplicate. A process that has been stopped, or whose event loop
 * was busy, reads late what came in time: so the time in which no signal was read does not count.
 */
export class DuplicateWindow {
  readonly #now: () => number
  #openedAt = Number.NEGATIVE_INFINITY
  #openedAtMachine = Number.NEGATIVE_INFINITY
  /** In which nothing was read, until the last tick. */
  #stalled = 0
  #tickedAt = 0
  #ticking: NodeJS.Timeout | undefined
  #closing: NodeJS.Timeout | undefined

  constructor(now: () => number = machineMillis) {
    this.#now = now
  }

  /** A signal counts: from now on, others are its duplicates. */
  open(): void {
    this.#openedAt = this.#now()
    this.#openedAtMachine = machineMillis()
    this.#stalled = 0
    this.#tickedAt = this.#openedAtMachine
    this.#ticking ??= setInterval(this.#tick, tickMillis).unref()
  }

  get isOpen(): boolean {
    return this.#remaining(this.#now() - this.#openedAt) > 0
  }

  /** Calls once it is no longer open. Does not keep the process alive until then. */
  whenClosed(then: () => void): void {
    // no clock but the machine's is sure to move on
    const look = () => {
      const remaining = this.#remaining(machineMillis() - this.#openedAtMachine)
      if (remaining <= 0) return then()
      this.#closing = setTimeout(look, remaining).unref()
    }
    look()
  }

  /** Nobody asks any more. */
  dispose(): void {
    this.#stopTicking()
    clearTimeout(this.#closing)
    this.#openedAt = Number.NEGATIVE_INFINITY
    this.#openedAtMachine = Number.NEGATIVE_INFINITY
  }

  #remaining(elapsed: number): number {
    return Math.min(duplicateWindowMillis - (elapsed - this.#stalledUntil(machineMillis())), longestMillis - elapsed)
  }

  #stalledUntil(at: number): number {
    return this.#ticking === undefined
      ? this.#stalled
      : this.#stalled + Math.max(0, at - this.#tickedAt - longestTickMillis)
  }

  readonly #tick = (): void => {
    const now = machineMillis()
    this.#stalled = this.#stalledUntil(now)
    this.#tickedAt = now
    if (now - this.#openedAtMachine > longestMillis) this.#stopTicking()
  }

  #stopTicking(): void {
    clearInterval(this.#ticking)
    this.#ticking = undefined
  }
}
