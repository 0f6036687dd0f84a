/**
 * Background work, between those who run it and the drain that waits for it.
 */
import type * as Cause from "effect/Cause"

/**
 * How a task ends. `Withdrawn`: its owner has ended it, and it is nobody's loss. One that was asked to end, and has
 * `Failed`, is reported as interrupted, with its cause.
 */
export type BackgroundEnd =
  | { readonly _tag: "Completed" | "Interrupted" | "Withdrawn" }
  | { readonly _tag: "Failed"; readonly cause: Cause.Cause<unknown> }

export interface BackgroundTask {
  /** The time is up: it was asked to end. */
  readonly isInterrupted: boolean
  readonly end: (end: BackgroundEnd) => void
}
