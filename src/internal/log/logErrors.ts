/**
 * How often something could not be logged.
 */
import { counter, noLabels } from "../effect/metrics.js"

const logErrors = counter(
  "quiesce_log_errors_total",
  "{error}",
  "Lines that a logger did not take, and errors of the standard output and error"
)

/** Of the process, and not of one server: loggers and outputs are shared. */
export const countLogError = (n = 1): void => logErrors.update(n, noLabels)
