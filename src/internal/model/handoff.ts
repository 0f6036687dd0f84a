/**
 * What a process hands its sockets over with.
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { HandoffFailed } from "./handoffFailed.js"

/**
 * What starts a hand-over, and how long it may take.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** Default: SIGUSR2, and SIGHUP unless standard input is a terminal. */
  readonly signals?: ReadonlyArray<NodeJS.Signals> | undefined
  /** How long a successor may take to be ready and to accept. Default: 1 minute. */
  readonly timeout?: Duration.DurationInput | undefined
  /** Holds the PID of the process that serves, and is removed by the last one. */
  readonly pidFile?: string | undefined
  /** What to start, and its arguments. Default: the command that has started this process. */
  readonly command?: readonly [file: string, ...args: ReadonlyArray<string>] | undefined
}

/**
 * The process that accepts from now on.
 *
 * @since 0.1.0
 * @category models
 */
export interface Successor {
  readonly pid: number
}

/**
 * What a program that was started with {@link launch} can do.
 *
 * @since 0.1.0
 * @category models
 */
export interface HandoffService {
  /**
   * Starts a successor, hands the listening sockets over when it is ready, and begins to shut down: all callers at one
   * time share one hand-over, and one that is interrupted does not stop it. Succeeds when the successor accepts. If it
   * fails, this process serves on, and it may be tried again.
   */
  readonly upgrade: Effect.Effect<Successor, HandoffFailed>
}

/**
 * The way to hand over from inside of a program that was started with {@link launch}.
 *
 * @since 0.1.0
 * @category tags
 */
export class Handoff extends Context.Tag("quiesce/Handoff")<Handoff, HandoffService>() {}

/**
 * How many workers, and what replaces them.
 *
 * @since 0.1.0
 * @category models
 */
export interface WorkersOptions {
  readonly workers: number
  /** What replaces the workers one by one. Default: SIGUSR2, and SIGHUP unless standard input is a terminal. */
  readonly signals?: ReadonlyArray<NodeJS.Signals> | undefined
  /** How long a worker may take to be ready. Default: 1 minute. */
  readonly timeout?: Duration.DurationInput | undefined
  /**
   * How much longer than the policies of its servers allow (the sum of their `lameDuck`, `timeout` and `killTimeout`) a
   * worker that is to end may take before it gets SIGKILL: its event loop is blocked, or a finalizer hangs. A server
   * without a deadline has none here either; `Duration.infinity` is never. Default: 30 seconds, since what a program
   * releases after the drain (pools, exporters) is done by then, and a worker that is merely slow should not be cut.
   */
  readonly killAfter?: Duration.DurationInput | undefined
}
