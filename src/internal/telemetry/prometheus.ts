/**
 * Effect's metrics in the text formats that Prometheus reads: its own (0.0.4) and OpenMetrics 1.0.
 *
 * Effect's registry takes any name, any label, and the same name for several kinds of metrics; Prometheus refuses a whole
 * page for one such line. What does not fit is renamed here, never left out.
 */
import type { Snapshot, State } from "../effect/metrics.js"

export type Format = "text" | "openmetrics"

export const contentType = {
  text: "text/plain; version=0.0.4; charset=utf-8",
  openmetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8"
} as const satisfies Record<Format, string>

type Kind = "counter" | "gauge" | "histogram" | "summary"

type Labels = ReadonlyArray<readonly [name: string, value: string]>

interface Sample {
  /** What follows the name of the family: `_bucket`, `_sum`, … */
  readonly suffix: string
  readonly labels: Labels
  readonly value: number | bigint
}

/** All samples of one name and one set of labels. */
type Series = ReadonlyArray<Sample>

interface Family {
  readonly name: string
  readonly kind: Kind
  readonly help: string | undefined
  readonly series: Map<string, Series>
}

export interface Metric {
  readonly name: string
  readonly kind: Kind
  readonly help: string | undefined
  readonly series: ReadonlyArray<Series>
}

/** A metric that is in no registry, because its labels would stay there for ever. */
export const gauge = (
  name: string,
  help: string,
  values: ReadonlyArray<{ readonly labels: Labels; readonly value: number }>
): Metric => ({
  name,
  kind: "gauge",
  help,
  series: values.map(({ labels, value }) => [{ suffix: "", labels, value }])
})

export const ofRegistry = (snapshots: Iterable<Snapshot>): ReadonlyArray<Metric> =>
  Array.from(snapshots, ({ description, labels, name, state }) => {
    // the names of our own say their unit, as Prometheus wants it; the label is for exporters of OTLP
    const isOwn = name.startsWith("quiesce_")
    const tags = labels.filter(([label]) => !isOwn || label !== "unit")
    return { name, help: description, ...seriesOf(state, tags) }
  })

const seriesOf = (state: State, tags: Labels): Pick<Metric, "kind" | "series"> => {
  switch (state.kind) {
    case "counter":
      // one that may go down is no counter to Prometheus
      return state.incremental
        ? { kind: "counter", series: [[{ suffix: "_total", labels: labelled(tags), value: state.count }]] }
        : { kind: "gauge", series: [[{ suffix: "", labels: labelled(tags), value: state.count }]] }
    case "gauge":
      return { kind: "gauge", series: [[{ suffix: "", labels: labelled(tags), value: state.value }]] }
    case "frequency":
      return {
        kind: "counter",
        series: Array.from(state.occurrences, ([word, count]): Series => [
          { suffix: "_total", labels: labelled(tags, ["key", word]), value: count }
        ])
      }
    case "histogram": {
      const { buckets, count, sum } = state
      const labels = labelled(tags, ["le", "+Inf"]).filter(([name]) => name !== "le")
      const finite = buckets.filter(([boundary]) => boundary < Number.POSITIVE_INFINITY)
      return {
        kind: "histogram",
        series: [[
          ...finite.map(([boundary, count]): Sample => ({
            suffix: "_bucket",
            labels: labelled(tags, ["le", String(boundary)]),
            value: count
          })),
          { suffix: "_bucket", labels: labelled(tags, ["le", "+Inf"]), value: count },
          { suffix: "_sum", labels, value: sum },
          { suffix: "_count", labels, value: count }
        ]]
      }
    }
    case "summary": {
      const { count, quantiles, sum } = state
      const labels = labelled(tags, ["quantile", ""]).filter(([name]) => name !== "quantile")
      return {
        kind: "summary",
        series: [[
          ...quantiles.map(([quantile, value]): Sample => ({
            suffix: "",
            labels: labelled(tags, ["quantile", String(quantile)]),
            value: value ?? Number.NaN
          })),
          { suffix: "_sum", labels, value: sum },
          { suffix: "_count", labels, value: count }
        ]]
      }
    }
  }
}

/** Labels as they may be written, and no name twice; `own` is the one that the format itself needs. */
const labelled = (tags: Labels, own?: readonly [string, string]): Labels => {
  const taken = new Set(own === undefined ? [] : [own[0]])
  const labels = tags.map(([tag, value]): readonly [string, string] => {
    let name = sanitized(tag, /[^A-Za-z0-9_]/g).replace(/^__+/, "_")
    // what Prometheus itself does with a label that it needs for something else
    while (taken.has(name)) name = `exported_${name}`
    taken.add(name)
    return [name, value]
  })
  return own === undefined ? labels : [...labels, own]
}

const sanitized = (name: string, refused: RegExp): string => {
  const clean = name.replaceAll(refused, "_")
  return /^[0-9]/.test(clean) || clean === "" ? `_${clean}` : clean
}

export const render = (metrics: Iterable<Metric>, format: Format): string => {
  const lines = families(metrics).flatMap((family) => linesOf(family, format))
  if (format === "openmetrics") lines.push("# EOF")
  return lines.map((line) => `${line}\n`).join("")
}

/** The registry has no order; the page has one, and so the same names each time. */
const families = (metrics: Iterable<Metric>): ReadonlyArray<Family> => {
  const order = (a: Metric, b: Metric) => compare(a.name, b.name) || compare(a.kind, b.kind)
  const byName = new Map<string, Family>()
  for (const metric of Array.from(metrics).sort(order)) {
    if (metric.series.length === 0) continue
    const family = familyOf(byName, metric)
    for (const series of metric.series) {
      const key = JSON.stringify([...(series.at(-1)?.labels ?? [])].sort(([a], [b]) => compare(a, b)))
      family.series.set(key, merged(family.kind, family.series.get(key), series))
    }
  }
  return Array.from(new Set(byName.values())).sort((a, b) => compare(a.name, b.name))
}

const compare = (a: string, b: string): number => a < b ? -1 : a > b ? 1 : 0

/** The suffixes of the names that a family of a kind takes. */
const suffixes = {
  counter: ["", "_total"],
  gauge: [""],
  histogram: ["", "_bucket", "_sum", "_count"],
  summary: ["", "_sum", "_count"]
} as const satisfies Record<Kind, ReadonlyArray<string>>

const familyOf = (byName: Map<string, Family>, { help, kind, name }: Metric): Family => {
  let own = sanitized(name, /[^A-Za-z0-9_:]/g)
  if (kind === "counter" && own.endsWith("_total")) own = own.slice(0, -"_total".length)
  while (true) {
    const there = byName.get(own)
    if (there?.name === own && there.kind === kind) {
      if (there.help !== undefined || help === undefined) return there
      const described = { ...there, help }
      for (const suffix of suffixes[kind]) byName.set(own + suffix, described)
      return described
    }
    if (suffixes[kind].every((suffix) => !byName.has(own + suffix))) {
      const family: Family = { name: own, kind, help, series: new Map() }
      for (const suffix of suffixes[kind]) byName.set(own + suffix, family)
      return family
    }
    own = `${own}_${kind}`
  }
}

/**
 * Effect keeps metrics apart that have the same name and labels, but another description, or boundaries that are equal
 * and not the same array. What counts is added up; of anything else the later one is taken.
 */
const merged = (kind: Kind, before: Series | undefined, series: Series): Series => {
  if (before === undefined || kind === "gauge" || kind === "summary") return series
  const shape = (series: Series) => JSON.stringify(series.map(({ labels, suffix }) => [suffix, labels]))
  if (shape(before) !== shape(series)) return before
  return before.map((sample, index) => ({ ...sample, value: sum(sample.value, series[index]?.value ?? 0) }))
}

const sum = (a: number | bigint, b: number | bigint): number | bigint =>
  typeof a === "bigint" && typeof b === "bigint" ? a + b : Number(a) + Number(b)

const linesOf = ({ help, kind, name, series }: Family, format: Format): Array<string> => {
  const title = kind === "counter" && format === "text" ? `${name}_total` : name
  const lines: Array<string> = []
  if (help !== undefined) lines.push(`# HELP ${title} ${escaped(help, format === "openmetrics")}`)
  lines.push(`# TYPE ${title} ${kind}`)
  for (const all of series.values()) {
    const samples = format === "openmetrics" ? withoutOddSum(kind, all) : all
    for (const { labels, suffix, value } of samples) {
      const printed = labels.map(([label, value]) =>
        `${label}="${escaped(isNumeric(label, kind) ? canonical(value, format) : value, true)}"`
      )
      lines.push(`${name}${suffix}${printed.length === 0 ? "" : `{${printed.join(",")}}`} ${print(value)}`)
    }
  }
  return lines
}

/**
 * To OpenMetrics a sum is a counter, and so there is none where something negative, or not a number, may have been added;
 * a histogram then has no `_count` either, which is in its last bucket.
 */
const withoutOddSum = (kind: Kind, series: Series): Series => {
  const isOdd = series.some(({ labels, suffix, value }) =>
    suffix === "_sum" ? !(value >= 0) : suffix === "_bucket" && labels.some(([name, le]) => name === "le" && +le < 0)
  )
  return isOdd
    ? series.filter(({ suffix }) => suffix !== "_sum" && (kind !== "histogram" || suffix !== "_count"))
    : series
}

const isNumeric = (label: string, kind: Kind): boolean =>
  (kind === "histogram" && label === "le") || (kind === "summary" && label === "quantile")

/** OpenMetrics wants a whole number to look like a float there; the older format has always been written without. */
const canonical = (value: string, format: Format): string =>
  format === "openmetrics" && /^-?\d+$/.test(value) ? `${value}.0` : value

const escaped = (text: string, quotes: boolean): string => {
  const escaped = text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n")
  return quotes ? escaped.replaceAll("\"", "\\\"") : escaped
}

const print = (value: number | bigint): string =>
  value === Number.POSITIVE_INFINITY ? "+Inf" : value === Number.NEGATIVE_INFINITY ? "-Inf" : String(value)
