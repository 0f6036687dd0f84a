/** Logs, as both lines of Effect have them. */
import type * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import type * as LogLevel from "effect/LogLevel"

/** As `INFO`. */
export const labelOf = (level: LogLevel.LogLevel): string => level.label

/** A line of JSON for each message. */
export const toJsonLines = (write: (line: string) => void): Layer.Layer<never> =>
  Logger.replace(Logger.defaultLogger, Logger.map(Logger.jsonLogger, write))

/** Options of `runMain` by which it leaves the log as it is. */
export const asLogged = { disablePrettyLogger: true }

/** The level in such a line. */
export const levelOf = (line: { readonly logLevel?: string; readonly level?: string }): string =>
  line.logLevel ?? "none"
