/**
 * How long a connection of HTTP/1.1 with nothing in flight stays while its server drains.
 */
import type * as Http from "node:http"
import type { TrackedConnection } from "../core/connection.js"
import { announcedMillis, idleUntil as untilOf } from "../core/idleGrace.js"
import type { Grace } from "../core/lifecycle.js"
import { lingerMillis } from "../core/protocol.js"
import { activeParsers, parserOf, serverOf } from "../node/internals.js"

/** The rest of a request that has been answered, and how far its client had come with it when it was looked at last. */
interface Rest {
  readonly request: Http.IncomingMessage
  bytesRead: number
  until: number
}

/** What is kept of the last answer of a connection. Most connections have none: nothing depends on theirs. */
export interface LastAnswer {
  /** Its raw head, where the policy needs its `Keep-Alive: timeout`. */
  head: string | undefined
  /** Its client may still be sending the rest of the request. */
  rest: Rest | undefined
}

/** A request was answered before all of it had come. */
export const restOf = (request: Http.IncomingMessage, { registry, socket }: TrackedConnection): Rest => ({
  request,
  bytesRead: socket.bytesRead,
  until: registry.now() + lingerMillis
})

/** Until when a connection stays, on the clock of its server. */
export const keepUntil = (connection: TrackedConnection, grace: Grace, last: LastAnswer | undefined): number => {
  const { state } = connection
  if (connection.exchanges.size > 0) return Number.POSITIVE_INFINITY
  if (connection.isClosing) return connection.lingersUntil
  if (state === "New") {
    return connection.socket.bytesRead > 0 ? Number.POSITIVE_INFINITY : connection.connectedAt + grace.newConnection
  }
  return state === "Idle" ? idleUntil(connection, grace, last) : Number.POSITIVE_INFINITY
}

const idleUntil = (connection: TrackedConnection, grace: Grace, last: LastAnswer | undefined): number => {
  const { registry, since } = connection
  if (connection.awaitsTurn) return Number.POSITIVE_INFINITY
  const until = untilOf(grace, since, registry.lastUse, () => keepAliveMillis(connection, last?.head))
  // asked last, for it costs the most
  return until <= registry.now() && isMidMessage(connection) ? restUntil(connection, last?.rest, until) : until
}

/**
 * In the middle of a message: one that comes is waited for, and the rest of one that has been answered for as long as
 * it goes on coming, so that its client reads the answer and meets no RST.
 */
const restUntil = ({ registry, socket }: TrackedConnection, rest: Rest | undefined, until: number): number => {
  if (rest === undefined || rest.request.complete) return Number.POSITIVE_INFINITY
  if (rest.bytesRead !== socket.bytesRead) {
    rest.bytesRead = socket.bytesRead
    rest.until = registry.now() + lingerMillis
  }
  return Math.max(until, rest.until)
}

/** The `Keep-Alive: timeout` of the last response, in milliseconds; what the server would announce if it had none. */
const keepAliveMillis = ({ socket }: TrackedConnection, head = ""): number => {
  const announced = /^keep-alive:.*?timeout=(\d+)/im.exec(head)?.[1]
  if (announced !== undefined) return Number(announced) * 1000
  return announcedMillis(serverOf(socket)?.keepAliveTimeout ?? 0)
}

/**
 * Whether Node's parser is in the middle of a message: only the parser sees half a head that arrived together with the
 * request before it. Where Node does not say, it is taken to be between messages, where the graces still hold.
 */
export const isMidMessage = ({ registry: { parserCache }, socket }: TrackedConnection): boolean => {
  const parser = parserOf(socket)
  const server = serverOf(socket)
  if (parser === undefined || server === undefined) return false
  const known = parserCache?.get(server) as ReadonlySet<unknown> | undefined
  if (known !== undefined) return known.has(parser)
  const active = activeParsers(server)
  if (parserCache === undefined) return active.includes(parser)
  const all = new Set(active)
  parserCache.set(server, all)
  return all.has(parser)
}
