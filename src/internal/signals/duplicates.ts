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
 * was busy, reads late what came in time: so it is not the clock that counts, but the time in which signals were read.
 */
export class DuplicateWindow {
  /** What is left of it at the last tick. */
  #left = 0
  #openedAt = 0
  #tickedAt = 0
  #ticking: NodeJS.Timeout | undefined
  #closing: NodeJS.Timeout | undefined

  /** A signal counts: from now on, others are its duplicates. */
  open(): void {
    this.#left = duplicateWindowMillis
    this.#openedAt = machineMillis()
    this.#tickedAt = this.#openedAt
    this.#ticking ??= setInterval(this.#tick, tickMillis).unref()
  }

  get isOpen(): boolean {
    return this.#remaining > 0
  }

  /** Calls once it is no longer open. Does not keep the process alive until then. */
  whenClosed(then: () => void): void {
    const look = () => {
      if (!this.isOpen) return then()
      this.#closing = setTimeout(look, this.#remaining).unref()
    }
    look()
  }

  /** Nobody asks any more. */
  dispose(): void {
    clearInterval(this.#ticking)
    clearTimeout(this.#closing)
    this.#ticking = undefined
    this.#left = 0
  }

  get #remaining(): number {
    const now = machineMillis()
    return Math.min(
      this.#left - Math.min(now - this.#tickedAt, longestTickMillis),
      longestMillis - (now - this.#openedAt)
    )
  }

  readonly #tick = (): void => {
    this.#left = this.#remaining
    this.#tickedAt = machineMillis()
    if (this.#left > 0) return
    clearInterval(this.#ticking)
    this.#ticking = undefined
  }
}
