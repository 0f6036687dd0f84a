/** What is logged, as the JSON lines that a machine reads. */
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import { levelOf, toJsonLines } from "../../support/effect/logs.js"

export interface Line {
  readonly message: unknown
  readonly logLevel: string
  /** What the annotation of ours has. */
  readonly annotations: Readonly<Record<string, unknown>>
}

interface Written extends Line {
  readonly annotations: { readonly quiesce?: Readonly<Record<string, unknown>> }
}

export const collectLog = (least: LogLevel.LogLevel = LogLevel.Info) => {
  const raw: Array<string> = []
  const lines = (): ReadonlyArray<Line> =>
    raw.map((text) => {
      const written = JSON.parse(text) as Written
      return { ...written, logLevel: levelOf(written), annotations: written.annotations.quiesce ?? {} }
    })
  return {
    raw,
    lines,
    /** The first line whose message this matches. */
    find: (pattern: RegExp): Line | undefined => lines().find(({ message }) => pattern.test(String(message))),
    layer: Layer.merge(
      toJsonLines((text) => void raw.push(text)),
      Logger.minimumLogLevel(least)
    )
  }
}
