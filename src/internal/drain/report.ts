/**
 * What a shutdown says when it is over, from what was counted before it and what has happened in it.
 */
import * as Duration from "effect/Duration"
import type { ConnectionRegistry } from "../core/connectionRegistry.js"
import type { Connection } from "../model/connection.js"
import type { CutRequest, Report } from "../model/report.js"
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

/** Requests that were cut, and how many connections they have lost. */
export interface Cut {
  readonly requests: ReadonlyArray<CutRequest>
  readonly connections: number
}

/** What was done at the deadline. */
export interface Killed extends Cut {
  readonly forceClosed: ReadonlyArray<Connection>
  /** Handlers that were interrupted. */
  readonly interrupted: number
}

/** When the phases began, on the clock of the server, and what was cut in them. */
export interface Course {
  readonly startedAt: number
  readonly drainingAt: number
  readonly killingAt: number
  /** Cut by other code. */
  readonly lost: Cut
  readonly killed: Killed
}

export const reportOf = (server: ServerContext, before: Counts, course: Course): Report => {
  const { handlers, hooks, registry } = server
  const { drainingAt, killed, killingAt, lost, startedAt } = course
  const endedAt = registry.now()
  const idleClosed = registry.idleClosed - before.idleClosed
  const cut = killed.connections + lost.connections
  return {
    outcome: server.isCloseCalled()
      ? "Closed"
      : killed.requests.length > 0
      ? "DeadlineExceeded"
      : lost.requests.length > 0
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
    cut: [...lost.requests, ...killed.requests],
    endedStreams: registry.endedStreams.map(({ endedAt, since, ...stream }) => ({
      ...stream,
      age: Duration.millis(endedAt - since)
    })),
    forceClosed: killed.forceClosed,
    handlers: { interrupted: killed.interrupted, abandoned: handlers.fibers.size },
    hooks: hooks.finish()
  }
}
