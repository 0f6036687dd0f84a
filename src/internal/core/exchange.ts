/**
 * One request and its response, from the first byte of the one to the last byte of the other, and what its client has
 * received.
 */
import type { Linked } from "./exchangeList.js"

/** What its client has received where it was cut: a 503, a part of the response, or nothing. */
export type Received = "503" | "truncated" | "none"

export abstract class Exchange implements Linked {
  previous: Linked | undefined = undefined
  next: Linked | undefined = undefined
  isInFlight = false
  readonly method: string
  readonly #path: string
  /** It went to an Effect app, and not to a listener of the user's own. */
  readonly fromEffectApp: boolean
  readonly since: number
  /** The whole response has left. */
  answered = false
  /** No handler has begun to answer it, and its client was sent a 503. */
  answered503 = false
  /** Its handler was interrupted before it had begun to answer: a 503 is no answer of the handler's own. */
  interrupted = false
  /** It was kept from any handler, and all that its client is told is 503. */
  rejected = false
  /** It is an event stream that a drain has ended before its handler did. */
  endedEarly = false

  constructor(method: string, path: string, fromEffectApp: boolean, since: number) {
    this.method = method
    this.#path = path
    this.fromEffectApp = fromEffectApp
    this.since = since
  }

  get path(): string {
    return this.#path
  }

  /** The HTTP/2 stream that it came on. */
  abstract get stream(): number | undefined

  /** The head of its response has been written, with this status. */
  abstract get status(): number | undefined

  /**
   * Ends its response with `lastLine`, if that is an event stream, and its client is one that connects again; false if it
   * is not.
   */
  abstract endEventStream(lastLine: string): boolean

  /** From now on a response that ends midway is cut, and `onCut` is told: it must not look as if it were whole. */
  abstract abortOnEnd(onCut: () => void): void

  get received(): Received {
    return this.answered503 ? "503" : this.status === undefined ? "none" : "truncated"
  }
}
