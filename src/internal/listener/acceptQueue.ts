/**
 * Closing a listening socket resets every connection that the kernel has completed and Node has not yet accepted
 * (Go's rule B15): of 32 clients that open a connection for each request, 30. So everything that is queued is
 * accepted first, and the socket is closed in the turn of the event loop that finds the queue dry.
 *
 * A client that is answered comes back at once, and so the queue of a busy server never runs dry. What arrives in
 * these few milliseconds is therefore held: it is received, and handed to its handler when the socket has closed.
 * Where new clients come faster than they can be accepted, that is not enough: then the kernel is told to queue no
 * more of them. That comes second, because it takes completed handshakes for new ones when many end at once.
 */
import * as Effect from "effect/Effect"
import type * as Net from "node:net"
import { Queue } from "../core/queue.js"
import { inOwnContext } from "../node/asyncContext.js"
import { handleOf } from "../node/internals.js"
import { clearImmediate, clearTimeout, machineMillis, setImmediate, setTimeout } from "../node/timers.js"

/** How long the queue may take to run dry, in milliseconds, before it is made as short as can be. */
const patienceMillis = 100

/** How long it may take altogether; a drain's deadline bounds it as well. */
const limitMillis = 1000

/** How many turns without an accept count as dry: libuv does not accept all that is queued in one turn. */
const quietTurns = 64

/**
 * How many connections in the last second make a server one that is busy: so many come that one of them may come as the
 * socket closes. Its requests are held for {@link settleMillis} first, while most of those who would open the next
 * connection wait for an answer on the last one.
 */
const busyAccepts = 16

/** In milliseconds; no longer than a drain gives idle connections in any case. */
const settleMillis = 50

/** How long to rest, in milliseconds, after something was accepted, or where a queue that is dry cannot be closed. */
const restMillis = 2

/** How many turns are spent on one attempt. One who has just slept is not preempted in the middle of it. */
const attemptTurns = 256

/**
 * The socket is closed at the end of a turn that took no longer than this many times the shortest of the attempt: what
 * comes between the kernel's word that nothing is queued and the close is reset, and in a turn that has served others, or
 * in which another process had the processor, that is a hundred times as long.
 */
const briefTurn = 3

/** How many held requests are handed over in one turn at the least. */
const batch = 16

/** For how long more of them are handed over in one turn, in milliseconds. */
const batchMillis = 2

/**
 * How many requests are held before no more are read from the connections of HTTP/1.1 that they come on. Those of HTTP/2
 * have a bound of their own (`maxConcurrentStreams`).
 */
const maxHeld = 1000

/**
 * Who else has the listening socket: nobody; others who accept from it, as workers of one cluster do; or others who only
 * hold it, as a successor that is about to be stopped.
 */
export type Sharing = "nobody" | "acceptors" | "holders"

export class AcceptQueue {
  readonly #server: Net.Server
  readonly #closeNow: () => void
  readonly #sharedWith: () => Sharing
  readonly #accepts = new Accepts()
  readonly #held = new Queue<() => void>()
  #isHolding = false
  #stopWaiting = () => {}

  constructor(server: Net.Server, closeNow: () => void, sharedWith: () => Sharing) {
    this.#server = server
    this.#closeNow = closeNow
    this.#sharedWith = sharedWith
  }

  /** To be called for each connection that is accepted. */
  accepted(): void {
    this.#accepts.count()
  }

  isHolding(): boolean {
    return this.#isHolding
  }

  /** Keeps a request until the socket has closed. */
  hold(deliver: () => void): void {
    this.#held.add(inOwnContext(deliver))
  }

  /** So many are held that no connection needs to send more. */
  isFull(): boolean {
    return this.#held.size >= maxHeld
  }

  /** The socket has gone: nothing waits for that any longer. */
  stopWaiting(): void {
    this.#stopWaiting()
  }

  /** Closes the socket, once the queue has run dry. */
  readonly close: Effect.Effect<void> = Effect.async<void>((resume) => {
    this.#isHolding = true
    const closed = () => {
      this.#stopWaiting = () => {}
      this.#closeNow()
      this.#release()
    }
    const untilDry = new UntilDry(this.#server, this.#accepts, this.#sharedWith, () => {
      closed()
      resume(Effect.void)
    })
    this.#stopWaiting = () => untilDry.finish()
    untilDry.begin()
    return Effect.sync(() => {
      untilDry.cancel()
      closed()
    })
  })

  #release(): void {
    const until = machineMillis() + batchMillis
    try {
      for (let n = 0; this.#held.size > 0 && (n < batch || machineMillis() < until); n++) this.#held.take()?.()
    } finally {
      // a listener that throws ends the process or not, as Node and the user see fit; the others are not its business
      if (this.#held.size > 0) setImmediate(() => this.#release())
      else this.#isHolding = false
    }
  }
}

/** How many connections have been accepted, in all and lately. */
class Accepts {
  #all = 0
  #recent = { since: 0, accepts: 0, before: 0 }

  get all(): number {
    return this.#all
  }

  count(): void {
    this.#all++
    const recent = this.#recent
    const now = machineMillis()
    if (now - recent.since < 1000) recent.accepts++
    else this.#recent = { since: now, accepts: 1, before: now - recent.since < 2000 ? recent.accepts : 0 }
  }

  isBusy(now: number): boolean {
    const { accepts, before, since } = this.#recent
    return now - since < 1000 ? accepts + before >= busyAccepts : now - since < 2000 && accepts >= busyAccepts
  }
}

/** Waits until the queue of a listening socket is dry, or until it has taken too long. */
class UntilDry {
  readonly #server: Net.Server
  readonly #accepts: Accepts
  readonly #sharedWith: () => Sharing
  readonly #closed: () => void
  readonly #handle: ReturnType<typeof handleOf>
  readonly #startedAt = machineMillis()
  #immediate: NodeJS.Immediate | undefined = undefined
  #timer: NodeJS.Timeout | undefined = undefined
  #isShort = false

  constructor(server: Net.Server, accepts: Accepts, sharedWith: () => Sharing, closed: () => void) {
    this.#server = server
    this.#accepts = accepts
    this.#sharedWith = sharedWith
    this.#closed = closed
    this.#handle = handleOf(server)
  }

  begin(): void {
    if (this.#accepts.isBusy(this.#startedAt)) this.#restFor(settleMillis)
    else this.#attempt()
  }

  cancel(): void {
    clearTimeout(this.#timer)
    clearImmediate(this.#immediate)
  }

  finish(): void {
    this.cancel()
    this.#closed()
  }

  #restFor(millis: number): void {
    const late = machineMillis() - this.#startedAt
    if (late >= limitMillis) return this.#closed()
    if (!this.#isShort && late >= patienceMillis) {
      const sharing = this.#sharedWith()
      // the rest of the queue is theirs
      if (sharing === "acceptors") return this.#closed()
      this.#isShort = true
      // the length of the queue is the socket's, and so every holder's
      if (sharing === "nobody") shorten(this.#server)
    }
    this.#timer = setTimeout(() => this.#attempt(), millis)
  }

  #attempt(): void {
    const seen = this.#accepts.all
    let turns = 0
    let turnBegan = machineMillis()
    let shortest = Infinity
    const turn = () => {
      const turnEnded = machineMillis()
      const took = turnEnded - turnBegan
      if (this.#accepts.all !== seen) return this.#restFor(restMillis)
      turns++
      if (turns > quietTurns && took <= shortest * briefTurn) {
        // the functions on the way to it have never run, and are compiled first: as long as a hundred such turns
        if (typeof this.#handle?.fd === "number" && isTcp(this.#server)) this.#handle.close?.()
        return this.#closed()
      }
      if (turns > attemptTurns) return this.#restFor(restMillis)
      if (took < shortest) shortest = took
      this.#immediate = setImmediate(turn)
      turnBegan = machineMillis()
    }
    this.#immediate = setImmediate(turn)
  }
}

/**
 * `listen` on a handle that listens sets the length of its queue, and nothing else. A pipe's has a path for its address,
 * or none where it was inherited, and keeps its length.
 */
const shorten = (server: Net.Server): void => {
  const handle = handleOf(server)
  if (typeof handle?.listen === "function" && isTcp(server)) handle.listen(0)
}

const isTcp = (server: Net.Server): boolean => {
  const address = server.address()
  return address !== null && typeof address === "object"
}
