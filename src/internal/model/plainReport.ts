/**
 * What a shutdown says when it is over, without types of Effect.
 */
import type { BackgroundReport, CutRequest, EndedStream, HookReport, Report } from "./report.js"

/**
 * A {@link Report} in plain values: durations are numbers of milliseconds, and what failed has its `error`. It can be
 * written as JSON.
 *
 * @since 0.3.0
 * @category models
 */
export interface PlainReport extends
  Omit<
    Report,
    "background" | "cut" | "draining" | "duration" | "endedStreams" | "hooks" | "killing" | "lameDuck"
  >
{
  /** From the beginning to the last close. */
  readonly durationMillis: number
  /** How long the lame duck lasted. */
  readonly lameDuckMillis: number
  /** From the closing of the listeners to the end, or to the deadline. */
  readonly drainingMillis: number
  /** From the deadline to the end. */
  readonly killingMillis: number
  /** The requests that did not get their whole response. */
  readonly cut: ReadonlyArray<Omit<CutRequest, "age"> & { readonly ageMillis: number }>
  /** Event streams that were ended for the shutdown. */
  readonly endedStreams: ReadonlyArray<Omit<EndedStream, "age"> & { readonly ageMillis: number }>
  /** In the order of registration; `error` is there where one has failed. */
  readonly hooks: ReadonlyArray<
    Omit<HookReport, "cause" | "duration"> & { readonly durationMillis: number; readonly error?: unknown }
  >
  /** Background work; `error` is that of the first that has failed. */
  readonly background: ReadonlyArray<
    Omit<BackgroundReport, "cause" | "duration"> & { readonly durationMillis: number; readonly error?: unknown }
  >
}
