/** Runs directories of tests, each file in a process of its own, and reads what became of every test. */
import { spawn } from "node:child_process"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { fileURLToPath } from "node:url"
import { type Outcome, timed } from "./outcome.js"

export interface Test {
  readonly file: string
  readonly title: string
  readonly status: "passed" | "failed" | "skipped"
  readonly messages: ReadonlyArray<string>
}

/** What of vitest's JSON report is needed. */
interface Written {
  readonly testResults: ReadonlyArray<{
    readonly name: string
    readonly status: string
    readonly message: string
    readonly assertionResults: ReadonlyArray<{
      readonly fullName: string
      readonly status: string
      readonly failureMessages: ReadonlyArray<string>
    }>
  }>
}

const root = fileURLToPath(new URL("../../", import.meta.url))

const statusOf = (status: string): Test["status"] => status === "passed" || status === "failed" ? status : "skipped"

const run = async (directories: ReadonlyArray<string>): Promise<ReadonlyArray<Test>> => {
  const directory = Fs.mkdtempSync(Path.join(Os.tmpdir(), "quiesce-prove-"))
  const file = Path.join(directory, "report.json")
  try {
    const vitest = Path.join(root, "node_modules/vitest/vitest.mjs")
    const args = [vitest, "run", ...directories, "--reporter=json", `--outputFile=${file}`]
    const child = spawn(process.execPath, args, { cwd: root, stdio: ["ignore", "ignore", "pipe"] })
    let errors = ""
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      errors += text
    })
    const code = await new Promise<number | null>((resolve) => child.once("close", resolve))
    if (!Fs.existsSync(file)) throw new Error(`vitest ended with ${code} and no report: ${errors.slice(-2000)}`)
    const { testResults } = JSON.parse(Fs.readFileSync(file, "utf8")) as Written
    const tests = testResults.flatMap(({ assertionResults, message, name, status }) => {
      const file = Path.relative(root, name)
      const own = assertionResults.map((each): Test => ({
        file,
        title: each.fullName.trim(),
        status: statusOf(each.status),
        messages: each.failureMessages
      }))
      // a file that could not be loaded has no tests
      const broken = status === "failed" && !own.some((test) => test.status === "failed")
      return broken ? [...own, { file, title: "the file itself", status: "failed" as const, messages: [message] }] : own
    })
    // an error that no test has caught, as an unhandled rejection, is in no test's result
    return code !== 0 && !tests.some(({ status }) => status === "failed")
      ? [...tests, { file: directories.join(" "), title: "beside the tests", status: "failed", messages: [errors] }]
      : tests
  } finally {
    Fs.rmSync(directory, { recursive: true, force: true })
  }
}

/** Why a test has failed, without where in vitest; that is what a test is told that took too long. */
const readable = (messages: ReadonlyArray<string>): string =>
  messages.join("\n").split("\n").filter((line) => !/^\s+at /.test(line)).join("\n")
    .replaceAll("STACK_TRACE_ERROR", "it has taken longer than it may").slice(0, 1500)

export const countOf = (tests: ReadonlyArray<Test>, status: Test["status"]): number =>
  tests.filter((test) => test.status === status).length

export interface Suite {
  readonly outcome: Outcome
  readonly tests: ReadonlyArray<Test>
}

export const runSuite = async (how: string, directories: ReadonlyArray<string>): Promise<Suite> => {
  const [tests, seconds] = await timed(() => run(directories))
  const skipped = countOf(tests, "skipped")
  return {
    tests,
    outcome: {
      how,
      often: `${tests.length - skipped} tests`,
      result: `${countOf(tests, "passed")} passed, ${countOf(tests, "failed")} failed${
        skipped === 0 ? "" : `, ${skipped} not for this machine`
      }`,
      seconds,
      failures: tests.filter(({ status }) => status === "failed").map(({ file, messages, title }) =>
        `${file}: ${title}\n${readable(messages)}`
      )
    }
  }
}
