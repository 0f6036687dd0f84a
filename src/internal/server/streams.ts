/**
 * What a server tells as streams. They are apart from it: Effect's streams take a third of the time in which a program
 * without Effect starts.
 */
import * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"
import { fromPush } from "../effect/streams.js"
import type { Phase } from "../model/policy.js"
import type { Current, Event, ServerService } from "../model/server.js"
import { inOwnContext } from "../node/asyncContext.js"
import type { Telemetry } from "../telemetry/telemetry.js"
import type { ServerEvents } from "./events.js"
import type { ServerHandle } from "./make.js"

/** How many events a reader may fall behind. */
const eventBuffer = 4096

/** A server has fewer. */
const phaseBuffer = 16

/** A server of a program on Effect. */
export interface StreamingHandle<A> extends ServerHandle<A> {
  readonly service: ServerService
}

/** The service is the same object as before. */
export const withStreams = <A>({ events, telemetry, ...handle }: ServerHandle<A>): StreamingHandle<A> => ({
  ...handle,
  events,
  telemetry,
  service: Object.assign(handle.service, { phase: phaseOf(telemetry), events: eventsOf(events, telemetry) })
})

const phaseOf = (telemetry: Telemetry): Current<Phase> => ({
  get: Effect.sync(() => telemetry.phase),
  changes: fromPush<Phase>(phaseBuffer, (push) => {
    // whoever reads goes on in the context of whoever wakes it
    const reader = inOwnContext((phase: Phase) => {
      push.single(phase)
      // whoever follows it to its end is not kept waiting for another one
      if (phase === "Closed") push.end()
    })
    return Effect.acquireRelease(Effect.sync(() => telemetry.follow(reader)), (leave) => Effect.sync(leave))
  })
})

const eventsOf = (events: ServerEvents, telemetry: Telemetry): Stream.Stream<Event> =>
  fromPush<Event>(eventBuffer, (push) => {
    const reader = inOwnContext((event: Event) => {
      push.single(event)
      if (event._tag === "PhaseChanged" && event.phase === "Closed") push.end()
    })
    return Effect.zipRight(
      events.tell(reader),
      Effect.sync(() => telemetry.phase === "Closed" && push.end())
    )
  })
