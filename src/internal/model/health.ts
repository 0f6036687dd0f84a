/**
 * The health of a process, as probes ask for it.
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { InvalidPolicy } from "./errors.js"

/**
 * The three questions of Kubernetes:
 *
 * - `live`: is it worth keeping, or has it to be restarted?
 * - `ready`: does it want traffic?
 * - `startup`: has it started? A check that has passed once is not asked again.
 *
 * @since 0.1.0
 * @category models
 */
export type Probe = "live" | "ready" | "startup"

/**
 * How a check is run.
 *
 * @since 0.1.0
 * @category models
 */
export interface CheckOptions {
  /**
   * How long it may take. Then it has failed; it is interrupted, and not waited for. Default: 800 milliseconds, which is
   * less than the second that a kubelet waits.
   */
  readonly timeout?: Duration.DurationInput | undefined
  /**
   * For how long an outcome, good or bad, is the answer to later probes: many probers cost one check in that time.
   * Default: 1 second. (Probes at the same time share a run in any case.)
   */
  readonly cache?: Duration.DurationInput | undefined
  /** The probes that ask for it. Default: `["ready"]`. */
  readonly on?: ReadonlyArray<Probe> | undefined
}

/**
 * What a check said.
 *
 * @since 0.1.0
 * @category models
 */
export interface CheckResult {
  readonly name: string
  readonly outcome: "Passed" | "Failed" | "Excluded"
  /** Why it has failed. */
  readonly reason?: string
}

/**
 * The answer to a probe.
 *
 * @since 0.1.0
 * @category models
 */
export interface Answer {
  readonly probe: Probe
  readonly passed: boolean
  /** In the order of registration; those that are built in come first and last. */
  readonly checks: ReadonlyArray<CheckResult>
  /** Names to exclude that no check of this probe has. */
  readonly unknown: ReadonlyArray<string>
}

/**
 * The checks of a server.
 *
 * @since 0.1.0
 * @category models
 */
export interface HealthService {
  /** See {@link check}. */
  readonly check: <A, E, R>(
    name: string,
    effect: Effect.Effect<A, E, R>,
    options?: CheckOptions
  ) => Effect.Effect<void, InvalidPolicy, Exclude<R, Scope.Scope> | Scope.Scope>
  /** Asks all checks of a probe at the same time, for as long as the longest `timeout` at the most. */
  readonly probe: (
    probe: Probe,
    options?: {
      /** Leaves these out. */
      readonly exclude?: ReadonlyArray<string> | undefined
      /** Asks these alone. */
      readonly only?: ReadonlyArray<string> | undefined
    }
  ) => Effect.Effect<Answer>
}

/**
 * The checks of a server, and the answers to its probes.
 *
 * **Example**
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Health } from "quiesce"
 *
 * const warnIfNotReady = Effect.gen(function*() {
 *   const health = yield* Health.Health
 *   const { checks, passed } = yield* health.probe("ready")
 *   if (!passed) yield* Effect.logWarning("not ready", checks)
 * })
 * ```
 *
 * @since 0.1.0
 * @category tags
 */
export class Health extends Context.Tag("quiesce/Health")<Health, HealthService>() {}

/**
 * What the routes say.
 *
 * @since 0.1.0
 * @category models
 */
export interface RouteOptions {
  /** Say why a check has failed, instead of `reason withheld`. Default: false. */
  readonly reasons?: boolean | undefined
}
