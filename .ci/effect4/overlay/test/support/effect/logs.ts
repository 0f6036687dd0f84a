import type * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import type * as LogLevel from "effect/LogLevel"

export const labelOf = (level: LogLevel.LogLevel): string => level.toUpperCase()

export const toJsonLines = (write: (line: string) => void): Layer.Layer<never> =>
  Logger.layer([Logger.map(Logger.formatJson, write)])

export const asLogged = {}

export const levelOf = (line: { readonly logLevel?: string; readonly level?: string }): string => line.level ?? "none"
