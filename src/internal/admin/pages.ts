/**
 * What an admin listener shows of a server, or of all those of a process: where it is, its connections, the requests in
 * flight, and its metrics.
 */
import * as Effect from "effect/Effect"
import { monotonicMillis } from "../effect/clock.js"
import { registrySnapshot } from "../effect/metrics.js"
import { healthPages } from "../health/healthPages.js"
import type { Connection } from "../model/connection.js"
import type { HealthService } from "../model/health.js"
import type { ActionRoute, Asked, EventsRoute, Page, PageRoute } from "../model/page.js"
import type { PlainService } from "../model/server.js"
import { clip } from "../model/text.js"
import * as Prometheus from "../telemetry/prometheus.js"
import { viewOf } from "../telemetry/telemetry.js"
import type { Administered } from "./administered.js"
import { drainNow, makeToken } from "./drainAction.js"
import { index } from "./indexPage.js"
import { events, type Viewers } from "./live.js"
import { status } from "./statusPage.js"

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

/** Tells the servers of one process apart, where there are several. */
const serverLabel = (of: Administered, server: PlainService): { readonly server?: string } => {
  const name = viewOf(server)?.telemetry.name
  return name === undefined || of.servers().length === 1 ? {} : { server: name }
}

const connections = (of: Administered, show: (path: string) => string) =>
  Effect.gen(function*() {
    const now = yield* currentTime
    const connections = yield* Effect.forEach(of.servers(), (server) =>
      Effect.map(server.connections, (connections) =>
        connections.map(({ connectedAt, inFlight, stateSince, ...connection }) => ({
          ...serverLabel(of, server),
          ...connection,
          ageMillis: now - connectedAt,
          stateMillis: now - stateSince,
          inFlight: inFlight.map(({ path, since, ...request }) => ({
            ...request,
            path: show(path),
            ageMillis: now - since
          }))
        }))))
    return json({ phase: yield* of.phase, connections: connections.flat() })
  })

const requests = (of: Administered, show: (path: string) => string) =>
  Effect.gen(function*() {
    const now = yield* currentTime
    const all = yield* Effect.forEach(of.servers(), (server) =>
      Effect.map(server.connections, (connections) => ({
        requests: inFlight(connections, now).map((request) => ({
          ...serverLabel(of, server),
          ...request,
          path: show(request.path)
        })),
        more: unlisted(connections)
      })))
    const more = all.reduce((sum, { more }) => sum + more, 0)
    return json({
      phase: yield* of.phase,
      requests: all.flatMap(({ requests }) => requests).sort((a, b) => b.ageMillis - a.ageMillis),
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
const waitedFor = (of: Administered) =>
  Effect.gen(function*() {
    if ((yield* of.phase) === "Serving") return []
    const now = yield* currentTime
    const all = yield* Effect.forEach(of.servers(), (server) =>
      Effect.map(server.connections, (connections) => {
        const name = viewOf(server)?.telemetry.name
        return {
          own: name === undefined ? [] : [["server", name]] as const,
          requests: inFlight(connections, now),
          more: unlisted(connections)
        }
      }))
    return [
      Prometheus.gauge(
        "quiesce_shutdown_waiting_requests",
        "Requests in flight that the shutdown waits for",
        all.map(({ more, own, requests }) => ({ labels: own, value: requests.length + more }))
      ),
      Prometheus.gauge(
        "quiesce_shutdown_waiting_request_age_seconds",
        `Age of the requests in flight that the shutdown waits for, the ${named} oldest`,
        all.flatMap(({ own, requests }) => oldestOfEach(requests).map((request) => ({ own, request })))
          .sort((a, b) => b.request.ageMillis - a.request.ageMillis)
          .slice(0, named)
          .map(({ own, request: { ageMillis, connection, method, path, remoteAddress, stream } }) => ({
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
export const metricsText = (of: Administered, format: Prometheus.Format): Effect.Effect<string> =>
  Effect.gen(function*() {
    return Prometheus.render([...Prometheus.ofRegistry(yield* registrySnapshot), ...yield* waitedFor(of)], format)
  })

const metrics = (of: Administered, { accept }: Asked): Effect.Effect<Page> => {
  const format = /\bapplication\/openmetrics-text\b/i.test(accept) ? "openmetrics" : "text"
  return Effect.map(metricsText(of, format), (body) => ({
    status: 200,
    contentType: Prometheus.contentType[format],
    headers: {},
    body
  }))
}

export interface AdminRoutes<R> {
  readonly pages: ReadonlyArray<PageRoute<R>>
  readonly events: EventsRoute<R>
  readonly actions: ReadonlyArray<ActionRoute<R>>
}

export interface AdminRoutesOptions<R> {
  readonly actions: boolean
  readonly reasons: boolean
  readonly showQuery: boolean
  /** Suspends until these pages are answered no more. */
  readonly ended: Effect.Effect<void, never, R>
}

export const adminRoutes = <R1, R2>(
  administered: Effect.Effect<Administered, never, R1>,
  health: Effect.Effect<Pick<HealthService, "probe">, never, R2>,
  { actions, ended, reasons, showQuery }: AdminRoutesOptions<R1>
): AdminRoutes<R1 | R2> => {
  const token = actions ? makeToken() : undefined
  const viewers: Viewers = { count: 0 }
  const show = shown(showQuery)
  const page =
    (page: (of: Administered, asked: Asked) => Effect.Effect<Page>) => (asked: Asked): Effect.Effect<Page, never, R1> =>
      Effect.flatMap(administered, (of) => page(of, asked))
  return {
    pages: [
      ...healthPages(health, { reasons }),
      { path: "/", page: page((of, asked) => index({ of, show, token })(asked)) },
      { path: "/status", page: page((of) => Effect.map(status(of, show), json)) },
      { path: "/metrics", page: page(metrics) },
      { path: "/connections", page: page((of) => connections(of, show)) },
      { path: "/requests", page: page((of) => requests(of, show)) }
    ],
    events: {
      path: "/events",
      events: Effect.flatMap(
        administered,
        (of) =>
          Effect.flatMap(Effect.context<R1>(), (context) => events(of, viewers, show, Effect.provide(ended, context)))
      )
    },
    actions: token === undefined ? [] : [{
      path: "/drain",
      act: (posted) => Effect.flatMap(administered, (of) => drainNow(of, posted, token))
    }]
  }
}
