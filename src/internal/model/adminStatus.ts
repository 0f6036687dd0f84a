/**
 * What the admin listener answers at `/status`.
 */
import type { PlainReport } from "./plainReport.js"
import type { Phase } from "./policy.js"
import type { BackgroundReport, HookReport } from "./report.js"

/**
 * What the admin listener answers at `/status`, as JSON: the same as its page at `/` shows. What there is nothing of is
 * left out, so that each field that may be missing is optional.
 *
 * @since 0.3.0
 * @category models
 */
export interface AdminStatus {
  readonly phase: Phase
  /** Where the server listens, as `127.0.0.1:3000`. */
  readonly listeners: ReadonlyArray<string>
  /** How many connections are open. */
  readonly connections: number
  /** How many requests have not got their whole response yet. `/requests` has them. */
  readonly inFlight: number
  /** Requests answered in full since the start. */
  readonly served: number
  /** Connections accepted since the start. */
  readonly accepted: number
  /**
   * The time left, in milliseconds: of the lame duck in `"LameDuck"`, until the deadline in `"Draining"`. Less than 0: the
   * deadline has passed. It is left out where there is no deadline, and where no shutdown runs.
   */
  readonly leftMillis?: number
  /** In `"LameDuck"`: how long draining may take after it. It is left out where draining has no deadline. */
  readonly timeoutMillis?: number
  /** How long the shutdown has lasted, until its report is there. */
  readonly shutdownMillis?: number
  /** What runs when draining starts, in the order of registration: the first 20. */
  readonly hooks: ReadonlyArray<{
    readonly name: string
    /** `"Waiting"`: draining has not started. */
    readonly state: "Waiting" | "Running" | HookReport["outcome"]
    /** How long it has run. It is left out of one that waits. */
    readonly durationMillis?: number
  }>
  /** How many hooks are not listed. */
  readonly moreHooks?: number
  /** Background work that runs, by name: the first 20 names. */
  readonly background: ReadonlyArray<Pick<BackgroundReport, "count" | "name">>
  /** How much background work runs that is not listed. */
  readonly moreBackground?: number
  /** What the shutdown has said at its end. The `error` of a hook, or of background work, is its message. */
  readonly report?: PlainReport
}
