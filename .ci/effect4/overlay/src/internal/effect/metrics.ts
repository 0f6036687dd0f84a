/**
 * Effect's metrics, as both lines of Effect have them: made, updated with labels, and read off the registry.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"

/** Labels, ready for an update: made once, as making them takes longer than updating. */
export type Labels = Context.Context<never>

export interface Instrument {
  readonly update: (value: number, labels: Labels) => void
}

const instrument = <Out>(metric: Metric.Metric<number, Out>): Instrument => ({
  update: (value, labels) => metric.updateUnsafe(value, labels)
})

// OTLP exporters take the unit from the label of that name
export const gauge = (name: string, unit: string, description: string): Instrument =>
  instrument(Metric.gauge(name, { description, attributes: { unit } }))

/** One that never goes down. */
export const counter = (name: string, unit: string, description: string): Instrument =>
  instrument(Metric.counter(name, { description, incremental: true, attributes: { unit } }))

export const histogram = (
  name: string,
  unit: string,
  boundaries: ReadonlyArray<number>,
  description: string
): Instrument => instrument(Metric.histogram(name, { boundaries, description, attributes: { unit } }))

/** The labels that the fiber gives to all metrics. */
export const currentLabels: Effect.Effect<Labels> = Effect.context<never>()

export const withLabels = (labels: Labels, more: Readonly<Record<string, string>>): Labels =>
  Context.add(labels, Metric.CurrentMetricAttributes, {
    ...Context.get(labels, Metric.CurrentMetricAttributes),
    ...more
  })

export const noLabels: Labels = Context.empty()

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

export const registrySnapshot: Effect.Effect<ReadonlyArray<Snapshot>> = Effect.map(
  Metric.snapshot,
  (all) =>
    all.map(({ attributes, description, id, ...metric }) => ({
      name: id,
      description,
      labels: Object.entries(attributes ?? {}),
      state: stateOf(metric)
    }))
)

const stateOf = (metric: Pick<Metric.Metric.Snapshot, "type" | "state">): State => {
  const { state, type } = metric as Metric.Metric.Snapshot
  return { kind: type.toLowerCase(), ...state } as unknown as State
}
