/**
 * Metrics. On Effect 3 a label is a value of `MetricLabel`, and the registry has keys and states; on Effect 4 labels are
 * a part of the context, and the registry has plain snapshots.
 */
import * as Effect from "effect/Effect"
import * as FiberRef from "effect/FiberRef"
import * as Metric from "effect/Metric"
import * as MetricBoundaries from "effect/MetricBoundaries"
import * as MetricKeyType from "effect/MetricKeyType"
import * as MetricLabel from "effect/MetricLabel"
import * as MetricState from "effect/MetricState"
import * as Option from "effect/Option"

/** Labels, ready for updates: to make them takes longer than to update. */
export type Labels = ReadonlyArray<MetricLabel.MetricLabel>

export interface Instrument {
  /** Adds to a counter, sets a gauge, or observes for a histogram. */
  readonly update: (value: number, labels: Labels) => void
}

const instrument = <Type, Out>(metric: Metric.Metric<Type, number, Out>, unit: string): Instrument => {
  // OTLP exporters take the unit from the label of that name
  const tagged = Metric.tagged(metric, "unit", unit)
  return { update: (value, labels) => tagged.unsafeUpdate(value, labels) }
}

export const gauge = (name: string, unit: string, description: string): Instrument =>
  instrument(Metric.gauge(name, { description }), unit)

/** One that only goes up. */
export const counter = (name: string, unit: string, description: string): Instrument =>
  instrument(Metric.counter(name, { description, incremental: true }), unit)

export const histogram = (
  name: string,
  unit: string,
  boundaries: ReadonlyArray<number>,
  description: string
): Instrument => instrument(Metric.histogram(name, MetricBoundaries.fromIterable(boundaries), description), unit)

export const noLabels: Labels = []

/** The labels that a fiber gives to all metrics. */
export const currentLabels: Effect.Effect<Labels> = FiberRef.get(FiberRef.currentMetricLabels)

export const withLabels = (labels: Labels, more: Readonly<Record<string, string>>): Labels => [
  ...labels,
  ...Object.entries(more).map(([name, value]) => MetricLabel.make(name, value))
]

/** What the registry has under one name and one set of labels. */
export interface Snapshot {
  readonly name: string
  readonly description: string | undefined
  readonly labels: ReadonlyArray<readonly [name: string, value: string]>
  readonly state: State
}

export type State =
  | { readonly kind: "counter"; readonly incremental: boolean; readonly count: number | bigint }
  | { readonly kind: "gauge"; readonly value: number | bigint }
  | { readonly kind: "frequency"; readonly occurrences: ReadonlyMap<string, number> }
  | {
    readonly kind: "histogram"
    readonly buckets: ReadonlyArray<readonly [boundary: number, count: number]>
    readonly count: number
    readonly sum: number
  }
  | {
    readonly kind: "summary"
    readonly quantiles: ReadonlyArray<readonly [quantile: number, value: number | undefined]>
    readonly count: number
    readonly sum: number
  }

/** All that the registry has. */
export const registrySnapshot: Effect.Effect<ReadonlyArray<Snapshot>> = Effect.map(
  Metric.snapshot,
  (pairs) =>
    Array.from(pairs).flatMap(({ metricKey, metricState }) => {
      const state = stateOf(metricKey.keyType, metricState)
      return state === undefined ? [] : [{
        name: metricKey.name,
        description: Option.getOrUndefined(metricKey.description),
        labels: metricKey.tags.map(({ key, value }) => [key, value] as const),
        state
      }]
    })
)

const stateOf = (type: unknown, state: unknown): State | undefined => {
  if (MetricState.isCounterState(state)) {
    return { kind: "counter", incremental: MetricKeyType.isCounterKey(type) && type.incremental, count: state.count }
  }
  if (MetricState.isGaugeState(state)) return { kind: "gauge", value: state.value }
  if (MetricState.isFrequencyState(state)) return { kind: "frequency", occurrences: state.occurrences }
  if (MetricState.isHistogramState(state)) {
    return { kind: "histogram", buckets: state.buckets, count: state.count, sum: state.sum }
  }
  if (!MetricState.isSummaryState(state)) return undefined
  const quantiles = state.quantiles.map(([quantile, value]) => [quantile, Option.getOrUndefined(value)] as const)
  return { kind: "summary", quantiles, count: state.count, sum: state.sum }
}
