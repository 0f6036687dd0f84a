/**
 * Effect's metrics of one server: read off its registry from time to time, and off its report at the end.
 */
import * as Duration from "effect/Duration"
import * as Metrics from "../effect/metrics.js"
import { type Phase, phases as allPhases } from "../model/policy.js"
import { isLost, type Report } from "../model/report.js"
import type { WatchedServer } from "./telemetry.js"

const gauge = (name: string, unit: string, description: string) => Metrics.gauge(`quiesce_${name}`, unit, description)

const counter = (name: string, unit: string, description: string) =>
  Metrics.counter(`quiesce_${name}_total`, unit, description)

const seconds = [
  0.01,
  0.025,
  0.05,
  0.1,
  0.25,
  0.5,
  1,
  2.5,
  5,
  10,
  15,
  20,
  30,
  60,
  120,
  300
]

const histogram = (name: string, description: string) =>
  Metrics.histogram(`quiesce_${name}_seconds`, "s", seconds, description)

const openConnections = gauge("connections", "{connection}", "Open connections")
const inFlight = gauge("requests_in_flight", "{request}", "Requests that have not got their whole response yet")
const phases = gauge("phase", "{server}", "1 for the phase that the server is in, 0 for the others")
const accepted = counter("connections_accepted", "{connection}", "Connections accepted")
const acceptErrors = counter("accept_errors", "{error}", "Connections that the system could not accept")
const served = counter("requests_served", "{request}", "Requests answered in full")
const idleClosed = counter("connections_idle_closed", "{connection}", "Connections closed because idle or never used")
const forceClosed = counter(
  "connections_force_closed",
  "{connection}",
  "Connections force-closed with no request in flight"
)
const cut = counter("requests_cut", "{request}", "Requests that did not get their whole response in a shutdown")
const abandoned = counter("handlers_abandoned", "{handler}", "Handlers that ignored interruption and were left behind")
const backgroundRunning = gauge("background_tasks", "{task}", "Background tasks that run")
const backgroundFailed = counter("background_failed", "{task}", "Background tasks that have failed")
const backgroundLost = counter("background_lost", "{task}", "Background tasks interrupted or left behind in a shutdown")
const shutdownDuration = histogram("shutdown_duration", "From the beginning of a shutdown to its report")
const drainDuration = histogram("drain_duration", "From the closing of the listeners to the end, or to the deadline")
const hookDuration = histogram("hook_duration", "How long the hooks took")

const outcomes: ReadonlyArray<Report["cut"][number]["clientReceived"]> = ["503", "truncated", "none"]

/** A client may ask for an upgrade to anything, and no metric forgets a label. */
const protocols = new Set(["http/1.1", "h2", "tls", "tcp", "websocket", "connect"])

export const protocolLabel = (protocol: string): string => protocols.has(protocol) ? protocol : "other"

interface Series {
  readonly labels: Metrics.Labels
  count: number
}

export class Sampler {
  readonly #server: WatchedServer
  readonly #common: Metrics.Labels
  readonly #connections = new Map<string, Series>()
  readonly #phases: ReadonlyArray<readonly [Phase, Metrics.Labels]>
  readonly #seen = { accepted: 0, acceptErrors: 0, served: 0, idleClosed: 0, backgroundFailed: 0 }

  constructor(server: WatchedServer, common: Metrics.Labels) {
    this.#server = server
    this.#common = common
    this.#phases = allPhases.map((phase) => [phase, this.#labels({ phase })])
    // a counter that appears with its first increase looks as if there had been none
    for (const received of outcomes) cut.update(0, this.#labels({ client_received: received }))
    for (const counter of [forceClosed, abandoned, backgroundLost]) counter.update(0, common)
  }

  #labels(labels: Readonly<Record<string, string>>): Metrics.Labels {
    return Metrics.withLabels(this.#common, labels)
  }

  sample(phase: Phase = this.#server.telemetry.phase): void {
    const { background, registry, telemetry } = this.#server
    let requests = 0
    for (const series of this.#connections.values()) series.count = 0
    for (const { exchanges, protocol, state } of registry.connections) {
      requests += exchanges.size
      this.#seriesOf(state, protocol.name).count++
    }
    for (const { count, labels } of this.#connections.values()) openConnections.update(count, labels)
    inFlight.update(requests, this.#common)
    for (const [each, labels] of this.#phases) phases.update(each === phase ? 1 : 0, labels)
    const seen = this.#seen
    accepted.update(registry.accepted - seen.accepted, this.#common)
    served.update(registry.served - seen.served, this.#common)
    idleClosed.update(registry.idleClosed - seen.idleClosed, this.#common)
    acceptErrors.update(telemetry.acceptErrors - seen.acceptErrors, this.#common)
    backgroundRunning.update(background.size, this.#common)
    backgroundFailed.update(background.failed - seen.backgroundFailed, this.#common)
    seen.backgroundFailed = background.failed
    seen.accepted = registry.accepted
    seen.served = registry.served
    seen.idleClosed = registry.idleClosed
    seen.acceptErrors = telemetry.acceptErrors
  }

  #seriesOf(state: string, protocol: string): Series {
    const name = protocolLabel(protocol)
    const key = `${state} ${name}`
    let series = this.#connections.get(key)
    if (series === undefined) {
      series = { labels: this.#labels({ state, protocol: name }), count: 0 }
      this.#connections.set(key, series)
    }
    return series
  }

  report(report: Report): void {
    this.sample("Closed")
    const { outcome } = report
    shutdownDuration.update(Duration.toSeconds(report.duration), this.#labels({ outcome }))
    drainDuration.update(Duration.toSeconds(report.draining), this.#labels({ outcome }))
    forceClosed.update(report.forceClosed.length, this.#common)
    abandoned.update(report.handlers.abandoned, this.#common)
    for (const received of outcomes) {
      const all = report.cut.filter((each) => each.clientReceived === received).length
      if (all > 0) cut.update(all, this.#labels({ client_received: received }))
    }
    backgroundLost.update(
      report.background.filter(isLost).reduce((all, { count }) => all + count, 0),
      this.#common
    )
    for (const { duration, name, outcome } of report.hooks) {
      hookDuration.update(Duration.toSeconds(duration), this.#labels({ hook: name, outcome }))
    }
  }
}
