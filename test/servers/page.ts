/** The tables of docs/servers.md, from the results. */
import * as Fs from "node:fs"
import type { Checked, Group } from "./checked.js"
import { root } from "./checked.js"
import { type Cell, count, load, type Result } from "./results.js"
import { servers } from "./servers.js"

interface Row {
  readonly server: Checked
  readonly result: Result
}

const groups: Readonly<Record<Group, string>> = {
  node: "`node:http`, and the libraries that stop it",
  frameworks: "Frameworks on Node",
  effect: "Effect",
  others: "Other runtimes",
  proxies: "Reverse proxies"
}

const marks = { kept: "✓", lost: "✗", notAsked: "–" } as const

const table = (head: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string | number>>): string => {
  const line = (cells: ReadonlyArray<string | number>) => `| ${cells.join(" | ")} |`
  return [line(head), line(head.map((_, column) => column === 0 ? "---" : ":---:")), ...rows.map(line)].join("\n")
}

/** The anchor of its heading. */
const linkTo = ({ title }: Checked) =>
  `[${title}](#${title.toLowerCase().replaceAll(/[^\p{L}\p{N}\s_-]/gu, "").replaceAll(/\s/g, "-")})`

const summary = (rows: ReadonlyArray<Row>): string =>
  table(
    ["", "lost", "kept", "not asked"],
    rows.map((
      { result, server }
    ) => [linkTo(server), count(result, "lost"), count(result, "kept"), count(result, "notAsked")])
  )

const cellsOf = (rows: ReadonlyArray<Row>): ReadonlyArray<Cell> => rows[0]?.result.cells ?? []

const tableOf = (group: Group, rows: ReadonlyArray<Row>): string => {
  const of = rows.filter(({ server }) => server.group === group)
  const isAsked = ({ name }: Cell) =>
    of.some(({ result }) => result.cells.some((cell) => cell.name === name && cell.verdict !== "notAsked"))
  const lines = cellsOf(of).filter(isAsked).map(({ name }) => [
    `\`${name}\``,
    ...of.map(({ result }) => {
      const cell = result.cells.find((cell) => cell.name === name)
      return cell === undefined ? "" : marks[cell.verdict]
    })
  ])
  return `### ${groups[group]}\n\n${table(["", ...of.map(({ server }) => server.title)], lines)}`
}

const scenarios = (rows: ReadonlyArray<Row>): string =>
  cellsOf(rows).map(({ name, sentence }) => `- \`${name}\`: ${sentence}`).join("\n")

const lostIn = ({ lost, name, saw, times }: Cell): string =>
  `- \`${name}\`: ${saw}${times > 1 ? ` (${lost} of ${times} times)` : ""}`

/** What a program prints may look like Markdown. */
const asText = (text: string): string => text.replaceAll(/[<>*_|\\]/g, "\\$&")

const details = ({ result, server }: Row): string => {
  const lost = result.cells.filter(({ verdict }) => verdict === "lost").map((cell) => ({
    ...cell,
    saw: asText(cell.saw)
  }))
  return [
    `### ${server.title}`,
    `\`test/servers/${server.file}\`. What stops it: ${server.stop} ([documentation](${server.documentation})). `
    + `${result.versions.join(", ")}; ${result.day}.`,
    ...lost.length === 0 ? ["Nothing is lost."] : ["Lost:", lost.map(lostIn).join("\n")],
    ...server.notes.length === 0 ? [] : ["To know:", server.notes.map((note) => `- ${note}`).join("\n")]
  ].join("\n\n")
}

const begin = "<!-- servers -->"
const end = "<!-- /servers -->"

/** Writes what is between the marks of docs/servers.md, and says which servers have no result. */
export const writePage = (): ReadonlyArray<Checked> => {
  const rows = servers.flatMap((server) => {
    const result = load(server)
    return result === undefined ? [] : [{ server, result }]
  })
  const machines = [...new Set(rows.map(({ result }) => result.machine))]
  const text = [
    `\`npm run servers\`, ${machines.join("; ")}:`,
    summary(rows),
    "## Scenario by scenario",
    "✓ kept, ✗ lost, – not asked. A blank cell has no result yet. Where no server of a table was asked, the row is left out.",
    ...(Object.keys(groups) as Array<Group>).map((group) => tableOf(group, rows)),
    "What is asked:",
    scenarios(rows),
    "## Server by server",
    ...rows.map(details)
  ].join("\n\n")
  const file = `${root}docs/servers.md`
  const before = Fs.readFileSync(file, "utf8")
  const [head, rest] = before.split(begin)
  const [, tail] = rest?.split(end) ?? []
  if (head === undefined || tail === undefined) throw new Error(`docs/servers.md has no ${begin} … ${end}`)
  Fs.writeFileSync(file, `${head}${begin}\n\n${text}\n\n${end}${tail}`)
  return servers.filter((server) => load(server) === undefined)
}
