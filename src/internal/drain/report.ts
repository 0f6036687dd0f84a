/**
 * What a shutdown says when it is over, from what was counted before it and what has happened in it.
 */
import * as Duration from "effect/Duration"
import type { ConnectionRegistry } from "../core/connectionRegistry.js"
import type { Connection } from "../model/connection.js"
import { type CutRequest, isLost, type Report } from "../model/report.js"
import type { ServerContext } from "./serverContext.js"

/** What a server has counted when its shutdown begins. */
export interface Counts {
  readonly open: number
  readonly accepted: number
  readonly closed: number
  readonly idleClosed: number
  readonly served: number
}

export const countsOf = ({ accepted, closed, connections, idleClosed, served }: ConnectionRegistry): Counts => ({
  open: connections.size,
  accepted,
  closed,
  idleClosed,
  served
})

/** Requests that were cut, and how many connections were lost with them. */
export interface Cut {
  readonly requests: ReadonlyArray<CutRequest>
  readonly connections: number
}

/** What was done at the deadline. */
export interface Aborted extends Cut {
  readonly forceClosed: ReadonlyArray<Connection>
  /** Handlers that were interrupted. */
  readonly interrupted: number
}

/** When the phases began, on the clock of the server, and what was cut in them. */
export interface Timeline {
  readonly startedAt: number
  readonly drainingAt: number
  readonly killingAt: number
  /** Cut by other code. */
  readonly cutElsewhere: Cut
  readonly aborted: Aborted
}

export const reportOf = (server: ServerContext, before: Counts, timeline: Timeline): Report => {
  const { handlers, hooks, registry } = server
  const background = server.background.finish()
  const { aborted, cutElsewhere, drainingAt, killingAt, startedAt } = timeline
  const endedAt = registry.now()
  const idleClosed = registry.idleClosed - before.idleClosed
  const cut = aborted.connections + cutElsewhere.connections
  return {
    outcome: server.closeCalled.isOpen
      ? "Closed"
      : aborted.requests.length > 0 || background.some(isLost)
      ? "DeadlineExceeded"
      : cutElsewhere.requests.length > 0
      ? "Cut"
      : "Drained",
    startedAt,
    duration: Duration.millis(endedAt - startedAt),
    lameDuck: Duration.millis(drainingAt - startedAt),
    draining: Duration.millis(killingAt - drainingAt),
    killing: Duration.millis(endedAt - killingAt),
    served: registry.served - before.served,
    connections: {
      open: before.open,
      accepted: registry.accepted - before.accepted,
      completed: registry.closed - before.closed - idleClosed - cut,
      idleClosed,
      cut
    },
    cut: [...cutElsewhere.requests, ...aborted.requests],
    endedStreams: registry.endedStreams.map(({ endedAt, since, ...stream }) => ({
      ...stream,
      age: Duration.millis(endedAt - since)
    })),
    forceClosed: aborted.forceClosed,
    handlers: { interrupted: aborted.interrupted, abandoned: handlers.fibers.size },
    hooks: hooks.finish(),
    background
  }
}
