/**
 * The policies for what runs a process: what it allows, taken apart into lame duck, draining, killing, and the release of
 * everything else.
 */
import * as Duration from "effect/Duration"
import { InvalidPolicy } from "../model/errors.js"
import type { Policy } from "../model/policy.js"
import { formatted } from "../model/text.js"
import { millisOf } from "./durations.js"
import { assertNames } from "./optionNames.js"

/** What is left to the release of everything else, and to the process to end. */
const marginMillis = 1000

const killMillis = 1000

/** How long a load balancer may go on sending: kube-proxy and ingress controllers hear of an endpoint in a few seconds. */
const lameDuckMillis = 5000

/** Node's default `keepAliveTimeout`, and its allowance for the way. */
const keepAliveMillis = 5000
const wayMillis = 1000

/**
 * For a pod: `terminationGracePeriodSeconds` (default: 30 seconds) in its parts.
 *
 * - `lameDuck`, 5 seconds: the endpoint is removed from services while the pod already stops, and whoever balances the
 *   load hears of it a few seconds later. No `preStop` sleep is needed; one that there is counts against the period.
 * - `killTimeout`, 1 second, and 1 second for the release of everything else.
 * - `timeout`: what is left of the period, 23 of 30 seconds.
 * - `idleGrace: "keepAliveTimeout"`: a proxy that keeps connections to the pod loses nothing on them. It takes the server's
 *   `keepAliveTimeout` (Node's default: 5 seconds) and a second after the last response, within `timeout`.
 *
 * Throws `InvalidPolicy` where the period is too short for that (13 seconds are the least, with what is the default
 * here), and for an option that there is not.
 *
 * **Example**
 *
 * ```ts
 * import { NodeHttpServer, Shutdown } from "quiesce"
 * import { createServer } from "node:http"
 *
 * const ServerLive = NodeHttpServer.layer(() => createServer(), {
 *   port: 3000,
 *   ...Shutdown.kubernetes({ terminationGracePeriod: "60 seconds" })
 * })
 * ```
 *
 * @since 0.1.0
 * @category policies
 */
export const kubernetes = (options: {
  /** `terminationGracePeriodSeconds` of the pod. Default: 30 seconds. */
  readonly terminationGracePeriod?: Duration.DurationInput | undefined
  /** How long clients may go on sending after the pod was told to stop. Default: 5 seconds. */
  readonly lameDuck?: Duration.DurationInput | undefined
  /** The `keepAliveTimeout` of the Node server. Default: 5 seconds, as Node's. */
  readonly keepAliveTimeout?: Duration.DurationInput | undefined
} = {}): Policy => {
  assertNames("options", options, ["terminationGracePeriod", "lameDuck", "keepAliveTimeout"])
  return {
    ...within(
      "terminationGracePeriod",
      options.terminationGracePeriod,
      30_000,
      finite("lameDuck", options.lameDuck, lameDuckMillis),
      finite("keepAliveTimeout", options.keepAliveTimeout, keepAliveMillis) + wayMillis
    ),
    idleGrace: "keepAliveTimeout"
  }
}

/**
 * For a container under `docker stop` or Compose: its 10 seconds (`--time`, `stop_grace_period`) in their parts. No
 * lame duck, unless asked for: nobody is told to send elsewhere; `killTimeout` 1 second, 1 second for the release of
 * everything else, and `timeout` what is left: 8 seconds. Throws `InvalidPolicy` where the time is less than 2 seconds
 * and the lame duck.
 *
 * **Example**
 *
 * ```ts
 * import { NodeHttpServer, Shutdown } from "quiesce"
 * import { createServer } from "node:http"
 *
 * const ServerLive = NodeHttpServer.layer(() => createServer(), {
 *   port: 3000,
 *   ...Shutdown.docker({ stopTimeout: "30 seconds" })
 * })
 * ```
 *
 * @since 0.1.0
 * @category policies
 */
export const docker = (options: {
  /** `docker stop --time`, or `stop_grace_period`. Default: 10 seconds, as Docker's. */
  readonly stopTimeout?: Duration.DurationInput | undefined
  /**
   * How long to go on serving after the signal, for a load balancer in front that looks by itself whether this server is
   * ready. It is taken from the time for draining. Default: 0.
   */
  readonly lameDuck?: Duration.DurationInput | undefined
} = {}): Policy => {
  assertNames("options", options, ["stopTimeout", "lameDuck"])
  return within("stopTimeout", options.stopTimeout, 10_000, finite("lameDuck", options.lameDuck, 0))
}

/**
 * For a systemd service: its `TimeoutStopSec=` (default: 90 seconds) in its parts. No lame duck; `killTimeout` 1
 * second, 1 second for the release of everything else, and `timeout` what is left: 88 seconds. Throws `InvalidPolicy`
 * where the time is less than 2 seconds and the lame duck.
 *
 * **Example**
 *
 * ```ts
 * import { NodeHttpServer, Shutdown } from "quiesce"
 * import { createServer } from "node:http"
 *
 * const ServerLive = NodeHttpServer.layer(() => createServer(), {
 *   port: 3000,
 *   ...Shutdown.systemd({ timeoutStop: "30 seconds" })
 * })
 * ```
 *
 * @since 0.1.0
 * @category policies
 */
export const systemd = (options: {
  /** `TimeoutStopSec=`. Default: 90 seconds, as `DefaultTimeoutStopSec=`. */
  readonly timeoutStop?: Duration.DurationInput | undefined
  /**
   * How long to go on serving after the signal, for a load balancer in front that looks by itself whether this server is
   * ready. It is taken from the time for draining. Default: 0.
   */
  readonly lameDuck?: Duration.DurationInput | undefined
} = {}): Policy => {
  assertNames("options", options, ["timeoutStop", "lameDuck"])
  return within("timeoutStop", options.timeoutStop, 90_000, finite("lameDuck", options.lameDuck, 0))
}

/**
 * For Ctrl-C while developing: no grace for connections that a browser keeps or has opened in advance, and 2 seconds
 * for requests in flight.
 *
 * **Example**
 *
 * ```ts
 * import { NodeHttpServer, Shutdown } from "quiesce"
 * import { createServer } from "node:http"
 *
 * const ServerLive = NodeHttpServer.layer(() => createServer(), { port: 3000, ...Shutdown.development })
 * ```
 *
 * @since 0.1.0
 * @category policies
 */
export const development: Policy = {
  lameDuck: 0,
  timeout: "2 seconds",
  killTimeout: "500 millis",
  newConnectionGrace: 0,
  idleGrace: 0
}

const print = (millis: number): string => millis === 0 ? "0s" : formatted(Duration.millis(millis))

/** What was left out is the default; `null` is a mistake. */
const finite = (field: string, value: Duration.DurationInput | undefined, byDefault: number): number => {
  if (value === undefined) return byDefault
  const millis = millisOf(value)
  if (Number.isFinite(millis)) return millis
  throw new InvalidPolicy({ field, value, expected: `a duration of 0 or more, and finite, such as "30 seconds"` })
}

/** Draining gets what is left of the time, and `least` at the least. */
const within = (
  field: string,
  allowed: Duration.DurationInput | undefined,
  byDefault: number,
  lameDuck: number,
  least = 0
): Policy => {
  const millis = finite(field, allowed, byDefault)
  const timeout = millis - lameDuck - killMillis - marginMillis
  if (timeout >= least) return { lameDuck, timeout, killTimeout: killMillis }
  throw new InvalidPolicy({
    field,
    value: allowed ?? Duration.millis(byDefault),
    expected:
      `${print(millis - timeout + least)} or more: ${print(lameDuck)} of lame duck, ${print(least)} of draining, `
      + `${print(killMillis)} of killTimeout and ${print(marginMillis)} for the release of everything else${
        // whoever writes so little means what the files of supervisors have
        typeof allowed === "number" && allowed > 0
          ? `. A number is milliseconds: write "${allowed} seconds" if that is meant`
          : ""}`
  })
}
