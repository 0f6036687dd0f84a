/**
 * What never ends by itself, and how a drain ends it: peers of upgraded connections (WebSockets) are asked to leave, and
 * event streams end. Hooks, and whoever has heard of the shutdown, may send them a last message before that.
 */
import * as Effect from "effect/Effect"
import * as RealTime from "../node/realTime.js"
import { clearTimeout, setTimeout } from "../node/timers.js"
import type { Registry } from "../core/connections.js"
import type { Stopping } from "./drain.js"
import { inBatches } from "./settle.js"
import { turn } from "./turn.js"

/**
 * How long, in milliseconds, hooks that still run may keep long-lived connections and responses open; and never longer
 * than half of `timeout`, so that their clients have the other half to leave.
 */
const lastMessageMillis = 500

/** How long they stay open in any case: who hears of the shutdown by a signal, or an event, is no hook. */
const leastMillis = 50

/** How many turns of the event loop a message takes that a hook has sent last, through queues and transforms. */
const lastMessageTurns = 4

export const endLongLived = Effect.fnUntraced(function*(server: Stopping) {
  const { hooks, policy, registry } = server
  const limit = Math.min(lastMessageMillis, Math.floor(policy.timeout / 2))
  const least = Math.min(leastMillis, policy.idleGrace === "promised" ? leastMillis : policy.idleGrace, limit)
  yield* Effect.raceFirst(Effect.zipRight(rest(least), hooks.ended), RealTime.sleep(limit))
  for (let turns = 0; turns < lastMessageTurns; turns++) yield* turn
  registry.endingLongLived = true
  server.endEventStreams()
  yield* endAll(registry)
})

const endAll = (registry: Registry) =>
  inBatches(registry.open, (open) => {
    const { told } = open
    let ended = 0
    if (registry.endsEventStreams) {
      // what a handler does when it sees its client leave may be anything
      for (const owed of Array.from(open.owed)) if (owed.endEventStream()) ended++
    }
    if (open.state === "Hijacked") open.protocol.leave(open)
    return ended > 0 || open.told !== told
  })

/** The time is up, or `close` was called, before a drain has come to that: upgraded peers are told why they are cut. */
export const sayGoingAway = Effect.fnUntraced(function*(registry: Registry) {
  if (registry.grace === undefined || registry.endingLongLived) return
  registry.endingLongLived = true
  let count = 0
  yield* inBatches(registry.open, (open) => {
    const { told } = open
    if (open.state === "Hijacked") open.protocol.leave(open)
    if (open.told === told) return false
    count++
    return true
  })
  for (let turns = 0; count > 0 && turns < lastMessageTurns; turns++) yield* turn
})

/** Not by the server's clock: how long a message is on its way does not depend on anybody's idea of the time. */
const rest = (millis: number): Effect.Effect<void> =>
  millis === 0 ? Effect.void : Effect.async<void>((resume) => {
    const timer = setTimeout(() => resume(Effect.void), millis)
    return Effect.sync(() => clearTimeout(timer))
  })
