/** What was seen of a container that was stopped, held to what is expected. */
import type { Got } from "./clients.js"

export interface Seen {
  /** `undefined` where nobody can ask any more. */
  readonly code: number | undefined
  /** From the command until it had ended. */
  readonly millis: number
  readonly got: Got
  /** What was wrong besides. */
  readonly problems: ReadonlyArray<string>
}

export interface Expectation {
  readonly name: string
  readonly stopSeconds: number
  readonly expected: { readonly code: number | undefined; readonly lost: "none" | "some"; readonly interrupted?: true }
}

export interface Stopped {
  readonly cells: ReadonlyArray<string>
  readonly problems: ReadonlyArray<string>
}

const killed = 137

export const judged = (
  { expected, name, stopSeconds }: Expectation,
  { code, got, millis, problems }: Seen
): Stopped => {
  const wrong = [...problems]
  if (code !== expected.code) wrong.push(`its exit code is ${code}, not ${expected.code}`)
  const lost = got.lost === 0 ? "none" : "some"
  if (lost !== expected.lost) wrong.push(`lost: ${got.lost}, and not ${expected.lost}`)
  if ((got.interrupted > 0) !== (expected.interrupted === true)) wrong.push(`${got.interrupted} × 503`)
  // that one ended in time is said by its exit code: until the engine sends a signal, it takes its own time
  const early = code === killed && millis < stopSeconds * 1000
  if (early) wrong.push(`it was killed after ${Math.round(millis)} ms of ${stopSeconds} s`)
  const answers = got.interrupted === 0 ? `${got.lost}` : `${got.lost}, and ${got.interrupted} × 503`
  return { cells: [name, answers, `${code ?? "–"}`, `${(millis / 1000).toFixed(1)} s`], problems: wrong }
}

const header = ["how it starts, and is stopped", "lost", "exit code", "took"]
const columns = ["---", "---", "---:", "---:"]

export const tableOf = (taken: string, rows: ReadonlyArray<Stopped>): string => {
  const lines = [header, columns, ...rows.map(({ cells }) => cells)].map((cells) => `| ${cells.join(" | ")} |`)
  return `${taken}.\n\n${lines.join("\n")}\n`
}
