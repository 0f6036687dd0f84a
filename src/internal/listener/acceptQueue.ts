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

export interface AcceptQueue {
  /** To be called for each connection that is accepted. */
  readonly accepted: () => void
  readonly isHolding: () => boolean
  /** Keeps a request until the socket has closed. */
  readonly hold: (deliver: () => void) => void
  /** So many are held that no connection needs to send more. */
  readonly isFull: () => boolean
  /** Closes the socket, once the queue has run dry. */
  readonly close: Effect.Effect<void>
  /** The socket has gone: nothing waits for that any longer. */
  readonly gone: () => void
}

/**
 * Who else has the listening socket: nobody; others who accept from it, as workers of one cluster do; or others who only
 * hold it, as a successor that is about to be stopped.
 */
export type Sharing = "nobody" | "acceptors" | "holders"

export const make = (server: Net.Server, closeNow: () => void, sharedWith: () => Sharing): AcceptQueue => {
  let accepted = 0
  let recent = { since: 0, accepts: 0, before: 0 }
  const held = new Queue<() => void>()
  let holding = false
  let gone = () => {}

  const release = () => {
    const until = machineMillis() + batchMillis
    try {
      for (let n = 0; held.size > 0 && (n < batch || machineMillis() < until); n++) held.take()?.()
    } finally {
      // a listener that throws ends the process or not, as Node and the user see fit; the others are not its business
      if (held.size > 0) setImmediate(release)
      else holding = false
    }
  }
  const stop = () => {
    closeNow()
    release()
  }

  const isBusy = (now: number) =>
    now - recent.since < 1000
      ? recent.accepts + recent.before >= busyAccepts
      : now - recent.since < 2000 && recent.accepts >= busyAccepts

  return {
    accepted: () => {
      accepted++
      const now = machineMillis()
      if (now - recent.since < 1000) recent.accepts++
      else recent = { since: now, accepts: 1, before: now - recent.since < 2000 ? recent.accepts : 0 }
    },
    isHolding: () => holding,
    hold: (deliver) => {
      held.add(inOwnContext(deliver))
    },
    isFull: () => held.size >= maxHeld,
    gone: () => gone(),
    close: Effect.async<void>((resume) => {
      holding = true
      const handle = handleOf(server)
      const startedAt = machineMillis()
      let immediate: NodeJS.Immediate | undefined = undefined
      let timer: NodeJS.Timeout | undefined = undefined
      let short = false

      const over = () => {
        gone = () => {}
        stop()
        resume(Effect.void)
      }
      gone = () => {
        clearTimeout(timer)
        clearImmediate(immediate)
        over()
      }
      const restFor = (millis: number) => {
        const late = machineMillis() - startedAt
        if (late >= limitMillis) return over()
        if (!short && late >= patienceMillis) {
          const sharing = sharedWith()
          // the rest of the queue is theirs
          if (sharing === "acceptors") return over()
          short = true
          // the length of the queue is the socket's, and so every holder's
          if (sharing === "nobody") shorten(server)
        }
        timer = setTimeout(attempt, millis)
      }
      const attempt = () => {
        const seen = accepted
        let turns = 0
        let turnBegan = machineMillis()
        let shortest = Infinity
        immediate = setImmediate(function turn() {
          const turnEnded = machineMillis()
          const took = turnEnded - turnBegan
          if (accepted !== seen) return restFor(restMillis)
          turns++
          if (turns > quietTurns && took <= shortest * briefTurn) {
            // the functions on the way to it have never run, and are compiled first: as long as a hundred such turns
            if (typeof handle?.fd === "number" && isTcp(server)) handle.close?.()
            return over()
          }
          if (turns > attemptTurns) return restFor(restMillis)
          if (took < shortest) shortest = took
          immediate = setImmediate(turn)
          turnBegan = machineMillis()
        })
      }
      if (isBusy(startedAt)) restFor(settleMillis)
      else attempt()
      return Effect.sync(() => {
        clearTimeout(timer)
        clearImmediate(immediate)
        gone = () => {}
        stop()
      })
    })
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
