/**
 * How often something could not be logged.
 */
import * as Metric from "effect/Metric"

const logErrors = Metric.tagged(
  Metric.counter("quiesce_log_errors_total", {
    description: "Lines that a logger did not take, and errors of the standard output and error",
    incremental: true
  }),
  "unit",
  "{error}"
)

/** Of the process, and not of one server: loggers and outputs are shared. */
export const countLogError = (n = 1): void => logErrors.unsafeUpdate(n, [])
