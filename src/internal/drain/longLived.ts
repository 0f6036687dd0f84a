/**
 * What never ends by itself, and how a drain ends it: peers of upgraded connections (WebSockets) are asked to leave, and
 * event streams end. Hooks, and whoever has heard of the shutdown, may send them a last message before that.
 */
import * as Effect from "effect/Effect"
import type { ConnectionRegistry } from "../core/connectionRegistry.js"
import * as RealTime from "../effect/realTime.js"
import { clearTimeout, setTimeout } from "../node/timers.js"
import { nextMacrotask } from "../node/turn.js"
import type { ServerContext } from "./serverContext.js"
import { inBatches } from "./settle.js"
import { leave, takeTurnsInDrain, type Turns } from "./turns.js"

/**
 * How long, in milliseconds, hooks that still run may keep long-lived connections and responses open; and never longer
 * than half of `timeout`, so that their clients have the other half to leave.
 */
const lastMessageMillis = 500

/** How long they stay open in any case: who hears of the shutdown by a signal, or an event, is no hook. */
const leastMillis = 50

/** How many turns of the event loop a message takes that a hook has sent last, through queues and transforms. */
const lastMessageTurns = 4

export const endLongLived = Effect.fnUntraced(function*(server: ServerContext, turns: Turns) {
  const { hooks, policy, registry } = server
  const since = registry.now()
  const limit = Math.min(lastMessageMillis, Math.floor(policy.timeout / 2))
  const least = Math.min(leastMillis, policy.idleGrace === "keepAliveTimeout" ? leastMillis : policy.idleGrace, limit)
  yield* Effect.raceFirst(Effect.zipRight(rest(least), hooks.ended), RealTime.sleep(limit))
  for (let turns = 0; turns < lastMessageTurns; turns++) yield* nextMacrotask
  yield* takeTurnsInDrain(server, turns, Math.floor(policy.timeout / 2) - (registry.now() - since))
  registry.advance({ to: "EndLongLived" })
  yield* inBatches(registry.connections, (connection) => leave(registry, connection))
  // those that have kept until their turn
  if (registry.takesTurns) server.woken.open()
})

/** The time is up, or `close` was called, before a drain has come to that: upgraded peers are told why they are cut. */
export const sayGoingAway = Effect.fnUntraced(function*(registry: ConnectionRegistry) {
  const { endsLongLived, grace } = registry.lifecycle
  if (endsLongLived) return
  registry.advance({ to: "EndLongLived" })
  let count = 0
  yield* inBatches(registry.connections, (connection) => {
    // before a drain has begun, whatever was not upgraded hears of it as it is cut
    if (grace === undefined && connection.state !== "Hijacked") return false
    if (!connection.protocol.gracefulClose()) return false
    count++
    return true
  })
  for (let turns = 0; count > 0 && turns < lastMessageTurns; turns++) yield* nextMacrotask
})

/** Not by the server's clock: how long a message is on its way does not depend on anybody's idea of the time. */
const rest = (millis: number): Effect.Effect<void> =>
  millis === 0 ? Effect.void : Effect.async<void>((resume) => {
    const timer = setTimeout(() => resume(Effect.void), millis)
    return Effect.sync(() => clearTimeout(timer))
  })
