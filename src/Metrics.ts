/**
 * What a server does as Effect metrics, for whatever reads those: an OTLP exporter, or a page for Prometheus. They are
 * read off the server at an interval, so that no request and no connection pays for them; a shutdown adds its last
 * values before its report is there.
 *
 * | metric | labels | |
 * | --- | --- | --- |
 * | `quiesce_connections` | `state`, `protocol` | open connections |
 * | `quiesce_requests_in_flight` | | requests that have not got their whole response yet |
 * | `quiesce_phase` | `phase` | 1 for the phase that the server is in, 0 for the others |
 * | `quiesce_connections_accepted_total` | | |
 * | `quiesce_connections_idle_closed_total` | | closed because idle or never used |
 * | `quiesce_connections_force_closed_total` | | closed at the deadline, or by `close`, with no request in flight |
 * | `quiesce_accept_errors_total` | | connections that the system could not accept |
 * | `quiesce_requests_served_total` | | answered in full |
 * | `quiesce_requests_cut_total` | `client_received` | did not get their whole response in a shutdown |
 * | `quiesce_handlers_abandoned_total` | | ignored interruption, and were left behind |
 * | `quiesce_background_tasks` | | background work that runs |
 * | `quiesce_background_failed_total` | | background work that has failed |
 * | `quiesce_background_lost_total` | | interrupted or left behind in a shutdown |
 * | `quiesce_shutdown_duration_seconds` | `outcome` | histogram: from its beginning to its report |
 * | `quiesce_drain_duration_seconds` | `outcome` | histogram: from the closing of the listeners to the end, or the deadline |
 * | `quiesce_hook_duration_seconds` | `hook`, `outcome` | histogram, whose count is the number of hooks |
 * | `quiesce_log_errors_total` | | lines that could not be logged; of the process, and so without `server` |
 *
 * Each has the label `server` besides, which tells the servers of one process apart, and `unit` (not on the page of `Admin`).
 *
 * While a shutdown waits, the page of `Admin` has two more, which are in no registry, because their labels would stay
 * there for ever: `quiesce_shutdown_waiting_requests`, and for the ten oldest of those
 * `quiesce_shutdown_waiting_request_age_seconds` with `connection`, `stream` (HTTP/2), `method`, `path` and
 * `remote_address`.
 *
 * **Gotchas**
 *
 * - Whatever exports the metrics must outlive the server, or it misses the last ones: provide it to the layers of the
 *   server (`Layer.provide(OtlpLive)` last), and not beside them.
 * - They are those of one process. Of the workers of `Handoff.launchWorkers`, each has its own: export them by OTLP, with
 *   an attribute of the resource that tells the workers apart.
 * - How long requests take, and by which route, is the app's to measure (`HttpMiddleware`).
 *
 * @since 0.1.0
 * @module
 */

import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { currentLabels, withLabels } from "./internal/effect/metrics.js"
import { checkNames } from "./internal/policy/optionNames.js"
import { duration } from "./internal/policy/policy.js"
import { Sampler } from "./internal/telemetry/sampler.js"
import { watch } from "./internal/telemetry/watching.js"
import { Server } from "./Server.js"
import { InvalidPolicy } from "./Shutdown.js"

/** While a server stops, a value that is seconds old is of no use. */
const stoppingMillis = 1000

const leastMillis = 10

/**
 * Keeps the metrics of a server up to date, every `interval` (default: 5 seconds; while the server stops, at least once
 * a second). When the layer is released they stand still, until a shutdown, which they show to its end.
 *
 * Fails with `InvalidPolicy` where the interval is shorter than 10 milliseconds, or none.
 *
 * **Example**
 *
 * ```ts
 * import { HttpLayerRouter, HttpServerResponse } from "@effect/platform"
 * import { Layer } from "effect"
 * import { Metrics, NodeHttpServer } from "quiesce"
 * import { createServer } from "node:http"
 *
 * const HttpLive = HttpLayerRouter.serve(HttpLayerRouter.add("GET", "/", HttpServerResponse.text("hello\n"))).pipe(
 *   Layer.provide(Metrics.layer({ server: "public", interval: "10 seconds" })),
 *   Layer.provide(NodeHttpServer.layer(() => createServer(), { port: 3000 }))
 * )
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options: {
  /** How often to look. Default: 5 seconds. */
  readonly interval?: Duration.DurationInput | undefined
  /** The label `server` of all metrics. Default: a number, in the order in which servers were first measured. */
  readonly server?: string | undefined
} = {}): Layer.Layer<never, InvalidPolicy, Server> =>
  Layer.scopedDiscard(Effect.gen(function*() {
    const server = yield* Server
    yield* checkNames("options", options, ["interval", "server"])
    const { interval: input = "5 seconds" } = options
    const interval = yield* Effect.filterOrFail(
      duration("interval", input),
      (millis) => millis >= leastMillis,
      () => new InvalidPolicy({ field: "interval", value: input, expected: `${leastMillis} milliseconds or more` })
    )
    const labels = yield* currentLabels
    yield* watch(server, (view) => {
      if (options.server !== undefined) view.telemetry.name = options.server
      const sampler = new Sampler(view, withLabels(labels, { server: view.telemetry.name }))
      return {
        look: () => sampler.sample(),
        pause: (stopping) => stopping ? Math.min(interval, stoppingMillis) : interval,
        onRelease: () => sampler.sample(),
        onReport: (report) => sampler.report(report)
      }
    })
  }))
