/** What was found, kept in `.out/servers`, one file a server: a run that was cut short goes on where it was. */
import * as Fs from "node:fs"
import { cpus, totalmem } from "node:os"
import type { Report, TranscriptEntry, Verdict } from "quiesce/check"
import { type Checked, root } from "./checked.js"

export interface Cell {
  readonly name: string
  readonly sentence: string
  readonly verdict: Verdict
  readonly saw: string
  readonly lost: number
  readonly times: number
  /** What happened at its clients, where it was lost. */
  readonly transcript?: ReadonlyArray<TranscriptEntry>
}

export interface Result {
  readonly day: string
  readonly machine: string
  readonly versions: ReadonlyArray<string>
  readonly cells: ReadonlyArray<Cell>
  readonly seconds: number
}

const keptEntries = 200

const folder = `${root}.out/servers/`
const fileOf = ({ name }: Checked) => `${folder}${name}.json`

const machine = (): string =>
  `Node ${process.version}, ${cpus().length} × ${cpus()[0]?.model ?? "unknown"}, ${
    Math.round(totalmem() / 1024 ** 3)
  } GB`

export const resultOf = (server: Checked, report: Report): Result => ({
  day: new Date().toISOString().slice(0, 10),
  machine: machine(),
  versions: server.versions(),
  cells: report.results.map(({ counts, name, saw, sentence, transcript, verdict }) => ({
    name,
    sentence,
    verdict,
    saw,
    lost: counts.lost,
    times: counts.kept + counts.lost + counts.notAsked,
    ...verdict === "lost" ? { transcript: transcript.slice(0, keptEntries) } : {}
  })),
  seconds: Math.ceil(report.millis / 1000)
})

export const save = (server: Checked, result: Result): void => {
  Fs.mkdirSync(folder, { recursive: true })
  Fs.writeFileSync(fileOf(server), JSON.stringify(result, null, 2))
}

export const load = (server: Checked): Result | undefined => {
  if (!Fs.existsSync(fileOf(server))) return undefined
  return JSON.parse(Fs.readFileSync(fileOf(server), "utf8")) as Result
}

export const count = ({ cells }: Result, verdict: Verdict): number =>
  cells.filter((cell) => cell.verdict === verdict).length
