/** What was claimed, how it was tried, and what became of it: one page. */
import { machine, versionOf } from "../support/machine.js"
import { claims } from "./claims.js"
import type { Outcome } from "./outcome.js"
import type { Row } from "./stock.js"
import { countOf, type Test } from "./suites.js"

export interface Proof {
  readonly command: string
  readonly startedAt: Date
  readonly seconds: number
  readonly outcomes: ReadonlyArray<Outcome>
  readonly tests: ReadonlyArray<Test>
  readonly histories: Outcome
  readonly rows: ReadonlyArray<Row>
}

const width = 118

const indented = (indent: string, text: string): ReadonlyArray<string> => {
  const lines: Array<string> = [""]
  for (const word of text.split(" ")) {
    const last = lines.length - 1
    if (indent.length + lines[last]!.length + word.length + 1 > width) lines.push(word)
    else lines[last] = lines[last] === "" ? word : `${lines[last]} ${word}`
  }
  return lines.map((line) => indent + line)
}

const time = (seconds: number): string =>
  seconds < 100 ? `${seconds.toFixed(0)} s` : `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`

/** A counterexample that names no rule speaks against all that histories are held against. */
const isAgainst = (rule: number) => (counterexample: string): boolean => {
  const named: ReadonlyArray<string> = /^rules? ([^:]*):/m.exec(counterexample)?.[1]?.match(/\d+/g) ?? []
  return named.length === 0 || named.includes(String(rule))
}

/** The tests of a rule: their titles start with its number. */
const claimed = ({ histories, tests }: Proof): ReadonlyArray<string> =>
  claims.flatMap(({ byHistories, rule, text }) => {
    const own = tests.filter(({ title }) => new RegExp(`\\brule ${rule}\\b`).test(title))
    const passed = countOf(own, "passed")
    const failed = own.some(({ status }) => status === "failed")
      || (byHistories && histories.failures.some(isAgainst(rule)))
    const tried = [
      ...(passed === 0 ? [] : [`${passed} ${passed === 1 ? "test" : "tests"} of its own`]),
      ...(byHistories ? ["the histories"] : [])
    ].join(", and ")
    const [first = "", ...rest] = indented("       ", `${text} (${tried})`)
    return [`  ${failed ? "✗" : "✓"} ${String(rule).padStart(2)}  ${first.trimStart()}`, ...rest]
  })

export const failuresOf = ({ outcomes }: Proof): ReadonlyArray<string> =>
  outcomes.flatMap(({ failures, how }) => failures.map((failure) => `${how}\n${failure}`))

export const page = (proof: Proof): string => {
  const { command, outcomes, rows, seconds, startedAt } = proof
  const failures = failuresOf(proof)
  const column = (values: ReadonlyArray<string>) => Math.max(...values.map(({ length }) => length))
  const [how, often] = [column(outcomes.map(({ how }) => how)), column(outcomes.map(({ often }) => often))]
  return [
    `quiesce: what it claims, and what became of it when it was tried`,
    "",
    `  ${startedAt.toISOString().slice(0, 16).replace("T", " ")} UTC, ${time(seconds)}: ${command}`,
    `  ${machine()}`,
    `  Node ${process.versions.node}, ${
      ["effect", "@effect/platform", "@effect/platform-node"].map((name) => `${name} ${versionOf(name)}`).join(", ")
    }`,
    "",
    "How it was tried",
    "",
    ...outcomes.flatMap((outcome) => [
      `  ${outcome.failures.length === 0 ? "✓" : "✗"} ${outcome.how.padEnd(how)}  ${outcome.often.padEnd(often)}  ${
        time(outcome.seconds).padStart(11)
      }`,
      `      ${outcome.result}`
    ]),
    "",
    "What is claimed",
    "",
    ...claimed(proof),
    "",
    "When SIGTERM comes: the server has lost nothing and its process has ended (✓), or not (✗); what was seen of quiesce",
    "",
    "  stock quiesce",
    ...rows.flatMap(({ quiesce, stock, title }) => {
      const [first = "", ...rest] = indented("                ", `${title}: ${quiesce.slice(2)}`)
      return [`    ${stock.slice(0, 1)}      ${quiesce.slice(0, 1)}   ${first.trimStart()}`, ...rest]
    }),
    "",
    failures.length === 0 ? "Everything held." : `FAILED: ${failures.length}`,
    ...failures.flatMap((failure) => ["", ...failure.split("\n").map((line) => `  ${line}`)])
  ].join("\n")
}
