/**
 * Reads a page of metrics as strictly as its format is written: the text format of Prometheus 0.0.4 and OpenMetrics 1.0.
 * Whatever it does not know is an error.
 */

export interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

export interface Family {
  readonly name: string
  readonly type: string
  readonly help: string | undefined
  readonly samples: ReadonlyArray<Sample>
}

const metricName = /^[A-Za-z_:][A-Za-z0-9_:]*/
const labelName = /^[A-Za-z_][A-Za-z0-9_]*/
const number = /^(?:[+-]?Inf|NaN|[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)$/

const numberOf = (text: string): number => {
  if (!number.test(text)) throw new Error(`no number: ${text}`)
  return text.endsWith("Inf") ? (text.startsWith("-") ? -Infinity : Infinity) : Number(text)
}

const suffixes: Readonly<Record<string, Readonly<Record<"text" | "openmetrics", ReadonlyArray<string>>>>> = {
  counter: { text: [""], openmetrics: ["_total"] },
  gauge: { text: [""], openmetrics: [""] },
  histogram: { text: ["_bucket", "_sum", "_count"], openmetrics: ["_bucket", "_sum", "_count"] },
  summary: { text: ["", "_sum", "_count"], openmetrics: ["", "_sum", "_count"] }
}

const unescape = (text: string, quotes: boolean): string =>
  text.replaceAll(/\\(.?)/g, (all, escaped: string) => {
    if (escaped === "\\") return "\\"
    if (escaped === "n") return "\n"
    if (escaped === "\"" && quotes) return "\""
    throw new Error(`no escape: ${all}`)
  })

const labelsOf = (text: string): { readonly labels: Record<string, string>; readonly rest: string } => {
  const labels: Record<string, string> = {}
  if (!text.startsWith("{")) return { labels, rest: text }
  let rest = text.slice(1)
  while (!rest.startsWith("}")) {
    const name = labelName.exec(rest)?.[0]
    const value = name === undefined ? undefined : /^="((?:[^"\\\n]|\\.)*)"/.exec(rest.slice(name.length))
    if (name === undefined || value == null) throw new Error(`no label: ${rest}`)
    if (Object.hasOwn(labels, name)) throw new Error(`the label ${name} twice: ${text}`)
    if (name.startsWith("__")) throw new Error(`the label ${name} is reserved`)
    labels[name] = unescape(value[1]!, true)
    rest = rest.slice(name.length + value[0].length)
    if (rest.startsWith(",")) rest = rest.slice(1)
    else if (!rest.startsWith("}")) throw new Error(`neither , nor }: ${rest}`)
  }
  return { labels, rest: rest.slice(1) }
}

export const parse = (page: string, format: "text" | "openmetrics"): ReadonlyMap<string, Family> => {
  if (page !== "" && !page.endsWith("\n")) throw new Error("the last line does not end")
  const lines = page.split("\n").slice(0, -1)
  if (format === "openmetrics" && lines.pop() !== "# EOF") throw new Error("no # EOF")

  const families = new Map<string, { name: string; type: string; help: string | undefined; samples: Array<Sample> }>()
  const samples = new Set<string>()
  const owners = new Map<string, string>()
  let help: readonly [string, string] | undefined
  let family: { name: string; type: string; help: string | undefined; samples: Array<Sample> } | undefined
  for (const line of lines) {
    const comment = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line)
    if (comment !== null) {
      const [, what, name = "", text = ""] = comment
      if (metricName.exec(name)?.[0] !== name) throw new Error(`no name: ${line}`)
      if (what === "HELP") {
        if (help !== undefined) throw new Error(`two HELP: ${line}`)
        help = [name, unescape(text, format === "openmetrics")]
        continue
      }
      if (help !== undefined && help[0] !== name) throw new Error(`HELP of another: ${line}`)
      if (families.has(name)) throw new Error(`${name} twice`)
      if (!(text in suffixes)) throw new Error(`no type: ${line}`)
      if (format === "openmetrics" && text === "counter" && name.endsWith("_total")) throw new Error(line)
      if (format === "text" && text === "counter" && !name.endsWith("_total")) throw new Error(line)
      family = { name, type: text, help: help?.[1], samples: [] }
      help = undefined
      families.set(name, family)
      for (const suffix of new Set(["", ...suffixes[text]![format]])) {
        if (owners.has(name + suffix)) throw new Error(`${name + suffix} is also of ${owners.get(name + suffix)}`)
        owners.set(name + suffix, name)
      }
      continue
    }
    const name = metricName.exec(line)?.[0]
    if (name === undefined || family === undefined || help !== undefined) throw new Error(`no sample: ${line}`)
    const { labels, rest } = labelsOf(line.slice(name.length))
    const suffix = name.slice(family.name.length)
    if (!name.startsWith(family.name) || !suffixes[family.type]![format].includes(suffix)) {
      throw new Error(`no sample of ${family.name}: ${line}`)
    }
    if (!rest.startsWith(" ")) throw new Error(`no value: ${line}`)
    const sample = { name, labels, value: numberOf(rest.slice(1)) }
    if ((suffix === "_bucket") !== ("le" in labels && family.type === "histogram")) throw new Error(line)
    if (family.type === "summary" && (suffix === "") !== ("quantile" in labels)) throw new Error(line)
    const counts = family.type === "counter" || (format === "openmetrics" && suffix !== "")
    if (counts && !(sample.value >= 0)) throw new Error(line)
    const key = JSON.stringify([name, Object.entries(labels).sort(([a], [b]) => a < b ? -1 : 1)])
    if (samples.has(key)) throw new Error(`twice: ${line}`)
    samples.add(key)
    family.samples.push(sample)
  }
  if (help !== undefined) throw new Error("a HELP of nothing")
  for (const family of families.values()) if (family.type === "histogram") checkHistogram(family, format)
  return families
}

/** Buckets are cumulative and in order, end with +Inf, and that is the count. */
const checkHistogram = ({ name, samples }: Family, format: "text" | "openmetrics"): void => {
  const of = (suffix: string) => samples.filter((sample) => sample.name === name + suffix)
  const rest = ({ le: _, ...labels }: Readonly<Record<string, string>>) => JSON.stringify(labels)
  for (const series of new Set(of("_bucket").map(({ labels }) => rest(labels)))) {
    const one = (suffix: string) => of(suffix).filter(({ labels }) => rest(labels) === series)
    const bounds = one("_bucket").map(({ labels }) => numberOf(labels["le"]!))
    const values = one("_bucket").map(({ value }) => value)
    const sorted = (values: ReadonlyArray<number>) => values.every((value, i) => i === 0 || values[i - 1]! <= value)
    if (!sorted(bounds) || !sorted(values)) throw new Error(`${name} is not cumulative`)
    if (bounds.at(-1) !== Infinity) throw new Error(`${name} has no +Inf`)
    const [count, sum] = [one("_count"), one("_sum")]
    if (count.length !== sum.length || (count.length === 0 && format === "text")) throw new Error(`${name} lacks a sum`)
    if (count.length > 0 && count[0]?.value !== values.at(-1)) throw new Error(`${name} is not what it counts`)
    if (format === "openmetrics" && bounds[0]! < 0 && sum.length > 0) throw new Error(`${name} may have no sum`)
  }
}
