/**
 * Loggers. Effect 3 keeps the loggers of a fiber in a `FiberRef`, and the annotations of a line in its options; Effect 4
 * keeps both in the context of the fiber. Levels are objects on Effect 3, and words on Effect 4.
 */
import type * as Cause from "effect/Cause"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as FiberRef from "effect/FiberRef"
import * as FiberRefs from "effect/FiberRefs"
import * as HashMap from "effect/HashMap"
import * as HashSet from "effect/HashSet"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Option from "effect/Option"
import * as Runtime from "effect/Runtime"

export type AnyLogger = Logger.Logger<unknown, unknown>

/** The loggers of a fiber. */
export type Loggers = HashSet.HashSet<AnyLogger>

export const loggers: Effect.Effect<Loggers> = FiberRef.get(FiberRef.currentLoggers)

/** Logs once with each of the loggers of several fibers. */
export const withLoggers = (all: ReadonlyArray<Loggers>) => <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.locally(effect, FiberRef.currentLoggers, all.reduce<Loggers>(HashSet.union, HashSet.empty()))

/** A line, as a logger is given it. */
export type LogOptions = Logger.Logger.Options<unknown>

/** Writes a line with the loggers of a fiber, each of them replaced. It may throw what a logger throws. */
export type LineWriter = (
  level: LogLevel.LogLevel,
  message: string,
  cause: Cause.Cause<unknown>,
  replace: (logger: AnyLogger) => AnyLogger
) => void

/** Lends what writes a line with all that the fiber has around it, in a fiber of its own. */
export const withLineWriter = (use: (write: LineWriter) => void): Effect.Effect<void> =>
  Effect.withFiberRuntime((fiber, { runtimeFlags }) => {
    use((level, message, cause, replace) => {
      const fiberRefs = FiberRefs.updateAs(fiber.getFiberRefs(), {
        fiberId: fiber.id(),
        fiberRef: FiberRef.currentLoggers,
        value: HashSet.map(fiber.getFiberRef(FiberRef.currentLoggers), replace)
      })
      const context = fiber.getFiberRef(FiberRef.currentContext)
      Runtime.runFork(Runtime.make({ context, fiberRefs, runtimeFlags }))(Effect.logWithLevel(level, message, cause))
    })
    return Effect.void
  })

/** Effect's own, unless a program has chosen others. */
export const isDefaultLogger = (logger: AnyLogger): boolean => logger === Logger.defaultLogger

/** Whether it is one of `Logger.pretty`: each of them has the same text. */
export const isPrettyLogger = (logger: AnyLogger): boolean => String(logger.log) === prettyLog

const prettyLog = String(Logger.prettyLoggerDefault.log)

/** What a line is annotated with, under that name. */
export const annotationOf = ({ annotations }: LogOptions, name: string): unknown =>
  Option.getOrUndefined(HashMap.get(annotations, name))

export const annotate = (options: LogOptions, name: string, value: unknown): LogOptions => ({
  ...options,
  annotations: HashMap.set(options.annotations, name, value)
})

export const withoutAnnotations = (options: LogOptions, names: ReadonlyArray<string>): LogOptions => ({
  ...options,
  annotations: HashMap.removeMany(options.annotations, names)
})

/** As `console` calls a level. */
export const consoleMethod = ({ ordinal }: LogLevel.LogLevel): "error" | "warn" | "info" =>
  ordinal >= LogLevel.Error.ordinal ? "error" : ordinal >= LogLevel.Warning.ordinal ? "warn" : "info"

/** Logs what nobody has handled, at the level that the program has chosen for that. */
export const logUnhandled = (cause: Cause.Cause<unknown>, message: string): Effect.Effect<void> =>
  Effect.flatMap(
    FiberRef.get(FiberRef.unhandledErrorLogLevel),
    (level) => level._tag === "Some" ? Effect.logWithLevel(level.value, cause, message) : Effect.void
  )

/** Nothing is logged. */
export const silent: Layer.Layer<never> = Logger.remove(Logger.defaultLogger)

/** For people. */
export const pretty: Layer.Layer<never> = Logger.pretty

/** The same, on a console of one's own. */
export const prettyOn = (console: globalThis.Console): Layer.Layer<never> =>
  Layer.provideMerge(pretty, Console.setConsole({ ...Effect.runSync(Effect.console), unsafe: console }))

/** That logger, in place of Effect's own. */
export const replaceDefaultLogger = (logger: AnyLogger): Layer.Layer<never> =>
  Logger.replace(Logger.defaultLogger, logger)
