/** Effect's metrics, as both of its lines make them. */
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import * as MetricBoundaries from "effect/MetricBoundaries"

export type NumberMetric = Metric.Metric<unknown, number, unknown>

export const histogram = (name: string, boundaries: ReadonlyArray<number>, description?: string) =>
  Metric.histogram(name, MetricBoundaries.fromIterable(boundaries), description)

export interface SummaryOptions {
  readonly description?: string
  readonly quantiles: ReadonlyArray<number>
}

/** Of the last hour. */
export const summary = (name: string, options: SummaryOptions) =>
  Metric.summary({ name, maxAge: "1 hour", maxSize: 100, error: 0, ...options })

export const tagged = <Type, In, Out>(
  metric: Metric.Metric<Type, In, Out>,
  key: string,
  value: string
): Metric.Metric<Type, In, Out> => Metric.tagged(metric, key, value)

/** Labels all metrics that it updates. */
export const withLabel =
  (key: string, value: string) => <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.tagMetrics(effect, key, value)

/** What each word has been counted. */
export const wordCounts = (words: Metric.Metric.Frequency<string>): Map<string, number> =>
  words.unsafeValue([]).occurrences as Map<string, number>

export const countWord = (words: Metric.Metric.Frequency<string>, word: string): void => words.unsafeUpdate(word, [])
