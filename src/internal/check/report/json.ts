/**
 * A report for programs.
 */
import type { Report } from "../model.js"

export const toJson = (reports: ReadonlyArray<Report>): string =>
  `${JSON.stringify(reports.length === 1 ? reports[0] : reports, undefined, 2)}\n`
