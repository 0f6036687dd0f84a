/**
 * The log of a program without Effect.
 */
import * as Cause from "effect/Cause"
import type * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Causes from "../effect/causes.js"
import * as Logs from "../effect/logs.js"
import type { Options } from "../model/promiseOptions.js"
import { inOwnContext } from "../node/asyncContext.js"

/**
 * What the function returns is returned: it may be asynchronous, and reject. Where there is none, lines go to `own`, or
 * else to what the global `console` is by then.
 */
export const logging = (logger: Options["logger"], own?: Console): Layer.Layer<never> => {
  if (logger === false) return Logs.silent
  if (logger === undefined) return own === undefined ? Logs.pretty : Logs.prettyOn(own)
  const write = inOwnContext(logger)
  return Logs.replaceDefaultLogger(Logger.make(({ cause, logLevel, message }): unknown => {
    const text = (Array.isArray(message) ? message : [message]).map((part) => String(part)).join(" ")
    return write(Logs.consoleMethod(logLevel), Causes.isEmpty(cause) ? text : `${text}: ${Cause.pretty(cause)}`)
  }))
}
