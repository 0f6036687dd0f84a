import * as Data from "effect/Data"
import type * as Duration from "effect/Duration"
import { printDuration } from "./text.js"

/**
 * `finally`, or the `close` of a framework, has not finished within `finallyTimeout`, and is not waited for any more.
 *
 * **Example**
 *
 * ```ts
 * import { createServer } from "node:http"
 * import { FinallyTimedOut, quiesce } from "quiesce/promise"
 *
 * declare const telemetry: { readonly shutdown: () => Promise<void> }
 *
 * const server = quiesce(createServer().listen(3000), {
 *   finally: () => telemetry.shutdown(),
 *   finallyTimeout: "5 seconds"
 * })
 * server.closed.catch((error: unknown) => {
 *   if (error instanceof FinallyTimedOut) console.error(`${error.task} was given up`)
 * })
 * ```
 *
 * @since 0.2.0
 * @category errors
 */
export class FinallyTimedOut extends Data.TaggedError("FinallyTimedOut")<{
  readonly task: string
  readonly limit: Duration.Duration
}> {
  override get message(): string {
    return `${this.task} has not finished within ${printDuration(this.limit)} (\`finallyTimeout\`), and is not waited `
      + "for any more"
  }
}
