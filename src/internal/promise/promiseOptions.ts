/**
 * The options of a program without Effect, which may be without types, too: each is looked at before anything is touched.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { settingsOf as handoffSettings } from "../handoff/handoff.js"
import { InvalidPolicy } from "../model/errors.js"
import type { Options as ListenOptions } from "../model/listener.js"
import type { Policy } from "../model/policy.js"
import type { Target } from "../model/promise.js"
import type { AdminOptions, AgentCheckOptions, HandoffOptions, Options } from "../model/promiseOptions.js"
import { millisOf } from "../policy/durations.js"
import { assertNames, policyNames } from "../policy/optionNames.js"
import * as Given from "../policy/validateFunction.js"
import { invalid } from "../signals/signals.js"
import { adminOptions } from "./adminListener.js"
import { agentCheckOptions } from "./agentCheckListener.js"
import { sorted, type Targets } from "./promiseTargets.js"

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

/** What is passed on to `launch`, and where each Node server listens. */
export interface Wanted {
  readonly places: ReadonlyArray<ListenOptions>
  readonly options: Omit<HandoffOptions, "listen">
}

/** The options, each as it is used. */
export interface Settings {
  readonly targets: Targets
  readonly policy: Policy
  readonly handoff: Wanted | undefined
  readonly signals: ReadonlyArray<NodeJS.Signals>
  readonly uncaught: boolean
  readonly onShutdown: Options["onShutdown"]
  readonly finally: Options["finally"]
  /** In milliseconds; none is `Infinity`. */
  readonly finallyTimeout: number
  readonly admin: AdminOptions | undefined
  readonly agentCheck: AgentCheckOptions | undefined
  readonly logger: Options["logger"]
}

/** A program without types may pass anything. The policy is looked at when the server is made. */
export const settingsOf = (given: Target | ReadonlyArray<Target>, options: Options): Settings => {
  look(options)
  const {
    admin,
    agentCheck,
    finally: afterwards,
    finallyTimeout,
    handoff,
    logger,
    onShutdown,
    signals,
    uncaught,
    ...policy
  } = options
  const targets = sorted(given)
  const wanted = handoffOptions(handoff, targets.nodeServers.length)
  return {
    targets,
    policy,
    handoff: wanted,
    signals: signalNames(signals === undefined ? wanted !== undefined : signals),
    uncaught: uncaught === true,
    onShutdown,
    finally: afterwards,
    finallyTimeout: finallyLimit(finallyTimeout),
    admin: adminOptions(admin),
    agentCheck: agentCheckOptions(agentCheck),
    logger
  }
}

const look = (options: Options): void => {
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

const signalNames = (signals: Options["signals"]): ReadonlyArray<NodeJS.Signals> => {
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

const finallyLimit = (value: Options["finallyTimeout"]): number => {
  const millis = value === undefined ? Number.POSITIVE_INFINITY : millisOf(value)
  if (millis >= 0) return millis
  throw new InvalidPolicy({
    field: "finallyTimeout",
    value,
    expected: `a duration of 0 or more, such as "5 seconds" or a number of milliseconds; left out, there is no limit`
  })
}

/** What a program without types may have passed is looked at before anything is touched; `launch` looks at the rest. */
const handoffOptions = (handoff: Options["handoff"], targets: number): Wanted | undefined => {
  if (handoff === undefined) return undefined
  const expected = "an object that says where to listen: { listen: { port: 3000 } }"
  if (typeof handoff !== "object" || handoff === null) {
    throw new InvalidPolicy({ field: "handoff", value: handoff, expected })
  }
  const { listen, ...options } = handoff
  const places = (Array.isArray(listen) ? listen : [listen]) as ReadonlyArray<ListenOptions>
  if (places.length !== targets || places.some((place) => typeof place !== "object" || place === null)) {
    throw new InvalidPolicy({
      field: "handoff.listen",
      value: listen,
      expected: targets === 1
        ? "where the server listens, which is not made to listen before: { port: 3000 }"
        : `a list of ${targets} places, one for each server, in their order: [{ port: 3000 }, …]`
    })
  }
  const settings = Effect.runSyncExit(handoffSettings(options))
  if (Exit.isFailure(settings)) throw Cause.squash(settings.cause)
  return { places, options }
}
