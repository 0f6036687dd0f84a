/**
 * The log of a program without Effect.
 */
import * as Cause from "effect/Cause"
import type * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import type { Options } from "../../promise.js"

export const logging = (logger: Options["logger"]): Layer.Layer<never> => {
  if (logger === false) return Logger.remove(Logger.defaultLogger)
  if (logger === undefined) return Logger.pretty
  const tell = lossless(logger)
  return Logger.replace(
    Logger.defaultLogger,
    Logger.make(({ cause, logLevel, message }) => {
      const level = logLevel.ordinal >= LogLevel.Error.ordinal
        ? "error"
        : logLevel.ordinal >= LogLevel.Warning.ordinal
        ? "warn"
        : "info"
      const parts = (Array.isArray(message) ? message : [message]).map((part) => String(part))
      tell(level, Cause.isEmpty(cause) ? parts.join(" ") : `${parts.join(" ")}: ${Cause.pretty(cause)}`)
    })
  )
}

/** A line that `logger` fails to take is not lost; what it failed with is said once. */
const lossless = (logger: Exclude<Options["logger"], false | undefined>): typeof logger => {
  let said = false
  return (level, message) => {
    const failed = (error: unknown) => {
      // oxlint-disable-next-line no-console -- it is what is left
      console.error(`${level}: ${message}`, ...(said ? [] : ["\nThe logger failed:", error]))
      said = true
    }
    try {
      // it may be asynchronous, and its rejection would end the process
      const taken: unknown = logger(level, message)
      if (taken instanceof Promise) void taken.catch(failed)
    } catch (error) {
      failed(error)
    }
  }
}
