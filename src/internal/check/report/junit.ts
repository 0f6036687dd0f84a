/**
 * A report as JUnit's XML, which the CI systems read.
 */
import type { Report, Result } from "../model.js"
import { commandLine } from "./commandLine.js"

const entities: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", "\"": "&quot;" }

/** XML has no way to write most control characters. */
const escape = (text: string): string =>
  text.replaceAll(/[^\t\n\r\x20-\uFFFD]/g, "?").replaceAll(/[&<>"]/g, (character) => entities[character] ?? "")

const attribute = (name: string, value: string | number) => ` ${name}="${escape(String(value))}"`

const testCase = (suite: string, result: Result): string => {
  const head = `    <testcase${attribute("classname", suite)}${
    attribute("name", `${result.name}: ${result.sentence}`)
  }${attribute("time", (result.millis / 1000).toFixed(3))}`
  if (result.verdict === "kept") return `${head}/>`
  const body = result.verdict === "notAsked"
    ? `      <skipped${attribute("message", result.saw)}/>`
    : `      <failure${attribute("message", result.saw)}>${
      escape(`${result.rule.text}\n${result.rule.url}\n${result.advice?.remedy ?? ""}`)
    }</failure>`
  return `${head}>\n${body}\n    </testcase>`
}

export const toJunit = (reports: ReadonlyArray<Report>): string => {
  const suites = reports.map((report) => {
    const name = `quiesce check: ${commandLine(report.command)}`
    return `  <testsuite${attribute("name", name)}${attribute("tests", report.results.length)}${
      attribute("failures", report.lost)
    }${attribute("errors", 0)}${attribute("skipped", report.notAsked)}${
      attribute("time", (report.millis / 1000).toFixed(3))
    }>\n${report.results.map((result) => testCase("quiesce check", result)).join("\n")}\n  </testsuite>`
  })
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n${suites.join("\n")}\n</testsuites>\n`
}
