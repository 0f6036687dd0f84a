/**
 * How a server stops, from top to bottom in the order in which things happen: LameDuck, Draining, the deadline, Closed.
 */
import * as Effect from "effect/Effect"
import type { ConnectionRegistry } from "../core/connectionRegistry.js"
import { recallCut, watchIfUsed } from "../core/cutElsewhere.js"
import { abortRemaining, lostElsewhere } from "./kill.js"
import { endLongLived } from "./longLived.js"
import { countsOf, reportOf } from "./report.js"
import type { ServerContext } from "./serverContext.js"
import { awaitDrained, hasSettled, inBatches, isQuiescent } from "./settle.js"
import { noTurns, takeTurnsInLameDuck, type Turns } from "./turns.js"

export const drain = Effect.fnUntraced(function*(server: ServerContext) {
  const { hooks, listeners, observer, policy, registry } = server
  const { now } = registry
  const startedAt = now()
  const before = countsOf(registry)
  const turns = noTurns()

  recallCut(registry)
  const lameDuck = server.lameDuck()
  const isLameDuck = lameDuck > 0 && !server.closeCalled.isOpen
  if (!isLameDuck) registry.advance({ to: "ClosingListeners" })
  yield* closeGracefully(registry)
  if (isLameDuck) {
    yield* server.enter("LameDuck")
    yield* Effect.raceFirst(
      server.lameDuckOver.within(lameDuck),
      Effect.zipRight(takeTurnsInLameDuck(server, turns, lameDuck), Effect.never)
    ).pipe(observer.step("lame_duck"))
  }

  const drainingAt = now()
  const graceful = !server.closeCalled.isOpen
  if (graceful) {
    yield* server.enter("Draining")
    // `close` bounds it as well
    const deadline = Effect.zipRight(server.bounded.await, server.closeCalled.within(policy.timeout))
    // said before the drain lets go of what it holds
    const tooLate = Effect.sync(() => {
      registry.advance({ to: "Aborting" })
    })
    yield* Effect.raceFirst(drained(server, drainingAt, turns), Effect.zipRight(deadline, tooLate)).pipe(
      observer.step("draining")
    )
  }
  for (const listener of listeners) listener.closeNow()
  server.rejectPending()
  if (graceful) hooks.start()

  const killingAt = now()
  const cutElsewhere = lostElsewhere(registry, startedAt)
  const aborted = yield* abortRemaining(server, drainingAt).pipe(
    isQuiescent(server) ? (nothing) => nothing : observer.step("kill")
  )

  return reportOf(server, before, { startedAt, drainingAt, killingAt, cutElsewhere, aborted })
})

/** Stops accepting, starts the hooks, and waits until nothing is owed to anybody. */
const drained = Effect.fnUntraced(function*(server: ServerContext, since: number, turns: Turns) {
  yield* Effect.forEach(server.listeners, (listener) => listener.close, { concurrency: "unbounded", discard: true })
    .pipe(server.observer.step("close_listeners", { "quiesce.listeners": server.listeners.size }))
  server.rejectPending()
  server.registry.advance({
    to: "Draining",
    grace: { newConnection: server.policy.newConnectionGrace, idle: server.policy.idleGrace, since }
  })
  yield* closeGracefully(server.registry)
  server.hooks.start()
  if (!isQuiescent(server)) server.begunToWait()
  yield* Effect.raceFirst(awaitDrained(server, hasSettled), Effect.zipRight(endLongLived(server, turns), Effect.never))
    .pipe(
      server.observer.step("wait")
    )
})

const closeGracefully = (registry: ConnectionRegistry) =>
  inBatches(registry.connections, (connection) => {
    watchIfUsed(connection)
    return connection.protocol.gracefulClose()
  })
