/**
 * The log of a program without Effect.
 */
import * as Cause from "effect/Cause"
import type * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import { levelName } from "../log/line.js"
import type { Options } from "../model/promise.js"

/** What the function returns is returned: it may be asynchronous, and reject. */
export const logging = (logger: Options["logger"]): Layer.Layer<never> => {
  if (logger === false) return Logger.remove(Logger.defaultLogger)
  if (logger === undefined) return Logger.pretty
  return Logger.replace(
    Logger.defaultLogger,
    Logger.make(({ cause, logLevel, message }): unknown => {
      const text = (Array.isArray(message) ? message : [message]).map((part) => String(part)).join(" ")
      return logger(levelName(logLevel), Cause.isEmpty(cause) ? text : `${text}: ${Cause.pretty(cause)}`)
    })
  )
}
