/**
 * The command `quiesce check`.
 */
import process from "node:process"
import { CheckFailed } from "../errors.js"
import type { Report, Settings } from "../model.js"
import { destroyAll } from "../process/serverProcess.js"
import { commandLine } from "../report/commandLine.js"
import { comparison } from "../report/compared.js"
import { toJson } from "../report/json.js"
import { toJunit } from "../report/junit.js"
import { coloured, plain, type Style } from "../report/style.js"
import { toTap } from "../report/tap.js"
import { cause, losses, remedyOf, summary, transcriptOf, unasked } from "../report/text.js"
import { runCheck } from "../run/check.js"
import { settingsOf } from "../run/settings.js"
import { scenarios } from "../scenario/all.js"
import { type Arguments, parse, usage } from "./arguments.js"
import { type Output, type Screen, screenOf } from "./screen.js"

const outputOf = (stream: NodeJS.WriteStream): Output => ({
  write: (text) => void stream.write(text),
  isTerminal: stream.isTTY && process.env["TERM"] !== "dumb",
  // a terminal that does not know says 0
  width: stream.columns || 100
})

const styleOf = (args: Arguments, output: Output): Style => {
  const { FORCE_COLOR, NO_COLOR } = process.env
  if (args.colour !== undefined) return args.colour ? coloured : plain
  if (NO_COLOR !== undefined && NO_COLOR !== "") return plain
  return output.isTerminal || (FORCE_COLOR !== undefined && FORCE_COLOR !== "0") ? coloured : plain
}

/** Nothing that was started stays when this process is told to end, or when nobody reads any more what it prints. */
const endInGoodOrder = (): void => {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", () => process.kill(process.pid, "SIGTERM"))
  }
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.once(signal, () => {
      void destroyAll().finally(() => process.kill(process.pid, signal))
    })
  }
}

const printReport = (args: Arguments, report: Report, style: Style, screen: Screen, width: number): void => {
  const rest = unasked(style, report, Math.min(width, 120))
  screen.print(`${rest === "" ? "" : `\nnot asked:\n${rest}\n`}\n${summary(style, report)}`)
  for (const text of [cause(report), losses(style, report, Math.min(width, 120))]) {
    if (text !== undefined && text !== "") screen.print(`\n${text}`)
  }
  const remedy = report.lost === 0 ? undefined : remedyOf(report.command)
  if (remedy !== undefined) screen.print(`\n${remedy}`)
  if (!args.verbose) return
  for (const result of report.results) {
    if (result.verdict === "lost") screen.print(`\n${transcriptOf(style, result)}`)
  }
}

const checkOne = async (args: Arguments, settings: Settings, output: Output): Promise<Report> => {
  const style = styleOf(args, output)
  const screen = screenOf(output, style, commandLine(settings.command))
  try {
    const report = await runCheck(settings, screen.onProgress)
    screen.end()
    printReport(args, report, style, screen, output.width)
    return report
  } finally {
    screen.end()
  }
}

/** Those that cannot be compared are said, and take nothing from the others. */
const checkOthers = async (
  args: Arguments,
  others: ReadonlyArray<Settings>,
  output: Output
): Promise<{ readonly reports: ReadonlyArray<Report>; readonly failed: boolean }> => {
  const reports: Array<Report> = []
  for (const settings of others) {
    output.write("\n")
    try {
      reports.push(await checkOne(args, settings, output))
    } catch (cause) {
      if (!(cause instanceof CheckFailed)) throw cause
      process.stderr.write(`quiesce check: ${cause.message}\n`)
    }
  }
  return { reports, failed: reports.length < others.length }
}

const formatted = (args: Arguments, reports: ReadonlyArray<Report>): string | undefined => {
  switch (args.format) {
    case "json":
      return toJson(reports)
    case "junit":
      return toJunit(reports)
    case "tap":
      return toTap(reports)
    case "text":
      return undefined
  }
}

const list = (): string =>
  scenarios.map(({ name, rule, sentence }) => `${name}\n  ${sentence}\n  ${rule.text}\n  ${rule.url}\n`).join("\n")

const run = async (argv: ReadonlyArray<string>): Promise<number> => {
  const args = parse(argv)
  if (args.help || args.list) {
    process.stdout.write(args.help ? usage : list())
    return 0
  }
  // what programs read is alone on the standard output
  const output = outputOf(args.format === "text" ? process.stdout : process.stderr)
  const settings = settingsOf(args.options)
  const others = args.compare.map((command) => settingsOf({ ...args.options, command }))
  endInGoodOrder()
  // the first command is the one that is checked
  const report = await checkOne(args, settings, output)
  const compared = await checkOthers(args, others, output)
  const reports = [report, ...compared.reports]
  if (reports.length > 1) output.write(`\n${comparison(styleOf(args, output), reports, output.width)}\n`)
  const text = formatted(args, reports)
  if (text !== undefined) process.stdout.write(text)
  return report.exitCode === 0 && compared.failed ? 2 : report.exitCode
}

/** Its exit code. */
export const main = async (argv: ReadonlyArray<string>): Promise<number> => {
  try {
    return await run(argv)
  } catch (cause) {
    if (!(cause instanceof CheckFailed)) throw cause
    const hint = cause.reason === "InvalidOption" ? "quiesce check --help says what there is.\n" : ""
    process.stderr.write(`quiesce check: ${cause.message}\n${hint}`)
    return 2
  }
}
