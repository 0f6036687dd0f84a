/**
 * What an admin listener shows of a server: its connections, the requests in flight, and its metrics.
 */
import * as Effect from "effect/Effect"
import { monotonicMillis } from "../effect/clock.js"
import { registrySnapshot } from "../effect/metrics.js"
import { healthPages } from "../health/healthPages.js"
import type { Connection } from "../model/connection.js"
import type { HealthService } from "../model/health.js"
import type { ActionRoute, Asked, EventsRoute, Page, PageRoute } from "../model/page.js"
import { Server } from "../model/server.js"
import { clip } from "../model/text.js"
import * as Prometheus from "../telemetry/prometheus.js"
import { viewOf } from "../telemetry/telemetry.js"
import { drainNow, makeToken } from "./drainAction.js"
import { index } from "./indexPage.js"
import { events, type Viewers } from "./live.js"

/** Without the query: it may be a secret, and a label is kept for as long as the metrics are. */
const pathname = (path: string): string => path.split("?", 1)[0] ?? path

/** How a path is shown: with its query only where the operator wants it. */
const shown = (showQuery: boolean) => (path: string): string => showQuery ? path : pathname(path)

/** How many requests the metrics name. */
const named = 10

interface InFlight {
  readonly method: string
  readonly path: string
  readonly ageMillis: number
  readonly connection: number
  readonly protocol: string
  readonly stream?: number
  readonly remoteAddress: string
}

/** What the times of a connection are measured with. */
const currentTime = Effect.clockWith((clock) => Effect.sync(monotonicMillis(clock)))

/** Oldest first. */
const inFlight = (connections: ReadonlyArray<Connection>, now: number): ReadonlyArray<InFlight> =>
  connections.flatMap(({ id, protocol, remoteAddress, inFlight }) =>
    inFlight.map(({ method, path, since, stream }): InFlight => ({
      method,
      path,
      ageMillis: now - since,
      connection: id,
      protocol,
      ...(stream === undefined ? undefined : { stream }),
      remoteAddress
    }))
  ).sort((a, b) => b.ageMillis - a.ageMillis)

/** How many there are besides those: of one connection, not all are listed. */
const unlisted = (connections: ReadonlyArray<Connection>): number =>
  connections.reduce((all, { moreInFlight = 0 }) => all + moreInFlight, 0)

const connections = (showQuery: boolean) =>
  Effect.gen(function*() {
    const show = shown(showQuery)
    const server = yield* Server
    const now = yield* currentTime
    return json({
      phase: yield* server.phase.get,
      connections: (yield* server.connections).map(({ connectedAt, inFlight, stateSince, ...connection }) => ({
        ...connection,
        ageMillis: now - connectedAt,
        stateMillis: now - stateSince,
        inFlight: inFlight.map(({ path, since, ...request }) => ({
          ...request,
          path: show(path),
          ageMillis: now - since
        }))
      }))
    })
  })

const requests = (showQuery: boolean) =>
  Effect.gen(function*() {
    const show = shown(showQuery)
    const server = yield* Server
    const now = yield* currentTime
    const connections = yield* server.connections
    const more = unlisted(connections)
    return json({
      phase: yield* server.phase.get,
      requests: inFlight(connections, now).map((request) => ({ ...request, path: show(request.path) })),
      ...(more > 0 ? { more } : undefined)
    })
  })

/** Read by people as much as by programs. */
const json = (body: unknown): Page => ({
  status: 200,
  contentType: "application/json",
  headers: { "cache-control": "no-store" },
  body: `${JSON.stringify(body, null, 2)}\n`
})

/** What OpenTelemetry allows as a method of a request (`http.request.method`); all others are one. */
const knownMethods = new Set(["CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE"])

const methodLabel = (method: string): string => knownMethods.has(method) ? method : "_OTHER"

/** A label is not a place for as long a path as a request may have. */
const pathLimit = 100

/** Pipelined requests of one connection differ in nothing but their age, and one line stands for all of them. */
const oldestOfEach = (oldestFirst: ReadonlyArray<InFlight>): ReadonlyArray<InFlight> => {
  const seen = new Set<string>()
  return oldestFirst.filter(({ connection, method, path, stream }) => {
    const key = JSON.stringify([connection, stream, methodLabel(method), clip(pathname(path), pathLimit)])
    return !seen.has(key) && seen.add(key)
  })
}

/** The requests that a shutdown waits for. In the registry, each would leave its labels behind for ever. */
const waitedFor = Effect.gen(function*() {
  const server = yield* Server
  const phase = yield* server.phase.get
  if (phase === "Serving") return []
  const connections = yield* server.connections
  const requests = inFlight(connections, yield* currentTime)
  const name = viewOf(server)?.telemetry.name
  const own = name === undefined ? [] : [["server", name]] as const
  return [
    Prometheus.gauge(
      "quiesce_shutdown_waiting_requests",
      "Requests in flight that the shutdown waits for",
      [{ labels: own, value: requests.length + unlisted(connections) }]
    ),
    Prometheus.gauge(
      "quiesce_shutdown_waiting_request_age_seconds",
      `Age of the requests in flight that the shutdown waits for, the ${named} oldest`,
      oldestOfEach(requests).slice(0, named).map(({ ageMillis, connection, method, path, remoteAddress, stream }) => ({
        labels: [
          ...own,
          ["connection", String(connection)],
          ...(stream === undefined ? [] : [["stream", String(stream)]] as const),
          ["method", methodLabel(method)],
          ["path", clip(pathname(path), pathLimit)],
          ["remote_address", remoteAddress]
        ],
        value: ageMillis / 1000
      }))
    )
  ]
})

/** All metrics of the process, as text. */
export const metricsText = (format: Prometheus.Format): Effect.Effect<string, never, Server> =>
  Effect.gen(function*() {
    return Prometheus.render([...Prometheus.ofRegistry(yield* registrySnapshot), ...yield* waitedFor], format)
  })

const metrics = ({ accept }: Asked): Effect.Effect<Page, never, Server> => {
  const format = /\bapplication\/openmetrics-text\b/i.test(accept) ? "openmetrics" : "text"
  return Effect.map(metricsText(format), (body) => ({
    status: 200,
    contentType: Prometheus.contentType[format],
    headers: {},
    body
  }))
}

export interface AdminRoutes<R> {
  readonly pages: ReadonlyArray<PageRoute<R | Server>>
  readonly events: EventsRoute<Server>
  readonly actions: ReadonlyArray<ActionRoute<Server>>
}

export interface AdminRoutesOptions {
  readonly actions: boolean
  readonly reasons: boolean
  readonly showQuery: boolean
  /** Suspends until these pages are answered no more. */
  readonly ended: Effect.Effect<void, never, Server>
}

export const adminRoutes = <R>(
  health: Effect.Effect<HealthService, never, R>,
  { actions, ended, reasons, showQuery }: AdminRoutesOptions
): AdminRoutes<R> => {
  const token = actions ? makeToken() : undefined
  const viewers: Viewers = { count: 0 }
  const show = shown(showQuery)
  return {
    pages: [
      ...healthPages(health, { reasons }),
      { path: "/", page: index({ show, token }) },
      { path: "/metrics", page: metrics },
      { path: "/connections", page: () => connections(showQuery) },
      { path: "/requests", page: () => requests(showQuery) }
    ],
    events: { path: "/events", events: events(viewers, show, ended) },
    actions: token === undefined ? [] : [{ path: "/drain", act: (posted) => drainNow(posted, token) }]
  }
}
