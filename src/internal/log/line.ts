/**
 * What this library logs: one line an event, in words for people, and with all data in one annotation for machines.
 * Whatever a logger does with a line, nobody who logs is hindered by it.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Inspectable from "effect/Inspectable"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import { inspect } from "node:util"
import * as Causes from "../effect/causes.js"
import * as Logs from "../effect/logs.js"
import { clip, escaped } from "../model/text.js"
import { countLogError } from "./logErrors.js"
import { holdOutputs, isOutputLost, writeElsewhere } from "./outputs.js"

/** What an event says to machines: its name, and what there is to know of it. */
export type Data = Readonly<Record<string, unknown>>

/** An event that has no more to say than its message does. By the annotation, a logger knows whose line it is. */
const plain: Data = { event: "Message" }

/** The name of the annotation. */
const annotation = "quiesce"

/**
 * Logs an event: the message is one line, whatever is in it. What failed, a `Cause` or an error, is told on that line on
 * a console, and passed on whole to other loggers.
 */
export const log = (
  level: LogLevel.LogLevel,
  message: string,
  data: Data = plain,
  failure?: unknown
): Effect.Effect<void> =>
  // in a fiber of its own: a logger may interrupt the one that it finds itself in
  Logs.withLineWriter((write) => {
    const release = holdOutputs()
    try {
      const cause = failure === undefined ? Cause.empty : Cause.isCause(failure) ? failure : Cause.fail(failure)
      write(level, escaped(message), cause, (logger) => guarded(logger, data))
    } catch (error) {
      lost(level, message, error)
    }
    release()
  })

type At = (message: string, data?: Data, failure?: unknown) => Effect.Effect<void>

export const debug: At = (...line) => log(LogLevel.Debug, ...line)

export const info: At = (...line) => log(LogLevel.Info, ...line)

export const warning: At = (...line) => log(LogLevel.Warning, ...line)

export const error: At = (...line) => log(LogLevel.Error, ...line)

/** One that throws takes the line from no other; one that is asynchronous may reject, which would end the process. */
const guarded = (logger: Logs.AnyLogger, data: Data): Logs.AnyLogger =>
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
const failing = new WeakSet<Logs.AnyLogger>()

const isConsole = (logger: Logs.AnyLogger): boolean => Logs.isDefaultLogger(logger) || Logs.isPrettyLogger(logger)

/** An event as a logger prints it on one line: a pretty one has a line for each annotation, and many for a cause. */
const fit = (logger: Logs.AnyLogger, options: Logs.LogOptions, data: Data): Logs.LogOptions => {
  if (Logs.isPrettyLogger(logger)) return onConsole(options)
  const { cause } = options
  if (Logs.isDefaultLogger(logger)) {
    return annotated(
      onConsole(options),
      Causes.isEmpty(cause) ? data : { ...data, cause: pretty(cause) },
      JSON.stringify
    )
  }
  return annotated(options, data, () => {
    const text = { value: () => JSON.stringify(data) }
    return Object.defineProperties({ ...data }, { [inspect.custom]: text, toString: text })
  })
}

const annotated = (options: Logs.LogOptions, data: Data, value: (data: Data) => unknown): Logs.LogOptions =>
  Logs.annotate(options, annotation, value("event" in data ? data : { ...plain, ...data }))

/** What failed is told in a few words; what every line of a hand-over is annotated with becomes a part of the message. */
const onConsole = (options: Logs.LogOptions): Logs.LogOptions => {
  const pid = Logs.annotationOf(options, "pid")
  const isOurs = pid === process.pid
  const role = Logs.annotationOf(options, "role") ?? "process"
  const whose = isOurs ? ` [${Inspectable.toStringUnknown(role)} ${pid}]` : ""
  return {
    ...(isOurs ? Logs.withoutAnnotations(options, ["pid", "role"]) : options),
    message: `${String(options.message)}${summary(options.cause)}${whose}`,
    cause: Cause.empty
  }
}

const summary = (cause: Cause.Cause<unknown>): string => {
  if (Causes.isEmpty(cause)) return ""
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
    return Causes.prettyWithCauses(cause)
  } catch {
    return "what cannot be printed"
  }
}

const lost = (level: LogLevel.LogLevel, message: string, why?: unknown): void => {
  countLogError()
  writeElsewhere(
    `${Logs.consoleMethod(level)}: ${message}`,
    ...(why === undefined ? [] : ["\nThe logger failed:", why])
  )
}

const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  typeof value === "object" && value !== null && "then" in value && typeof value.then === "function"
