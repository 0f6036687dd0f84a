/**
 * The options of `NodeHttpServer` that are neither where to listen nor how to stop. Effect 3 and Effect 4 have others.
 */
import * as Effect from "effect/Effect"
import type { InvalidPolicy } from "../model/errors.js"
import type { Policy } from "../model/policy.js"

export interface PlatformOptions {
  /**
   * Requests take a shorter way to the app than that of `@effect/platform-node`: about a third of the CPU time of a short
   * request, with the same responses, spans and errors. It relies on how `@effect/platform` is made, and is left by
   * itself where that is not as expected. `false` turns it off, if you suspect it. Default: `true`, or what the
   * environment variable `QUIESCE_FAST_PATH` says.
   *
   * @since 0.2.0
   */
  readonly fastPath?: boolean | undefined
}

export const platformNames: ReadonlyArray<string> = Object.keys(
  { fastPath: true } satisfies { readonly [K in keyof PlatformOptions]-?: true }
)

/** How the server stops, as all of its options say it. */
export const policyOf = (options: Policy & PlatformOptions): Effect.Effect<Policy, InvalidPolicy> =>
  Effect.succeed(options)
