/**
 * The end that is not graceful: what is interrupted and cut when the time is up, and what its clients got.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FiberId from "effect/FiberId"
import type { CutRequest } from "../../Shutdown.js"
import type { Open, Owed, Registry } from "../core/connections.js"
import { remoteAddressOf, snapshot } from "../core/connections.js"
import { cuts } from "../telemetry/log.js"
import type { Stopping } from "./drain.js"
import { sayGoingAway } from "./longLived.js"
import { inBatches, quiet, settled, until } from "./settle.js"
import { turn } from "./turn.js"

/** How many turns of the event loop the last word to a peer takes: to be framed, encrypted and written. */
const lastWordTurns = 4

/** How many turns of the event loop a socket that was cut may take to say that it has closed. */
const cutTurns = 1000

/** How many handlers are interrupted in the turn in which the deadline passes; the others follow in turns of their own. */
const atOnce = 64

/** Nothing is left that more time could help: no handler, no hook, no answer on its way. */
const hopeless = ({ handlers, hooks, registry }: Stopping): boolean =>
  handlers.idle && hooks.idle
  && Array.from(registry.open).every(({ leaving, owed }) => owed.size === 0 && !leaving)

/**
 * The deadline has passed, or `close` was called: interrupts the handlers, gives them `killTimeout` to finish their
 * finalizers, and cuts what is still open.
 */
export const kill = Effect.fnUntraced(function*(server: Stopping, drainingAt: number) {
  const { handlers, hooks, policy, registry } = server
  const none: ReadonlyArray<CutRequest> = []
  if (quiet(server)) return { requests: none, connections: 0, forced: [], interrupted: 0 }

  registry.killing = true
  yield* sayGoingAway(registry)
  const killingAt = registry.now()
  const cutByUs = new Set<unknown>()
  registry.prune()
  for (const open of registry.open) open.onDeadline?.()
  const victims = Array.from(registry.open).flatMap((open) => {
    const remoteAddress = remoteAddressOf(open.socket)
    return Array.from(open.owed, (owed) => victim(open, owed, remoteAddress))
  })
  yield* inBatches(victims, ({ begun, open, owed }) => {
    owed.interrupted = owed.ofApp && !begun
    // an interrupted stream would be ended as if it were whole; with HTTP/1.1 it takes its connection with it
    if (owed.ofApp) owed.guard(() => cutByUs.add(owed.stream === undefined ? open : owed))
    return false
  })
  const interrupted = handlers.fibers.size
  hooks.interrupt()
  const fibers = handlers.alive
  for (const fiber of fibers.slice(0, atOnce)) fiber.unsafeInterruptAsFork(FiberId.none)
  // goes on where it was when the time was up
  const interrupt = inBatches(fibers.slice(atOnce).values(), (fiber) => {
    fiber.unsafeInterruptAsFork(FiberId.none)
    return true
  })
  yield* cuts(server, interrupted)
  const over = Effect.suspend(() =>
    Effect.raceFirst(
      Effect.zipRight(interrupt, settled(server, hopeless)),
      until(killingAt + policy.killTimeout - registry.now())
    )
  )
  if (!server.isCloseCalled()) {
    registry.endingLongLived = true
    registry.grace ??= { newConnection: policy.newConnectionGrace, idle: policy.idleGrace, since: drainingAt }
    yield* Effect.raceFirst(over, server.closeCalled)
  }

  yield* interrupt
  // an answer that has just been ended is written at the end of this turn
  yield* turn
  const left = Array.from(registry.open)
  // one that has had its last answer and our FIN leaves with those
  const cut = left.filter((open) => open.lingersUntil === Number.POSITIVE_INFINITY)
  const forced = cut.filter((open) => open.owed.size === 0).map(snapshot)
  const cutting = function*() {
    for (const open of left) {
      cutByUs.add(open)
      yield* open.protocol.cut(open) ?? []
      yield
    }
  }
  yield* inBatches(cutting(), () => true)
  for (let turns = 0; registry.open.size > 0 && turns < cutTurns; turns++) {
    yield* turn
    // the last word to a peer has had its turns
    if (turns === lastWordTurns) { for (const open of registry.open) open.socket.destroy() }
  }
  if (server.isCloseCalled()) yield* over

  const now = registry.now()
  const requests = victims.flatMap((victim) => outcome(victim, cutByUs, now, registry))
  // a response that was ended midway has taken its connection with it, and so has a handler of RPC that was interrupted
  const lost = new Set([
    ...cut.map(({ id }) => id),
    ...requests.flatMap(({ answer, connection, stream }) => answer !== "503" && stream === undefined ? connection : [])
  ])
  return { requests, connections: lost.size, forced, interrupted }
})

interface Victim {
  readonly open: Open
  readonly owed: Owed
  readonly begun: boolean
  readonly remoteAddress: string
}

const victim = (open: Open, owed: Owed, remoteAddress: string): Victim => ({
  open,
  owed,
  begun: owed.status !== undefined,
  remoteAddress
})

/** Its handler was interrupted, and answered in full that it could not answer. */
const isLate503 = ({ begun, owed: { answered, ofApp, status } }: Victim): boolean =>
  answered && ofApp && !begun && status === 503

/** What the client of a request got that was in flight at the deadline; nothing if that was the whole answer. */
const outcome = (
  victim: Victim,
  cutByUs: ReadonlySet<unknown>,
  now: number,
  { cutElsewhere }: Registry
): ReadonlyArray<CutRequest> => {
  const { begun, open, owed, remoteAddress } = victim
  const { answered, ofApp, status, told503 } = owed
  const cut = (answer: CutRequest["answer"]) => [cutRequest(open, owed, remoteAddress, now, answer)]
  if (isLate503(victim) || told503) return cut("503")
  if (answered) return []
  if (!cutByUs.has(open) && !cutByUs.has(owed)) {
    // else its client left of its own accord
    return cutElsewhere.has(owed)
      ? [{ ...cutRequest(open, owed, remoteAddress, now, answerOf(owed)), by: "application" }]
      : []
  }
  // its handler answered that it could not, and what was behind it took the connection away before Node said so
  return cut(ofApp && !begun && status === 503 ? "503" : answerOf(owed))
}

const answerOf = ({ status }: Owed): CutRequest["answer"] => status === undefined ? "none" : "truncated"

const cutRequest = (
  { id }: Open,
  { method, path, since, stream }: Owed,
  remoteAddress: string,
  now: number,
  answer: CutRequest["answer"]
): CutRequest => ({
  connection: id,
  remoteAddress,
  method,
  path,
  ...(stream === undefined ? undefined : { stream }),
  age: Duration.millis(now - since),
  answer
})

/** What other code in the process has cut by now, in spite of the drain. */
export const lostElsewhere = ({ cutElsewhere }: Registry, startedAt: number) => {
  const requests = Array.from(
    cutElsewhere,
    ([owed, { at, by, open, remoteAddress }]): CutRequest => ({
      ...cutRequest(open, owed, remoteAddress, at, answerOf(owed)),
      by
    })
  )
  // what is open yet is counted as it is cut, and what had closed before is not of this shutdown
  const closed = Array.from(cutElsewhere.values(), ({ open }) => open)
    .filter(({ since, state }) => state === "Closed" && since >= startedAt)
  return { requests, connections: new Set(closed).size }
}
