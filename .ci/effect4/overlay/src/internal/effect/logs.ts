import type * as Cause from "effect/Cause"
import * as Console from "effect/Console"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import type * as LogLevel from "effect/LogLevel"
import * as References from "effect/References"

export type AnyLogger = Logger.Logger<unknown, unknown>

export type LogOptions = Logger.Options<unknown>

export type LineWriter = (
  level: LogLevel.LogLevel,
  message: string,
  cause: Cause.Cause<unknown>,
  replace: (logger: AnyLogger) => AnyLogger
) => void

const at = (level: LogLevel.LogLevel, ...message: ReadonlyArray<unknown>): Effect.Effect<void> =>
  level === "None" || level === "All" ? Effect.void : Effect.logWithLevel(level)(...message)

export const withLineWriter = (use: (write: LineWriter) => void): Effect.Effect<void> =>
  Effect.withFiber((fiber) => {
    use((level, message, cause, replace) => {
      const loggers = new Set(Array.from(fiber.getRef(Logger.CurrentLoggers), replace))
      const context = Context.add(fiber.context, Logger.CurrentLoggers, loggers)
      Effect.runForkWith(context)(at(level, message, cause))
    })
    return Effect.void
  })

export const isDefaultLogger = (logger: AnyLogger): boolean => logger === Logger.defaultLogger

const prettyLogs = new Set(
  [Logger.defaultLogger, Logger.consolePrettyTty(), Logger.consolePrettyBrowser()].map(({ log }) => String(log))
)

/** Effect's own logger, too, writes for people: an annotation as an object over several lines. */
export const isPrettyLogger = (logger: AnyLogger): boolean => prettyLogs.has(String(logger.log))

export const annotationOf = ({ fiber }: LogOptions, name: string): unknown =>
  fiber.getRef(References.CurrentLogAnnotations)[name]

const withAnnotations = (
  options: LogOptions,
  change: (annotations: Readonly<Record<string, unknown>>) => Readonly<Record<string, unknown>>
): LogOptions => {
  const { fiber } = options
  const annotations = change(fiber.getRef(References.CurrentLogAnnotations))
  const own = Object.create(fiber, {
    getRef: {
      value: <A>(reference: Context.Reference<A>): unknown =>
        reference.key === References.CurrentLogAnnotations.key ? annotations : fiber.getRef(reference)
    }
  })
  return { ...options, fiber: own }
}

export const annotate = (options: LogOptions, name: string, value: unknown): LogOptions =>
  withAnnotations(options, (annotations) => ({ ...annotations, [name]: value }))

export const withoutAnnotations = (options: LogOptions, names: ReadonlyArray<string>): LogOptions =>
  withAnnotations(
    options,
    (annotations) => Object.fromEntries(Object.entries(annotations).filter(([name]) => !names.includes(name)))
  )

export const consoleMethod = (level: LogLevel.LogLevel): "error" | "warn" | "info" =>
  level === "Error" || level === "Fatal" || level === "None" ? "error" : level === "Warn" ? "warn" : "info"

export const logUnhandled = (cause: Cause.Cause<unknown>, message: string): Effect.Effect<void> =>
  Effect.flatMap(References.UnhandledLogLevel, (level) => level === undefined ? Effect.void : at(level, cause, message))

export const silent: Layer.Layer<never> = Logger.layer([])

export const pretty: Layer.Layer<never> = Logger.layer([Logger.consolePretty()])

export const prettyOn = (console: globalThis.Console): Layer.Layer<never> =>
  Layer.merge(pretty, Layer.succeed(Console.Console, console))

export const replaceDefaultLogger = (logger: AnyLogger): Layer.Layer<never> => Logger.layer([logger])

export type Loggers = ReadonlySet<AnyLogger>

export const loggers: Effect.Effect<Loggers> = Effect.map(Logger.CurrentLoggers, (loggers) => loggers)

export const withLoggers = (all: ReadonlyArray<Loggers>) => <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.provideService(effect, Logger.CurrentLoggers, new Set(all.flatMap((each) => Array.from(each))))
