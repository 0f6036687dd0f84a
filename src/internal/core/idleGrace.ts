/**
 * Until when a connection of HTTP/1.1 that is idle may stay while its server drains: arithmetic alone, which `quiesce plan`
 * does with the times of its simulation.
 */
import type { Grace } from "./lifecycle.js"

/**
 * How long a connection that was idle when draining started is given at the least: its next request may be on the
 * wire, in a kernel buffer or behind a busy event loop. Each request that comes on another connection shows that such
 * requests are still coming, and each answer may make its client ask again, on any connection of its pool: they give the
 * rest as long again, for `idleGrace` at the most.
 */
const crossingMillis = 50

/** Node's own allowance on top of the keep-alive timeout that it announces, for the time on the wire. */
const keepAliveBufferMillis = 1000

/** What Node announces of a `keepAliveTimeout`: whole seconds. */
export const announcedMillis = (keepAliveTimeout: number): number => Math.floor(keepAliveTimeout / 1000) * 1000

/**
 * `since` is when it went idle, and `lastUse` when any connection of the server was used last. What its last response has
 * announced is asked for only where the grace depends on it.
 */
export const idleUntil = (grace: Grace, since: number, lastUse: number, announced: () => number): number =>
  grace.idle === "keepAliveTimeout"
    ? since + announced() + keepAliveBufferMillis
    : Math.max(since + grace.idle, crossing(lastUse, grace.since, grace.idle))

const crossing = (lastUse: number, since: number, idleGrace: number): number =>
  Math.min(since + idleGrace, Math.max(since, lastUse) + crossingMillis)
