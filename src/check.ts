/**
 * What becomes of the clients of an HTTP server when it is stopped, whatever it is written in. It is started anew for each
 * scenario, its clients do something, it gets its signal, and what each of them got is the verdict. This is
 * `quiesce check` as a function, for a test of one's own:
 *
 * ```ts
 * import { check } from "quiesce/check"
 *
 * const report = await check({ command: ["node", "server.js"], post: "/orders" })
 * console.log(report.lost, report.results.filter(({ verdict }) => verdict === "lost"))
 * ```
 *
 * It needs nothing of the server but that it listens on `PORT` (or on `{port}` in its arguments): a request is made slow by
 * sending it slowly. With paths given, it asks more. It loads nothing but Node.
 *
 * **Gotchas**
 *
 * - A scenario that cannot be asked is `notAsked`, and not `kept`.
 * - It takes half a minute. Give the test that calls it 90 seconds.
 * - It needs a POSIX system. On Linux it also finds children that have left the process group.
 *
 * @since 0.2.0
 * @module
 */
import { CheckFailed, type Reason } from "./internal/check/errors.js"
import type {
  Advice,
  Counts,
  End,
  Offer,
  Post,
  Progress,
  Report,
  Result,
  Rule,
  Target,
  TranscriptEntry,
  Unasked,
  Verdict
} from "./internal/check/model.js"
import type { Options } from "./internal/check/options.js"
import { runCheck } from "./internal/check/run/check.js"
import { settingsOf } from "./internal/check/run/settings.js"

export { CheckFailed }
export type {
  Advice,
  Counts,
  End,
  Offer,
  Options,
  Post,
  Progress,
  Reason,
  Report,
  Result,
  Rule,
  Target,
  TranscriptEntry,
  Unasked,
  Verdict
}

/**
 * Runs the scenarios, and says what was kept, what was lost, and what could not be asked. It rejects with
 * {@link CheckFailed} where nothing can be asked: the server does not start, or an option is wrong.
 *
 * @since 0.2.0
 * @category running
 */
export const check = async (options: Options): Promise<Report> =>
  runCheck(settingsOf(options), options.onProgress ?? (() => {}))
