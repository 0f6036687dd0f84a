/**
 * A policy as it stands in an environment. Its durations are as `Duration` prints and reads them, or bare numbers of
 * milliseconds.
 */
import * as Config from "effect/Config"
import * as Duration from "effect/Duration"
import { rejectIf, setting } from "../effect/configs.js"
import { decode } from "../effect/durations.js"
import type { Policy, WebSocketPolicy } from "../model/policy.js"
import { assertNames, policyNames } from "./optionNames.js"
import { misspelt } from "./settingNames.js"

/**
 * The whole policy from the configuration. What is not set is taken from `defaults`, such as a preset.
 *
 * | name                            | unit, bounds                                                             |
 * | ------------------------------- | ------------------------------------------------------------------------ |
 * | `SHUTDOWN_LAME_DUCK`            | a duration of 0 or more, finite                                          |
 * | `SHUTDOWN_TIMEOUT`              | a duration of 0 or more, or `infinity`                                   |
 * | `SHUTDOWN_KILL_TIMEOUT`         | a duration of 0 or more, finite                                          |
 * | `SHUTDOWN_NEW_CONNECTION_GRACE` | a duration of 0 or more, finite                                          |
 * | `SHUTDOWN_IDLE_GRACE`           | a duration of 0 or more, finite; or `keepAliveTimeout` (then the timeout is 1 second at the least) |
 * | `SHUTDOWN_END_EVENT_STREAMS`    | `true` or `false`                                                        |
 * | `SHUTDOWN_EVENT_STREAM_RETRY`   | a duration of 0 or more, finite                                          |
 * | `SHUTDOWN_SPREAD`               | a duration of 0 or more, finite                                          |
 * | `SHUTDOWN_WEB_SOCKET_CODE`      | a close code                                                             |
 * | `SHUTDOWN_WEB_SOCKET_REASON`    | a text                                                                   |
 * | `SHUTDOWN_WEB_SOCKET_MESSAGE`   | a text                                                                   |
 * | `SHUTDOWN_WEB_SOCKET_GRACE`     | a duration of 0 or more, finite                                          |
 *
 * A name that looks like one of these and is none, as `SHUTDOWN_TIMEOUTT` or `SHUTDOWN_TIMEOUT_MS`, is a `ConfigError`
 * that says which is meant. Other names that begin with `SHUTDOWN_` are somebody else's.
 *
 * A duration is a number with a unit (`20 seconds`, `500 millis`, `2 minutes`), or a bare number of milliseconds. What
 * it cannot be is a `ConfigError` that names it.
 *
 * **Example**
 *
 * ```ts
 * import { Config } from "effect"
 * import { NodeHttpServer, Shutdown } from "quiesce"
 * import { createServer } from "node:http"
 *
 * const ServerLive = NodeHttpServer.layerConfig(
 *   () => createServer(),
 *   Config.all({ port: Config.integer("PORT"), policy: Shutdown.config(Shutdown.docker()) }).pipe(
 *     Config.map(({ policy, port }) => ({ port, ...policy }))
 *   )
 * )
 * ```
 *
 * @since 0.1.0
 * @category policies
 */
export const config = (defaults: Policy = {}): Config.Config<Policy> => {
  assertNames("defaults", defaults, policyNames)
  return Config.map(Config.all([noSlip(), fields(defaults)]), ([_, policy]) => policy)
}

const fields = (defaults: Policy): Config.Config<Policy> =>
  Config.all({
    lameDuck: Config.withDefault(duration("SHUTDOWN_LAME_DUCK"), defaults.lameDuck),
    timeout: Config.withDefault(infinite("SHUTDOWN_TIMEOUT"), defaults.timeout),
    killTimeout: Config.withDefault(duration("SHUTDOWN_KILL_TIMEOUT"), defaults.killTimeout),
    newConnectionGrace: Config.withDefault(
      duration("SHUTDOWN_NEW_CONNECTION_GRACE"),
      defaults.newConnectionGrace
    ),
    idleGrace: Config.withDefault(orKeepAliveTimeout("SHUTDOWN_IDLE_GRACE"), defaults.idleGrace),
    endEventStreams: Config.withDefault(Config.boolean("SHUTDOWN_END_EVENT_STREAMS"), defaults.endEventStreams),
    eventStreamRetry: Config.withDefault(duration("SHUTDOWN_EVENT_STREAM_RETRY"), defaults.eventStreamRetry),
    spread: Config.withDefault(duration("SHUTDOWN_SPREAD"), defaults.spread),
    webSocket: webSocket(defaults.webSocket),
    pollSchedule: Config.succeed(defaults.pollSchedule)
  })

const webSocket = (defaults: WebSocketPolicy | undefined): Config.Config<WebSocketPolicy | undefined> =>
  Config.map(
    Config.all({
      code: Config.withDefault(closeCode("SHUTDOWN_WEB_SOCKET_CODE"), defaults?.code),
      reason: Config.withDefault(text("SHUTDOWN_WEB_SOCKET_REASON"), defaults?.reason),
      message: Config.withDefault(text("SHUTDOWN_WEB_SOCKET_MESSAGE"), defaults?.message),
      grace: Config.withDefault(duration("SHUTDOWN_WEB_SOCKET_GRACE"), defaults?.grace)
    }),
    // what is no field of it is still to be said
    (set) => Object.values(set).some((value) => value !== undefined) ? { ...defaults, ...set } : defaults
  )

/** Fails where a name looks like one of the policy, or of `others`, and is none. */
export const noSlip = (others?: ReadonlyArray<string>): Config.Config<void> =>
  rejectIf(
    misspelt(others),
    (slip) =>
      slip === undefined
        ? undefined
        : { name: slip.name, message: `there is no such setting: did you mean ${slip.meant}?` }
  )

const example = `a duration of 0 or more, such as "5 seconds" or a number of milliseconds`

/** A duration that has an end. */
const duration = (name: string): Config.Config<Duration.Duration> =>
  setting(name, example, (text) => {
    const value = parse(text)
    return value !== undefined && Duration.isFinite(value) ? value : undefined
  })

/** A duration that may be infinite. */
const infinite = (name: string): Config.Config<Duration.Duration> => setting(name, `${example}, or infinity`, parse)

/** A duration that has an end, or `keepAliveTimeout`. */
const orKeepAliveTimeout = (name: string): Config.Config<Duration.Duration | "keepAliveTimeout"> =>
  setting<Duration.Duration | "keepAliveTimeout">(name, `keepAliveTimeout, or ${example}`, (text) => {
    const value = text === "keepAliveTimeout" ? text : parse(text)
    return value === "keepAliveTimeout" || (value !== undefined && Duration.isFinite(value)) ? value : undefined
  })

/** Which of them may be sent is said when the policy is looked at. */
const closeCode = (name: string): Config.Config<number> =>
  setting(name, "a close code, such as 1001", (text) => /^\d{4}$/.test(text) ? Number(text) : undefined)

const text = (name: string): Config.Config<string> => setting(name, "a text", (text) => text)

const parse = (text: string): Duration.Duration | undefined => {
  if (/^\d+(\.\d+)?$/.test(text)) return Duration.millis(Number(text))
  if (/^infinity$/i.test(text)) return Duration.infinity
  // `Duration` takes what is negative for nothing
  if (!/^\d/.test(text)) return undefined
  return decode(text)
}
