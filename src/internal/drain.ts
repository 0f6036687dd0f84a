/**
 * How a server stops, from top to bottom in the order in which things happen (DESIGN: LameDuck, Draining, deadline,
 * Closed).
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type { CutRequest, Phase, Report } from "../Shutdown.js"
import type { Handlers } from "./handlers.js"
import type { Hooks } from "./hooks.js"
import type { Bound } from "./listener.js"
import { cuts } from "./log.js"
import type { ResolvedPolicy } from "./policy.js"
import type { Open, Owed, Registry } from "./registry.js"
import { snapshot } from "./registry.js"
import { step } from "./spans.js"
import type { Telemetry } from "./telemetry.js"
import { turn } from "./turn.js"

export interface Stopping {
  readonly policy: ResolvedPolicy
  readonly registry: Registry
  readonly handlers: Handlers
  readonly hooks: Hooks
  readonly listeners: ReadonlySet<Bound>
  readonly telemetry: Telemetry
  /** Requests that wait for an app to be attached wait in vain. */
  readonly giveUp: () => void
  readonly enter: (phase: Phase) => Effect.Effect<void>
  /** Suspends until the drain may want to look again; opened by the registry, the handlers and the hooks. */
  readonly woken: Effect.Latch
  /** Suspends until a lame duck is to end early: `drainNow` or `close` is called. */
  readonly lameDuckOver: Effect.Effect<void>
  /** Suspends until `close` is called. */
  readonly closeCalled: Effect.Effect<void>
  readonly isCloseCalled: () => boolean
}

/** Connections are closed in batches, with a turn of the event loop between: 9,000 at once stalled it for 190 ms. */
const batch = 64

/** How many turns of the event loop the last word to a peer takes: to be framed, encrypted and written. */
const lastWordTurns = 4

/** How many turns of the event loop a socket that was cut may take to say that it has closed. */
const cutTurns = 1000

export const drain = Effect.fnUntraced(function*(server: Stopping) {
  const { handlers, hooks, listeners, policy, registry } = server
  const { now } = registry
  const startedAt = now()
  const open = registry.open.size
  const { accepted, closed, dismissed, served } = registry

  registry.closing = true
  registry.stopping = true
  yield* askToLeave(registry)
  if (policy.lameDuck > 0 && !server.isCloseCalled()) {
    yield* server.enter("LameDuck")
    yield* Effect.raceFirst(Effect.sleep(policy.lameDuck), server.lameDuckOver).pipe(step("lame_duck"))
  }

  const drainingAt = now()
  const graceful = !server.isCloseCalled()
  if (graceful) {
    yield* server.enter("Draining")
    const deadline = Effect.raceFirst(
      server.closeCalled,
      Number.isFinite(policy.timeout) ? Effect.sleep(policy.timeout) : Effect.never
    )
    // said before the drain lets go of what it holds
    const tooLate = Effect.sync(() => {
      registry.killing = true
    })
    yield* Effect.raceFirst(drained(server, drainingAt), Effect.zipRight(deadline, tooLate)).pipe(
      step("draining", {
        onStart: (span) => {
          server.telemetry.draining = span
        }
      })
    )
  }
  for (const listener of listeners) listener.closeNow()
  server.giveUp()
  if (graceful) hooks.start()

  const killingAt = now()
  const killed = yield* kill(server, drainingAt).pipe(quiet(server) ? (nothing) => nothing : step("kill"))

  registry.wake = () => {}
  const endedAt = now()
  const report: Report = {
    outcome: server.isCloseCalled() ? "Closed" : killed.requests.length > 0 ? "DeadlineExceeded" : "Drained",
    startedAt,
    duration: Duration.millis(endedAt - startedAt),
    lameDuck: Duration.millis(drainingAt - startedAt),
    draining: Duration.millis(killingAt - drainingAt),
    killing: Duration.millis(endedAt - killingAt),
    served: registry.served - served - killed.late503,
    connections: {
      open,
      accepted: registry.accepted - accepted,
      left: (registry.closed - closed) - (registry.dismissed - dismissed) - killed.connections,
      dismissed: registry.dismissed - dismissed,
      cut: killed.connections
    },
    cut: killed.requests,
    forced: killed.forced,
    handlers: { interrupted: killed.interrupted, abandoned: handlers.fibers.size },
    hooks: hooks.finish()
  }
  return report
})

/** Stops accepting, starts the hooks, and waits until nothing is owed to anybody. */
const drained = Effect.fnUntraced(function*(server: Stopping, since: number) {
  yield* Effect.forEach(server.listeners, (listener) => listener.close, { concurrency: "unbounded", discard: true })
    .pipe(step("close_listeners", { attributes: { "quiesce.listeners": server.listeners.size } }))
  server.giveUp()
  server.registry.grace = {
    newConnection: server.policy.newConnectionGrace,
    idle: server.policy.idleGrace,
    since
  }
  yield* askToLeave(server.registry)
  server.hooks.start()
  yield* settled(server).pipe(step("wait"))
})

const askToLeave = (registry: Registry) =>
  inBatches(registry.open, (open) => {
    const { leaving, told } = open
    open.protocol.leave(open)
    // a GOAWAY or a close frame costs as much as closing does
    return open.leaving !== leaving || open.told !== told
  })

const quiet = ({ handlers, hooks, registry }: Stopping): boolean =>
  registry.open.size === 0 && handlers.idle && hooks.idle

/** Nothing is left that more time could help: no handler, no hook, no answer on its way. */
const hopeless = ({ handlers, hooks, registry }: Stopping): boolean =>
  handlers.idle && hooks.idle
  && Array.from(registry.open).every(({ leaving, owed }) => owed.length === 0 && !leaving)

/**
 * Closes connections as their graces run out, and returns when all have closed and every handler and hook has ended.
 * Looks again at each tick of the poll schedule, when the earliest grace runs out, and when the last one has ended.
 */
const settled = Effect.fnUntraced(function*(server: Stopping, isOver = quiet) {
  const { policy, registry, woken } = server
  const poll = yield* Schedule.driver(policy.pollSchedule)
  // a schedule that has ended, or is broken, leaves the wake-ups; one that never waits, the event loop
  const tick = Effect.zipLeft(Effect.catchAllCause(poll.next(undefined), () => Effect.never), turn)
  while (true) {
    woken.unsafeClose()
    // a process that was not scheduled for a while finds its timers due, and requests that it has not read; woken
    // while it reads, it needs a second turn to read the rest
    if (registry.open.size > 0) yield* Effect.zipRight(turn, turn)
    const next = yield* dismissDue(registry)
    if (isOver(server)) return
    yield* Effect.raceFirst(Effect.raceFirst(tick, woken.await), until(next - registry.now()))
  }
})

const until = (millis: number): Effect.Effect<void> =>
  Number.isFinite(millis) ? Effect.sleep(Math.max(0, Math.ceil(millis))) : Effect.never

/**
 * With keep-alives off, outside of a shutdown: closes connections as their graces run out (Go's rule C9), until
 * interrupted.
 */
export const dismissIdle = Effect.fnUntraced(
  function*(policy: ResolvedPolicy, registry: Registry, woken: Effect.Latch) {
    const first = { newConnection: policy.newConnectionGrace, idle: policy.idleGrace, since: registry.now() }
    registry.grace = first
    yield* dismissDue(registry)
    // the server still accepts: what is new from now on is about to send, and its answer will say close
    if (registry.grace === first) registry.grace = { ...first, newConnection: Number.POSITIVE_INFINITY }
    while (true) {
      woken.unsafeClose()
      const next = yield* dismissDue(registry)
      yield* Effect.raceFirst(woken.await, until(next - registry.now()))
      yield* turn
    }
  }
)

/** Closes every connection that is owed nothing and whose grace is over; returns when the next grace will be. */
const dismissDue = Effect.fnUntraced(function*(registry: Registry) {
  const { grace } = registry
  let next = Number.POSITIVE_INFINITY
  if (grace === undefined) return next
  registry.look = new Map()
  yield* inBatches(registry.open, (open) => {
    const stays = open.protocol.staysUntil(open, grace)
    if (stays > registry.now()) next = Math.min(next, stays)
    else if (!open.socket.destroyed) {
      registry.dismiss(open)
      return true
    }
    return false
  }, () => {
    registry.look = new Map()
  })
  registry.look = undefined
  registry.nextLook = next
  return next
})

/**
 * Visits all, with a turn of the event loop after every batch: closing a connection takes some sixteen times as long
 * as looking at it.
 */
const inBatches = Effect.fnUntraced(function*<A>(all: Iterable<A>, visit: (a: A) => boolean, afterTurn = () => {}) {
  let work = 0
  for (const a of all) {
    work += visit(a) ? 16 : 1
    if (work < batch * 16) continue
    work = 0
    yield* turn
    afterTurn()
  }
})

/**
 * The deadline has passed, or `close` was called: interrupts the handlers, gives them `killTimeout` to finish their
 * finalizers, and cuts what is still open.
 */
const kill = Effect.fnUntraced(function*(server: Stopping, drainingAt: number) {
  const { handlers, hooks, policy, registry } = server
  const none: ReadonlyArray<CutRequest> = []
  if (quiet(server)) return { requests: none, connections: 0, forced: [], interrupted: 0, late503: 0 }

  registry.killing = true
  const killingAt = registry.now()
  const cutByUs = new Set<unknown>()
  const victims = Array.from(registry.open).flatMap((open) => open.owed.map((owed) => victim(open, owed)))
  for (const { owed } of victims) {
    // an interrupted stream would be ended as if it were whole
    if (owed.ofApp) owed.guard(() => cutByUs.add(owed))
  }
  const interrupted = handlers.interrupt()
  hooks.interrupt()
  yield* cuts(server, interrupted)
  const over = Effect.suspend(() =>
    Effect.raceFirst(settled(server, hopeless), until(killingAt + policy.killTimeout - registry.now()))
  )
  if (!server.isCloseCalled()) {
    registry.grace ??= { newConnection: policy.newConnectionGrace, idle: policy.idleGrace, since: drainingAt }
    yield* Effect.raceFirst(over, server.closeCalled)
  }

  // an answer that has just been ended is written at the end of this turn
  yield* turn
  const left = Array.from(registry.open)
  // one that has had its last answer and our FIN leaves with those
  const cut = left.filter((open) => open.lingersUntil === Number.POSITIVE_INFINITY)
  const forced = cut.filter((open) => open.owed.length === 0).map(snapshot)
  yield* inBatches(left, (open) => {
    cutByUs.add(open)
    open.protocol.cut(open)
    return true
  })
  for (let turns = 0; registry.open.size > 0 && turns < cutTurns; turns++) {
    yield* turn
    // the last word to a peer has had its turns
    if (turns === lastWordTurns) { for (const open of registry.open) open.socket.destroy() }
  }
  if (server.isCloseCalled()) yield* over

  const now = registry.now()
  const requests = victims.flatMap((victim) => outcome(victim, cutByUs, now))
  // a response that was ended midway has taken its connection with it
  const lost = new Set([
    ...cut.map(({ id }) => id),
    ...requests.flatMap(({ answer, connection, stream }) =>
      answer === "truncated" && stream === undefined ? connection : []
    )
  ])
  return { requests, connections: lost.size, forced, interrupted, late503: victims.filter(isLate503).length }
})

interface Victim {
  readonly open: Open
  readonly owed: Owed
  readonly begun: boolean
  readonly remoteAddress: string
}

const victim = (open: Open, owed: Owed): Victim => ({
  open,
  owed,
  begun: owed.status !== undefined,
  remoteAddress: snapshot(open).remoteAddress
})

/** Its handler was interrupted, and answered in full that it could not answer. */
const isLate503 = ({ begun, owed: { answered, ofApp, status } }: Victim): boolean =>
  answered && ofApp && !begun && status === 503

/** What the client of a request got that was in flight at the deadline; nothing if that was the whole answer. */
const outcome = (victim: Victim, cutByUs: ReadonlySet<unknown>, now: number): ReadonlyArray<CutRequest> => {
  const { open, owed, remoteAddress } = victim
  const { answered, method, path, since, status, stream, told503 } = owed
  const cut = (answer: CutRequest["answer"]): ReadonlyArray<CutRequest> => [{
    connection: open.id,
    remoteAddress,
    method,
    path,
    ...(stream === undefined ? undefined : { stream }),
    age: Duration.millis(now - since),
    answer
  }]
  if (isLate503(victim) || told503) return cut("503")
  if (answered) return []
  // else its client left of its own accord
  return cutByUs.has(open) || cutByUs.has(owed) ? cut(status === undefined ? "none" : "truncated") : []
}
