/**
 * What a server tells of itself: its phase, its events, and each change of its connections.
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as SubscriptionRef from "effect/SubscriptionRef"
import type { ConnectionRegistry } from "../core/connectionRegistry.js"
import { changesOf, fromPush } from "../effect/streams.js"
import type { Connection } from "../model/connection.js"
import type { Phase } from "../model/policy.js"
import type { Event, ServerService } from "../model/server.js"
import { inOwnContext } from "../node/asyncContext.js"

/** How many events a reader may fall behind. */
const eventBuffer = 4096

export interface ServerEvents extends Pick<ServerService, "events" | "observe" | "phase"> {
  readonly emit: (event: Event) => void
  readonly setPhase: (phase: Phase) => Effect.Effect<void>
}

export const make = (registry: ConnectionRegistry): Effect.Effect<ServerEvents> =>
  Effect.map(SubscriptionRef.make<Phase>("Serving"), (phase) => {
    const readers = new Set<(event: Event) => void>()
    return {
      emit: (event) => {
        for (const reader of readers) reader(event)
      },
      setPhase: (next) => SubscriptionRef.set(phase, next),
      phase: {
        get: SubscriptionRef.get(phase),
        // whoever follows it to its end is not kept waiting for another one
        changes: Stream.takeUntil(changesOf(phase), (phase) => phase === "Closed")
      },
      observe: (observer) =>
        Effect.acquireRelease(
          Effect.sync(() => {
            // the same function may observe twice
            const own = (connection: Connection) => observer(connection)
            registry.observers.add(own)
            return own
          }),
          (own) => Effect.sync(() => registry.observers.delete(own))
        ).pipe(Effect.asVoid),
      events: fromPush<Event>(eventBuffer, (push) =>
        Effect.acquireRelease(
          Effect.map(SubscriptionRef.get(phase), (phase) => {
            // whoever reads goes on in the context of whoever wakes it
            const reader = inOwnContext((event: Event) => {
              push.single(event)
              if (event._tag === "PhaseChanged" && event.phase === "Closed") push.end()
            })
            const observer = (connection: Connection) => reader({ _tag: "ConnectionChanged", connection })
            readers.add(reader)
            registry.observers.add(observer)
            if (phase === "Closed") push.end()
            return { reader, observer }
          }),
          ({ observer, reader }) =>
            Effect.sync(() => {
              readers.delete(reader)
              registry.observers.delete(observer)
            })
        ))
    }
  })
