import type { Options } from "@effect/platform-node/NodeHttpServer"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Line from "../log/line.js"
import { InvalidPolicy } from "../model/errors.js"
import type { Policy } from "../model/policy.js"
import { duration } from "../policy/policy.js"

export interface PlatformOptions {
  /** Another name of `timeout`, that of `@effect/platform-node`. Only one of them can be given. */
  readonly gracefulShutdownTimeout?: Duration.Input | undefined
  /**
   * Has no effect, and a line in the log if it is `true`: the drain always begins before anything that the app uses is
   * released. How long it may take is what `timeout` says.
   */
  readonly disablePreemptiveShutdown?: boolean | undefined
  /** Options of the `WebSocketServer` of `ws`, such as `{ perMessageDeflate: true }`. */
  readonly websocket?: Options["websocket"]
}

export const platformNames: ReadonlyArray<string> = Object.keys(
  {
    gracefulShutdownTimeout: true,
    disablePreemptiveShutdown: true,
    websocket: true
  } satisfies { readonly [K in keyof PlatformOptions]-?: true }
)

export const policyOf = (options: Policy & PlatformOptions): Effect.Effect<Policy, InvalidPolicy> =>
  Effect.gen(function*() {
    const { disablePreemptiveShutdown, gracefulShutdownTimeout: value } = options
    if (disablePreemptiveShutdown === true) {
      yield* Line.warning(
        "disablePreemptiveShutdown has no effect: requests in flight are answered before anything that the app uses is "
          + "released, for as long as `timeout` says"
      )
    }
    if (value === undefined) return options
    const field = "gracefulShutdownTimeout"
    if (options.timeout !== undefined) {
      return yield* new InvalidPolicy({
        field,
        value,
        expected: "left out, as timeout is given, which it is a name of"
      })
    }
    return { ...options, timeout: yield* duration(field, value, { infinite: true }) }
  })
