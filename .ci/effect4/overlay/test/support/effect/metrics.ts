import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"

export type NumberMetric = Metric.Metric<number, unknown>

export const histogram = (name: string, boundaries: ReadonlyArray<number>, description?: string) =>
  Metric.histogram(name, { boundaries, ...(description === undefined ? {} : { description }) })

export interface SummaryOptions {
  readonly description?: string
  readonly quantiles: ReadonlyArray<number>
}

export const summary = (name: string, options: SummaryOptions) =>
  Metric.summary(name, { maxAge: "1 hour", maxSize: 100, ...options })

export const tagged = <In, Out>(metric: Metric.Metric<In, Out>, key: string, value: string): Metric.Metric<In, Out> =>
  Metric.withAttributes(metric, { [key]: value })

export const withLabel =
  (key: string, value: string) => <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.updateService(effect, Metric.CurrentMetricAttributes, (attributes) => ({ ...attributes, [key]: value }))

export const wordCounts = (words: Metric.Frequency): Map<string, number> =>
  words.valueUnsafe(Context.empty()).occurrences as Map<string, number>

export const countWord = (words: Metric.Frequency, word: string): void => words.updateUnsafe(word, Context.empty())
