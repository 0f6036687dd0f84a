/**
 * The options of a program without Effect, which may be without types, too: each is looked at before anything is touched.
 */
import { InvalidPolicy } from "../model/errors.js"
import type { Policy } from "../model/policy.js"
import type { Options } from "../model/promise.js"
import { millisOf } from "../policy/durations.js"
import { assertNames, policyNames } from "../policy/optionNames.js"
import * as Given from "../policy/validateFunction.js"
import { invalid } from "../signals/signals.js"

const optionNames: ReadonlyArray<string> = [
  ...policyNames,
  ...Object.keys(
    {
      admin: 0,
      agentCheck: 0,
      handoff: 0,
      signals: 0,
      onShutdown: 0,
      finally: 0,
      finallyTimeout: 0,
      logger: 0,
      uncaught: 0
    } satisfies {
      [K in Exclude<keyof Options, keyof Policy>]: unknown
    }
  )
]

/** A program without types may pass anything. The policy is looked at when the server is made. */
export const look = (options: Options): void => {
  assertNames("options", options, optionNames)
  const { finally: afterwards, logger, onShutdown, uncaught } = options
  if (uncaught !== undefined && typeof uncaught !== "boolean") {
    throw new InvalidPolicy({ field: "uncaught", value: uncaught, expected: "true, or false" })
  }
  if (afterwards !== undefined) Given.aFunction("finally", afterwards)
  if (onShutdown !== undefined) Given.aFunction("onShutdown", onShutdown)
  validateLogger(logger)
}

export const validateLogger = (logger: unknown): void => {
  if (logger !== undefined && logger !== false) {
    Given.aFunction(
      "logger",
      logger,
      "false, or a function, such as (level, message) => console[level](message); left out, it logs to stdout"
    )
  }
}

export const validateHook = (name: unknown, hook: unknown, options: unknown): void => {
  if (typeof name !== "string") {
    throw new InvalidPolicy({
      field: "name of the hook",
      value: name,
      expected: `a text, and the hook comes after it: onShutdown("flush", () => …)`
    })
  }
  Given.aFunction(`hook "${name}"`, hook, `a function: onShutdown("${name}", () => …)`)
  if (options !== undefined) {
    assertNames(`options of the hook "${name}"`, options, ["timeout"], ` of the hook "${name}"`)
  }
}

export const signalNames = (signals: Options["signals"]): ReadonlyArray<NodeJS.Signals> => {
  const names = signals === true
    ? ["SIGTERM", "SIGINT"] as const
    : signals === undefined || signals === false
    ? []
    : signals
  const problem = invalid(
    names,
    `true, false, or a list of signals that a process can listen for, such as ["SIGTERM"]`
  )
  if (problem !== undefined) throw problem
  return names
}

/** In milliseconds; none is `Infinity`. */
export const finallyLimit = (value: Options["finallyTimeout"]): number => {
  const millis = value === undefined ? Number.POSITIVE_INFINITY : millisOf(value)
  if (millis >= 0) return millis
  throw new InvalidPolicy({
    field: "finallyTimeout",
    value,
    expected: `a duration of 0 or more, such as "5 seconds" or a number of milliseconds; left out, there is no limit`
  })
}
