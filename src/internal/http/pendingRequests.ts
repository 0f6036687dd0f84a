/**
 * Requests that arrive before an app is attached, and wait for it: bounded in number and in time.
 */
import type * as Http from "node:http"
import { connectionOf, type TrackedConnection } from "../core/connection.js"
import { Queue } from "../core/queue.js"
import { inOwnContext } from "../node/asyncContext.js"
import { clearTimeout, setImmediate, setTimeout } from "../node/timers.js"

/** How long a request waits for an app to be attached, in milliseconds, before it is answered with 503. */
const attachMillis = 10_000

/** How many requests wait for an app at the most; further ones are answered with 503. */
const maxHeld = 1000

/** How many of them are handed over in one turn of the event loop. */
const batch = 64

/** How many of one connection, so that one client does not take the place of all others. */
const maxHeldOfOne = 250

export class PendingRequests {
  readonly #held = new Queue<{ readonly deliver: () => void; readonly refuse: () => void }>()
  /** How many of them have come on each connection. */
  readonly #shares = new Map<TrackedConnection | undefined, number>()
  #attached = false
  #over = false
  #timer: NodeJS.Timeout | undefined = undefined

  /** A request that arrives now has to wait: no app is attached, or others are before it. */
  get mustHold(): boolean {
    return !this.#attached || this.#held.size > 0
  }

  hold(request: Http.IncomingMessage, deliver: () => void, refuse: () => void): void {
    const connection = connectionOf(request.socket)
    const share = this.#shares.get(connection) ?? 0
    // once it is there, the others are before it for a moment only
    if (!this.#attached) {
      if (this.#over || this.#held.size >= maxHeld || share >= maxHeldOfOne) return refuse()
      this.#timer ??= setTimeout(this.#refuseHeld, attachMillis)
    }
    this.#shares.set(connection, share + 1)
    this.#held.add({ deliver: inOwnContext(deliver), refuse })
  }

  /** An app is attached, and gets those that wait for it. */
  attach(): void {
    this.#attached = true
    clearTimeout(this.#timer)
    this.#deliverHeld()
  }

  /** The app has been detached, and none comes after it. */
  detach(): void {
    this.#attached = false
    this.#over = true
  }

  /** No app will come any more. */
  reject(): void {
    this.#over = true
    if (!this.#attached) this.#refuseHeld()
  }

  readonly #refuseHeld = (): void => {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#shares.clear()
    for (let next = this.#held.take(); next !== undefined; next = this.#held.take()) next.refuse()
  }

  readonly #deliverHeld = (): void => {
    if (!this.#attached) return this.#refuseHeld()
    try {
      for (let n = 0; n < batch; n++) this.#held.take()?.deliver()
    } finally {
      if (this.#held.size > 0) setImmediate(this.#deliverHeld)
      else this.#shares.clear()
    }
  }
}
