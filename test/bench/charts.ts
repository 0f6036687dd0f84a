/**
 * A chart of each table of docs/benchmarks.md, beside it: what is drawn is what is written there. A column is a panel, and
 * a server a bar.
 */
import { execFileSync } from "node:child_process"
import * as Fs from "node:fs"
import { fileURLToPath } from "node:url"

const page = new URL("../../docs/benchmarks.md", import.meta.url)
const charts = new URL("../../docs/charts/", import.meta.url)
const draw = fileURLToPath(new URL("./peers/draw.mjs", import.meta.url))

interface Table {
  readonly name: string
  readonly title: string
  readonly head: ReadonlyArray<string>
  readonly rows: ReadonlyArray<ReadonlyArray<string>>
}

const cellsOf = (line: string): ReadonlyArray<string> =>
  line.split("|").slice(1, -1).map((cell) => cell.trim().replaceAll(/\*\*|`/g, ""))

/** The tables of a page that a benchmark has written: the first of each. */
const tablesOf = (text: string): ReadonlyArray<Table> =>
  Array.from(text.matchAll(/<!-- bench:(\w+) -->([\s\S]*?)<!-- \/bench -->/g)).flatMap(([, name = "", block = ""]) => {
    const lines = block.split("\n")
    const first = lines.findIndex((line) => line.startsWith("|"))
    if (first === -1) return []
    const [head = "", , ...rows] = lines.slice(first).filter((line) => line.startsWith("|"))
    const title = lines.slice(0, first).findLast((line) => line !== "") ?? ""
    return [{ name, title: title.split(/[;(]/)[0]!.trim(), head: cellsOf(head), rows: rows.map(cellsOf) }]
  })

/** `284 of 284` is 100 %, and any other cell the number that it begins with. */
const valueOf = (cell: string): number => {
  const [, lost, sent] = /^(\d+) of (\d+)/.exec(cell) ?? []
  return lost === undefined ? Number.parseFloat(cell.replaceAll(",", "")) : (100 * Number(lost)) / Number(sent)
}

const barHeight = 18
const [panelWidth, panelsInRow] = [240, 3]
const nameWidth = 250
const [top, titleHeight, gap] = [40, 30, 14]

const isOurs = (server: string): boolean => server.startsWith("quiesce")

/** Where one takes a hundred times as long as another, a linear axis would show that one alone. */
const isLogarithmic = (values: ReadonlyArray<number>): boolean =>
  Math.min(...values) > 0 && Math.max(...values) > 100 * Math.min(...values)

const optionsOf = ({ head, rows, title }: Table): object => {
  const servers = rows.map(([server = ""]) => server)
  const height = rows.length * barHeight
  const panels = head.slice(1).map((name, column) => {
    const cells = rows.map((row) => row[column + 1] ?? "")
    const values = cells.map(valueOf)
    const known = values.filter((value) => !Number.isNaN(value))
    return {
      name,
      values,
      isShare: cells.some((cell) => / of /.test(cell)),
      isLog: isLogarithmic(known),
      least: Math.min(...known),
      isFirst: column % panelsInRow === 0,
      left: nameWidth + (column % panelsInRow) * panelWidth,
      top: top + Math.floor(column / panelsInRow) * (titleHeight + height + gap) + titleHeight
    }
  })
  const ours = { color: "#0b6e4f" }
  const others = { color: "#b0b7bf" }
  return {
    width: nameWidth + Math.min(panelsInRow, panels.length) * panelWidth,
    height: Math.max(...panels.map(({ top }) => top)) + height + gap,
    backgroundColor: "#ffffff",
    title: [
      { text: title, left: 10, top: 10, textStyle: { fontSize: 15, color: "#222222" } },
      ...panels.map(({ isLog, isShare, left, name, top }) => ({
        text: `${name}${isShare ? ": lost, %" : ""}${isLog ? " (logarithmic)" : ""}`,
        left: left - 5,
        top: top - 24,
        textStyle: { fontSize: 12, fontWeight: "normal", color: "#444444" }
      }))
    ],
    grid: panels.map(({ left, top }) => ({ left, top, width: panelWidth - 60, height, containLabel: false })),
    xAxis: panels.map(({ isLog, isShare, least }, gridIndex) => ({
      gridIndex,
      type: isLog ? "log" : "value",
      min: isLog ? 10 ** Math.floor(Math.log10(least)) : 0,
      ...(isShare ? { max: 100 } : undefined),
      axisLabel: { show: false },
      splitLine: { lineStyle: { color: "#eeeeee" } }
    })),
    yAxis: panels.map(({ isFirst }, gridIndex) => ({
      gridIndex,
      type: "category",
      inverse: true,
      data: servers,
      axisTick: { show: false },
      axisLine: { lineStyle: { color: "#cccccc" } },
      axisLabel: { show: isFirst, color: "#222222", fontSize: 11, width: nameWidth - 15, overflow: "truncate" }
    })),
    series: panels.map(({ isShare, values }, panel) => ({
      type: "bar",
      xAxisIndex: panel,
      yAxisIndex: panel,
      barWidth: 11,
      label: { show: true, position: "right", fontSize: 10, color: "#222222" },
      data: values.map((value, row) => ({
        value: Number.isNaN(value) ? undefined : isShare ? Math.round(value) : value,
        itemStyle: isOurs(servers[row] ?? "") ? ours : others
      }))
    }))
  }
}

export const drawAll = (): void => {
  Fs.mkdirSync(charts, { recursive: true })
  for (const table of tablesOf(Fs.readFileSync(page, "utf8"))) {
    const svg = execFileSync(process.execPath, [draw], { input: JSON.stringify(optionsOf(table)) })
    Fs.writeFileSync(new URL(`${table.name}.svg`, charts), svg)
  }
}
