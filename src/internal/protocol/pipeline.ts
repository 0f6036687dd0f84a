/**
 * A client of HTTP/1.1 that sends requests behind others which have not been answered yet (pipelining). Node hands over
 * all that it reads, however many there are: 64 KiB hold 2,400, and it reads 32 times as much in one turn of the event
 * loop. So only so many of them are handed over in a turn, and no more are read where too many are in flight.
 */
import type { TrackedConnection } from "../core/connection.js"
import { Queue } from "../core/queue.js"
import { inOwnContext } from "../node/asyncContext.js"
import { afterNextRead, hasLeft, keepParsing, letRead, readOn, stopReading } from "../node/reading.js"
import { clearInterval, setImmediate, setInterval } from "../node/timers.js"

/**
 * How many requests of one connection are in flight before no more of them are read, and with their handlers at the most.
 * Who pipelines at all does so with tens of them. In memory, a thousand take some 3 MB.
 */
export const maxInFlight = 1000

/** As soon as so few are left, more are read. */
const resumeAt = maxInFlight / 2

/** How many requests of one connection are handed over before others have their turn. */
const burst = 128

/** How often it is looked whether a client has left whose requests are not read. */
const lookMillis = 100

/** Made for a connection with its first request behind another. */
export class Pipeline {
  readonly #connection: TrackedConnection
  /** Requests that have been read, and are handed over one turn of the event loop after the other. */
  readonly #waiting = new Queue<() => void>()
  /** Since others last had their turn. */
  #inThisTurn = 0
  #dropped = 0
  #isStopped = false
  /** It was stopped, and nothing has been read since. */
  #readsOn = false
  #isFull = false
  #isScheduled = false
  #look: (() => void) | undefined
  #looking: NodeJS.Timeout | undefined
  readonly #stopParsing: (() => void) | undefined

  constructor(connection: TrackedConnection) {
    this.#connection = connection
    if (connection.secure) this.#stopParsing = keepParsing(connection.socket)
  }

  /** Its client may have sent what has not been read. */
  get mayHaveMore(): boolean {
    return this.#isStopped || this.#readsOn
  }

  /** A request that has just begun has to wait for its turn. */
  get isCrowded(): boolean {
    return this.#isScheduled || this.#waiting.size > 0 || this.#withHandlers > maxInFlight
  }

  get #withHandlers(): number {
    return this.#connection.exchanges.size - this.#waiting.size
  }

  /** A request has begun. */
  begun(): void {
    if (this.#connection.exchanges.size >= maxInFlight) this.stop()
    this.#count()
  }

  /** No more is read until it has been answered. */
  stop(): void {
    this.#isFull = true
    this.#stop()
    this.#keepLooking()
  }

  /** A request has come that is too late for an answer. Who sends thousands of those is no longer read from. */
  dropped(): void {
    if (++this.#dropped > maxInFlight) this.stop()
    else this.#count()
  }

  /** Calls back when it is its turn. */
  wait(handOver: () => void): void {
    this.#waiting.add(inOwnContext(handOver))
    if (this.#withHandlers < maxInFlight) this.#schedule()
  }

  /** A request has been answered. */
  settled(): void {
    if (!this.#isStopped || this.#isScheduled) return
    if (this.#waiting.size > 0) this.#schedule()
    else this.#readOn()
  }

  /** The connection is somebody else's, who reads as they like. */
  release(): void {
    this.#stopParsing?.()
    if (this.#isStopped) letRead(this.#connection.socket)
    this.#isStopped = false
    this.#stopLooking()
  }

  #count(): void {
    if (++this.#inThisTurn < burst) return
    this.#stop()
    this.#schedule()
  }

  #stop(): void {
    if (this.#isStopped) return
    this.#isStopped = true
    // made while the request is parsed: later, it may be in the context of another one
    this.#look ??= inOwnContext(() => {
      if (hasLeft(this.#connection.socket)) this.#stopLooking()
    })
    stopReading(this.#connection.socket)
  }

  /** The client may leave while nobody reads. Not for a stop that is over in the next turn. */
  #keepLooking(): void {
    if (!this.#isStopped || this.#isScheduled || this.#look === undefined) return
    this.#looking ??= setInterval(this.#look, lookMillis).unref()
  }

  #stopLooking(): void {
    if (this.#looking === undefined) return
    clearInterval(this.#looking)
    this.#looking = undefined
  }

  #schedule(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    setImmediate(handOver, this)
  }

  handOver(): void {
    this.#isScheduled = false
    this.#inThisTurn = 0
    try {
      while (this.#waiting.size > 0 && this.#withHandlers < maxInFlight && this.#inThisTurn < burst) {
        this.#inThisTurn++
        this.#waiting.take()?.()
      }
    } finally {
      // a listener that throws ends the process or not, as Node and the user see fit; the others are not its business
      if (this.#waiting.size === 0) this.#readOn()
      else if (this.#withHandlers < maxInFlight) this.#schedule()
      this.#keepLooking()
    }
  }

  #readOn(): void {
    const { exchanges, socket } = this.#connection
    if (!this.#isStopped || this.#dropped > maxInFlight || (this.#isFull && exchanges.size > resumeAt)) return
    this.#isFull = false
    this.#isStopped = false
    this.#stopLooking()
    readOn(socket)
    this.#readsOn = true
    afterNextRead(() => {
      this.#readsOn = false
    })
  }
}

const handOver = (pipeline: Pipeline): void => pipeline.handOver()
