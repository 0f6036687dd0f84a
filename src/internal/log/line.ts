/**
 * What this library logs: one line an event, in words for people, and with all data in one annotation for machines.
 * Whatever a logger does with a line, nobody who logs is hindered by it.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as FiberRef from "effect/FiberRef"
import * as FiberRefs from "effect/FiberRefs"
import * as HashMap from "effect/HashMap"
import * as HashSet from "effect/HashSet"
import * as Inspectable from "effect/Inspectable"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Option from "effect/Option"
import * as Runtime from "effect/Runtime"
import { inspect } from "node:util"
import { clip, escaped } from "../model/text.js"
import { countLogError } from "./logErrors.js"
import { holdOutputs, isOutputLost, writeElsewhere } from "./outputs.js"

/** What an event says to machines. */
export type Data = Readonly<Record<string, unknown>>

type AnyLogger = Logger.Logger<unknown, unknown>

type Options = Logger.Logger.Options<unknown>

/** The name of the annotation. */
const annotation = "quiesce"

/**
 * Logs an event: the message is one line, whatever is in it. What failed, a `Cause` or an error, is told on that line on
 * a console, and passed on whole to other loggers.
 */
export const log = (
  level: LogLevel.LogLevel,
  message: string,
  data: Data = {},
  failure?: unknown
): Effect.Effect<void> =>
  Effect.withFiberRuntime((fiber, { runtimeFlags }) => {
    const release = holdOutputs()
    try {
      const cause = failure === undefined ? Cause.empty : Cause.isCause(failure) ? failure : Cause.fail(failure)
      const fiberRefs = FiberRefs.updateAs(fiber.getFiberRefs(), {
        fiberId: fiber.id(),
        fiberRef: FiberRef.currentLoggers,
        value: HashSet.map(fiber.getFiberRef(FiberRef.currentLoggers), (logger) => guarded(logger, data))
      })
      const context = fiber.getFiberRef(FiberRef.currentContext)
      // in a fiber of its own: a logger may interrupt the one that it finds itself in
      Runtime.runFork(Runtime.make({ context, fiberRefs, runtimeFlags }))(
        Effect.logWithLevel(level, escaped(message), cause)
      )
    } catch (error) {
      lost(level, message, error)
    }
    release()
    return Effect.void
  })

type At = (message: string, data?: Data, failure?: unknown) => Effect.Effect<void>

export const debug: At = (...line) => log(LogLevel.Debug, ...line)

export const info: At = (...line) => log(LogLevel.Info, ...line)

export const warning: At = (...line) => log(LogLevel.Warning, ...line)

export const error: At = (...line) => log(LogLevel.Error, ...line)

/** One that throws takes the line from no other; one that is asynchronous may reject, which would end the process. */
const guarded = (logger: AnyLogger, data: Data): AnyLogger =>
  Logger.make((options) => {
    const { logLevel } = options
    const message = String(onConsole(options).message)
    const failed = (error: unknown) => {
      lost(logLevel, message, failing.has(logger) ? undefined : error)
      failing.add(logger)
    }
    try {
      if (isConsole(logger) && isOutputLost()) return lost(logLevel, message)
      const taken = logger.log(fit(logger, options, data))
      if (isThenable(taken)) taken.then(undefined, failed)
    } catch (error) {
      failed(error)
    }
  })

/** Those that have failed: what with is said once. */
const failing = new WeakSet<AnyLogger>()

/** Each of `Logger.prettyLogger` has this text. */
const prettyLog = String(Logger.prettyLoggerDefault.log)

const isPretty = (logger: AnyLogger): boolean => String(logger.log) === prettyLog

const isConsole = (logger: AnyLogger): boolean => logger === Logger.defaultLogger || isPretty(logger)

/** An event as a logger prints it on one line: a pretty one has a line for each annotation, and many for a cause. */
const fit = (logger: AnyLogger, options: Options, data: Data): Options => {
  if (isPretty(logger)) return onConsole(options)
  const { cause } = options
  if (logger === Logger.defaultLogger) {
    return annotated(
      onConsole(options),
      Cause.isEmpty(cause) ? data : { ...data, cause: pretty(cause) },
      JSON.stringify
    )
  }
  return annotated(options, data, () => {
    const text = () => JSON.stringify(data)
    return Object.defineProperty({ ...data }, inspect.custom, { value: text })
  })
}

const annotated = (options: Options, data: Data, value: (data: Data) => unknown): Options =>
  Object.keys(data).length === 0
    ? options
    : { ...options, annotations: HashMap.set(options.annotations, annotation, value(data)) }

/** What failed is told in a few words; what every line of a hand-over is annotated with becomes a part of the message. */
const onConsole = ({ annotations, cause, message, ...options }: Options): Options => {
  const annotated = (name: string) => Option.getOrUndefined(HashMap.get(annotations, name))
  const pid = annotated("pid")
  const isOurs = pid === process.pid
  const whose = isOurs ? ` [${Inspectable.toStringUnknown(annotated("role") ?? "process")} ${pid}]` : ""
  return {
    ...options,
    message: `${String(message)}${summary(cause)}${whose}`,
    cause: Cause.empty,
    annotations: isOurs ? HashMap.removeMany(annotations, ["pid", "role"]) : annotations
  }
}

const summary = (cause: Cause.Cause<unknown>): string => {
  if (Cause.isEmpty(cause)) return ""
  try {
    const [error] = Cause.prettyErrors(cause)
    if (error === undefined) return ": interrupted"
    const place = /^\s+at (.+)$/m.exec(error.stack ?? "")?.[1]
    return `: ${clip(`${error.name}: ${error.message}`, 400)}${place === undefined ? "" : ` (at ${clip(place)})`}`
  } catch {
    return ": with what cannot be printed"
  }
}

/** What a program fails with may be anything: an object that cannot be printed, too. */
const pretty = (cause: Cause.Cause<unknown>): string => {
  try {
    return Cause.pretty(cause, { renderErrorCause: true })
  } catch {
    return "what cannot be printed"
  }
}

const lost = (level: LogLevel.LogLevel, message: string, why?: unknown): void => {
  countLogError()
  writeElsewhere(`${levelName(level)}: ${message}`, ...(why === undefined ? [] : ["\nThe logger failed:", why]))
}

/** As `console` calls it. */
export const levelName = ({ ordinal }: LogLevel.LogLevel): "error" | "warn" | "info" =>
  ordinal >= LogLevel.Error.ordinal ? "error" : ordinal >= LogLevel.Warning.ordinal ? "warn" : "info"

const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  typeof value === "object" && value !== null && "then" in value && typeof value.then === "function"
